import { policyRows } from "../../domain/Policies.js"
import { isForwarding, type Session } from "../../domain/Session.js"
import type { StoredPolicy } from "../../domain/SessionPolicy.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import { printable } from "../Style.js"

/** A session as `--json` prints it. These names are stable; `import` reads them too. */
export interface SessionView {
  readonly id: string
  readonly url: string
  readonly status: string
  readonly forwards: boolean
  readonly created_at: string | null
  readonly updated_at: string | null
  /** The policies by their columns, each as the flag of its setting would be given. As they are stored, where that means nothing. */
  readonly [column: string]: boolean | string | null
}

const policyNames = Object.entries(policyRows)

/** Their columns, for the help. */
export const policyColumns = policyNames.map(([, { column }]) => column).join(", ")

const policyView = (policy: StoredPolicy): Readonly<Record<string, boolean | string | null>> =>
  Object.fromEntries(
    policyNames.map(([name, { column, reading }]) => {
      const value: unknown = Reflect.get(policy, name)
      return [column, typeof value === "boolean" || value === null ? value : reading.show(value)]
    }),
  )

const view = ({ id, status, policy, createdAt, updatedAt }: Session, url: string): SessionView => ({
  id,
  url,
  status,
  forwards: isForwarding(status),
  ...policyView(policy),
  created_at: createdAt,
  updated_at: updatedAt,
})

/** The session as it may be shown: user info in its URL is hidden. */
export const viewOf = (session: Session): SessionView => view(session, redactUrl(session.url))

/** The session whole, user info included, so that it can be brought back. */
export const backupOf = (session: Session): SessionView => view(session, session.url)

/** The one JSON value that a command prints. */
export const renderJson = (value: unknown): string => JSON.stringify(value, null, 2)

/** A policy of a session, as it is told of it. */
export interface ShownPolicy {
  /** Its flag. */
  readonly flag: string
  /** Its value in words; "" where the flag says it. */
  readonly value: string
  /** What it means, where that is more than the value. */
  readonly meaning: string
}

/** What a session wants otherwise than the proxy's settings say. */
export const shownPolicies = ({ policy }: Session): ReadonlyArray<ShownPolicy> =>
  policyNames.flatMap(([name, { flag, fallback, reading, shown }]) => {
    const value: unknown = Reflect.get(policy, name)
    if (value === fallback) return []
    const text = value === true ? "" : reading.show(value)
    return [{ flag, value: text, meaning: shown ?? text }]
  })

/** The same in a few words; empty for nothing. */
export const policyWords = (session: Session): ReadonlyArray<string> =>
  shownPolicies(session).map(({ flag, value }) => `${flag} ${value}`.trimEnd())

/** A session in one line of text. */
export const describe = (session: Session): string =>
  printable(`${session.id} -> ${redactUrl(session.url)} (${[session.status, ...policyWords(session)].join(", ")})`)
