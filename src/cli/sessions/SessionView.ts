import { policyRows } from "../../domain/Policies.js"
import { shownText } from "../../domain/Reading.js"
import type { Session } from "../../domain/Session.js"
import {
  drainingUntil,
  forwards,
  type PolicyFields,
  policyFields,
  wholePolicyFields,
} from "../../sessions/SessionShape.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import { drainOf } from "../../domain/SessionControl.js"
import { printable, printableJson } from "../../wire/PrintableText.js"

/** A session as `--json` prints it. These names are stable; `import` reads them too. */
export interface SessionView {
  readonly id: string
  readonly url: string
  readonly status: string
  /** Whether requests for it are forwarded, according to its row. */
  readonly forwards: boolean
  readonly created_at: string | null
  readonly updated_at: string | null
  /** When what is left of a session that drains is killed, as RFC 3339 has it; null while it does not drain. */
  readonly draining_until: string | null
  /** The policies by their columns, as texts that their flags accept. Invalid ones as they are stored. */
  readonly [column: string]: boolean | string | null
}

const policyNames = Object.entries(policyRows)

const view = (session: Session, url: string, policies: PolicyFields): SessionView => ({
  id: session.id,
  url,
  status: session.status,
  forwards: forwards(session),
  ...policies,
  created_at: session.createdAt,
  updated_at: session.updatedAt,
  draining_until: drainingUntil(session) ?? null,
})

/** The session without its secrets. */
export const viewOf = (session: Session): SessionView =>
  view(session, redactUrl(session.url), policyFields(session.policy))

/** The session with its secrets, so that `import` restores it completely. */
export const backupOf = (session: Session): SessionView => view(session, session.url, wholePolicyFields(session.policy))

/** The JSON text that a command prints. */
export const renderJson = (value: unknown): string => printableJson(JSON.stringify(value, null, 2))

/** The same on one line. */
export const renderJsonLine = (value: unknown): string => printableJson(JSON.stringify(value))

/** A policy of a session, for output. */
export interface ShownPolicy {
  readonly flag: string
  /** Its value as text; "" for a switch that is on. */
  readonly value: string
  /** An explanation if the policy has one, else the value. */
  readonly meaning: string
}

/** The policies of a session that differ from their defaults. */
export const shownPolicies = ({ policy }: Session): ReadonlyArray<ShownPolicy> =>
  policyNames.flatMap(([name, { flag, fallback, reading, shown }]) => {
    const value: unknown = Reflect.get(policy, name)
    if (flag === undefined || value === fallback) return []
    const text = value === true ? "" : shownText(reading, value)
    return [{ flag, value: text, meaning: shown ?? text }]
  })

/** The same as words, such as `ws-path strip`. */
export const policyWords = (session: Session): ReadonlyArray<string> =>
  shownPolicies(session).map(({ flag, value }) => `${flag} ${value}`.trimEnd())

/** Whether it drains, as a word. */
const drainWords = ({ control }: Session): ReadonlyArray<string> => (drainOf(control) === undefined ? [] : ["draining"])

/** A session on one line. */
export const describe = (session: Session): string => {
  const words = [session.status, ...drainWords(session), ...policyWords(session)]
  return printable(`${session.id} -> ${redactUrl(session.url)} (${words.join(", ")})`)
}
