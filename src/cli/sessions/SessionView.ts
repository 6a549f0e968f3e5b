import { Either, Option } from "effect"
import { isForwarding, type Session } from "../../domain/Session.js"
import { readPolicy } from "../../domain/SessionPolicy.js"
import { parseDownstreamUrl, redactUrl } from "../../wire/DownstreamUrl.js"
import { printable, printableJson } from "../Style.js"
import { idProblem } from "./SessionCheck.js"

/** A session as `--json` prints it. These names are stable; `import` reads them too. */
export interface SessionView {
  readonly id: string
  readonly url: string
  readonly status: string
  /** Whether requests for it go to its server, as far as its row says. */
  readonly forwards: boolean
  /** As they are stored, where that means nothing. */
  readonly insecure: boolean | string
  readonly ws_path: string | null
  readonly created_at: string | null
  readonly updated_at: string | null
}

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
