import { Either, Option } from "effect"
import { policyRows } from "../../domain/Policies.js"
import { isForwarding, type Session } from "../../domain/Session.js"
import { readPolicy, type StoredPolicy } from "../../domain/SessionPolicy.js"
import { idProblem } from "../../sessions/SessionRules.js"
import { parseDownstreamUrl, redactUrl } from "../../wire/DownstreamUrl.js"
import { printable, printableJson } from "../../wire/PrintableText.js"

/** A session as `--json` prints it. These names are stable; `import` reads them too. */
export interface SessionView {
  readonly id: string
  readonly url: string
  readonly status: string
  /** Whether requests for it go to its server, as far as its row says. */
  readonly forwards: boolean
  readonly created_at: string | null
  readonly updated_at: string | null
  /** The policies by their columns, each as the flag of its setting would be given. Invalid ones as they are stored. */
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

/** What is wrong with the URL of a session that is stored, as a phrase; other programs store unchecked. */
export const urlFault = ({ url }: Session): string | undefined =>
  Either.match(parseDownstreamUrl(url), { onLeft: ({ problem }) => problem, onRight: () => undefined })

const forwards = (session: Session): boolean =>
  isForwarding(session.status) &&
  Option.isNone(idProblem(session.id)) &&
  urlFault(session) === undefined &&
  Either.isRight(readPolicy(session.policy))

const view = (session: Session, url: string): SessionView => ({
  id: session.id,
  url,
  status: session.status,
  forwards: forwards(session),
  ...policyView(session.policy),
  created_at: session.createdAt,
  updated_at: session.updatedAt,
})

/** The session as it may be shown: user info in its URL is hidden. */
export const viewOf = (session: Session): SessionView => view(session, redactUrl(session.url))

/** The session whole, user info included, so that it can be brought back. */
export const backupOf = (session: Session): SessionView => view(session, session.url)

/** The one JSON value that a command prints. */
export const renderJson = (value: unknown): string => printableJson(JSON.stringify(value, null, 2))

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
