import type { Effect } from "effect"
import type { ProxyError, RequestBroken } from "../domain/ProxyError.js"
import type { RequestBody, RequestObserver, ResponseHead } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { RequestTrace } from "../traces/RequestTrace.js"
import type { RawFields } from "../wire/HeaderFields.js"
import type { RequestRules } from "../wire/RequestRules.js"
import type { RequestFraming } from "../wire/RequestFraming.js"

/** The client's end of a connection. */
export interface Client {
  /** IP address, as text. */
  readonly address: string
  /** Whether its word about `X-Forwarded-*` counts. */
  readonly trusted: boolean
  readonly proto: "http" | "https"
}

/** What becomes of the heads of a server's answers to one request, interim ones too, before the client gets them. */
export interface AnswerChange {
  /** The head as the client gets it. */
  readonly changed: (head: ResponseHead) => ResponseHead
}

/** What a client asks for, as a request is seen on its way to a session's server. It hears of interim responses. */
export interface ProxyRequest extends RequestObserver {
  readonly method: string
  /** The request target, raw, as latin1. */
  readonly target: string
  readonly httpVersion: string
  /** Raw field pairs, flat: name, value, name, value. */
  readonly fields: RawFields
  readonly framing: RequestFraming
  readonly client: Client
  readonly requestId: string
  /** Whether it comes too late, where the proxy is about to stop. */
  readonly isLate: boolean
  /** Id of the session that it names, whether it exists or not; told by whoever reads the target. */
  sessionId: string | undefined
  /** Its host names that session, and no part of the target does; told by the same. */
  byHost: boolean
  /** To be made to every answer of its session's server, behind all stages; told by whoever lets it in to the session. */
  answerChange: AnswerChange | undefined
  /**
   * What becomes of its fields, and of those of its answer: by the settings once its target names a session, then by what that
   * wants.
   */
  rules: RequestRules
  /**
   * Its trace, or the id of one that begins with it and is not recorded; `undefined` where traces are off. `route`: the template
   * of its path, which counts when it is asked first. To be asked before `requestId`: where a trace begins with a request, one
   * id serves as both.
   */
  readonly traceOf: (route: string | undefined) => RequestTrace | string | undefined
  /**
   * Its content, once: whole where it is here by the end of the turn of the event loop, else moving. Fails as a client's
   * request fails that does not come as it should.
   */
  readonly content: Effect.Effect<RequestBody, ProxyError | RequestBroken>
  /**
   * Belongs to a session from here on: it ends when that session's lifetime does. Returns what it is refused with where
   * that is over already.
   */
  readonly join: (session: LiveSession) => ProxyError | undefined
  /** Holds a place that a limit counts; `release` is called when the request is over, or the WebSocket that came of it. */
  readonly hold: (release: () => void) => void
}
