import { isForwarding, type Session } from "../../domain/Session.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import { printable, printableJson } from "../Style.js"

/** A session as `--json` prints it. These names are stable; `import` reads them too. */
export interface SessionView {
  readonly id: string
  readonly url: string
  readonly status: string
  readonly forwards: boolean
  /** As they are stored, where that means nothing. */
  readonly insecure: boolean | string
  readonly ws_path: string | null
  readonly created_at: string | null
  readonly updated_at: string | null
}

const view = (session: Session, url: string): SessionView => ({
  id: session.id,
  url,
  status: session.status,
  forwards: isForwarding(session.status),
  insecure: session.policy.insecure,
  ws_path: session.policy.wsPath,
  created_at: session.createdAt,
  updated_at: session.updatedAt,
})

/** The session as it may be shown: user info in its URL is hidden. */
export const viewOf = (session: Session): SessionView => view(session, redactUrl(session.url))

/** The session whole, user info included, so that it can be brought back. */
export const backupOf = (session: Session): SessionView => view(session, session.url)

/** The one JSON value that a command prints. */
export const renderJson = (value: unknown): string => printableJson(JSON.stringify(value, null, 2))

/** What a session wants otherwise than the proxy's settings say, in words; empty for nothing. */
export const policyWords = ({ policy: { insecure, wsPath } }: Session): ReadonlyArray<string> => [
  ...(insecure === false ? [] : [insecure === true ? "insecure" : `insecure ${insecure}`]),
  ...(wsPath === null ? [] : [`ws-path ${wsPath}`]),
]

/** A session in one line of text. */
export const describe = (session: Session): string =>
  printable(`${session.id} -> ${redactUrl(session.url)} (${[session.status, ...policyWords(session)].join(", ")})`)
