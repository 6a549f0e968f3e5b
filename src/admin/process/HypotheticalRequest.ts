import { Exit } from "effect"
import type { RequestBody, RequestHead } from "../../downstream/Downstream.js"
import type { AnswerChange, Client, ProxyRequest } from "../../http/ProxyRequest.js"
import type { LiveSession } from "../../sessions/LiveSession.js"
import type { RawFields } from "../../wire/HeaderFields.js"
import { usualRules } from "../../wire/RequestRules.js"
import { requestFraming, type RequestFraming } from "../../wire/RequestFraming.js"

/** A handshake as it has to be (RFC 6455 section 4.1). */
const handshakeFields: RawFields = [
  "Connection",
  "Upgrade",
  "Upgrade",
  "websocket",
  "Sec-WebSocket-Version",
  "13",
  "Sec-WebSocket-Key",
  Buffer.alloc(16).toString("base64"),
  // What browsers offer: whether the server sees it is up to the session.
  "Sec-WebSocket-Extensions",
  "permessage-deflate; client_max_window_bits",
]

/** A request that nobody has sent, without content: to be led through the pipeline as far as to its server. */
export class HypotheticalRequest implements ProxyRequest {
  readonly method: string
  readonly target: string
  readonly httpVersion = "1.1"
  readonly fields: RawFields
  readonly framing: RequestFraming
  readonly client: Client = { address: "127.0.0.1", trusted: false, proto: "http" }
  readonly requestId = "0".repeat(32)
  readonly content: Exit.Exit<RequestBody> = Exit.succeed({ _tag: "Empty" })
  readonly isLate = false
  sessionId: string | undefined
  byHost = false
  answerChange: AnswerChange | undefined
  rules = usualRules
  /** The session that it was let in to. */
  session: LiveSession | undefined
  /** What its session's server would have got. */
  sent: { readonly session: LiveSession; readonly head: RequestHead } | undefined
  private held: (() => void) | undefined

  constructor({
    host,
    method,
    target,
    upgrades,
  }: {
    readonly host: string | undefined
    readonly method: string
    readonly target: string
    readonly upgrades: boolean
  }) {
    this.method = method
    this.target = target
    this.fields = ["Host", host ?? "localhost", ...(upgrades ? handshakeFields : [])]
    this.framing = requestFraming(this.fields, this.httpVersion)
  }

  readonly traceOf = (): undefined => undefined

  readonly join = (session: LiveSession): undefined => {
    this.session = session
  }

  readonly hold = (release: () => void): void => {
    this.held = release
  }

  /** Gives back what it held: a place that it would have had. */
  release(): void {
    this.held?.()
  }

  readonly asked = (): void => {}
  readonly informational = (): void => {}
  readonly repaired = (): void => {}
  readonly retried = (): void => {}
}
