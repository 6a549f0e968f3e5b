import { Either, Option } from "effect"
import { policyRows } from "../domain/Policies.js"
import { isForwarding, type Session } from "../domain/Session.js"
import { drainOf, isUnusable } from "../domain/SessionControl.js"
import { readPolicy, type StoredPolicy } from "../domain/SessionPolicy.js"
import { parseDownstreamUrl } from "../wire/DownstreamUrl.js"
import { idProblem } from "./SessionRules.js"

/** The policies by their columns, as texts that their flags accept. Invalid ones as they are stored. */
export const policyFields = (policy: StoredPolicy): Readonly<Record<string, boolean | string | null>> =>
  Object.fromEntries(
    Object.entries(policyRows).map(([name, { column, reading }]) => {
      const value: unknown = Reflect.get(policy, name)
      return [column, typeof value === "boolean" || value === null ? value : reading.show(value)]
    }),
  )

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
  Either.isRight(readPolicy(session.policy))

/** When its drain is over, as RFC 3339 has it; none while it does not drain. */
export const drainingUntil = ({ control }: Session): string | undefined => {
  const drain = drainOf(control)
  return drain === undefined ? undefined : new Date(drain.until).toISOString()
}
