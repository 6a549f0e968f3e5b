import { Either, Option } from "effect"
import { policies, policyRows } from "../domain/Policies.js"
import { type Reading, shownText } from "../domain/Reading.js"
import { isForwarding, type Session } from "../domain/Session.js"
import { drainOf, isUnusable } from "../domain/SessionControl.js"
import type { StoredPolicy } from "../domain/SessionPolicy.js"
import { parseDownstreamUrl, redactUrl } from "../wire/DownstreamUrl.js"
import { idProblem } from "./SessionRules.js"
import { usablePolicy } from "./UsablePolicy.js"

/** The policies of a session by their columns. */
export type PolicyFields = Readonly<Record<string, boolean | string | null>>

const fieldsOf = (policy: StoredPolicy, textOf: (reading: Reading<unknown>, value: unknown) => string): PolicyFields =>
  Object.fromEntries(
    Object.entries(policyRows).map(([name, { column, reading }]) => {
      const value: unknown = Reflect.get(policy, name)
      return [column, typeof value === "boolean" || value === null ? value : textOf(reading, value)]
    }),
  )

/** As texts that their flags accept, secrets and all. Invalid ones as they are stored. */
export const wholePolicyFields = (policy: StoredPolicy): PolicyFields =>
  fieldsOf(policy, (reading, value) => reading.show(value))

/** The same without secrets. */
export const policyFields = (policy: StoredPolicy): PolicyFields => ({
  ...fieldsOf(policy, shownText),
  [policies.setFieldsUrl.column]: policy.setFieldsUrl === null ? null : redactUrl(policy.setFieldsUrl),
})

/** Whether anything of it is a secret: user info of its URLs, values of fields. */
export const hasSecrets = ({ policy, url }: Session): boolean =>
  redactUrl(url) !== url ||
  Object.entries(policyRows).some(([name, { reading }]) => {
    const value: unknown = Reflect.get(policy, name)
    return value !== null && reading.json?.isSecret(value) === true
  })

/** A phrase that says what is wrong with a stored URL, because other programs store URLs without a check. */
export const urlFault = ({ url }: Session): string | undefined =>
  Either.match(parseDownstreamUrl(url), { onLeft: ({ problem }) => problem, onRight: () => undefined })

/** Whether requests for a session are forwarded, according to its row. */
export const forwards = (session: Session): boolean =>
  isForwarding(session.status) &&
  !isUnusable(session.control) &&
  drainOf(session.control) === undefined &&
  Option.isNone(idProblem(session.id)) &&
  urlFault(session) === undefined &&
  Either.isRight(usablePolicy(session))

/** When its drain is over, as RFC 3339 has it; none while it does not drain. */
export const drainingUntil = ({ control }: Session): string | undefined => {
  const drain = drainOf(control)
  return drain === undefined ? undefined : new Date(drain.until).toISOString()
}
