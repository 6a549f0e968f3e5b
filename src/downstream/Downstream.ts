import { Context, type Effect } from "effect"
import type { Socket } from "node:net"
import type {
  DialError,
  DownstreamProtocol,
  DownstreamReset,
  DownstreamTimeout,
  RequestBroken,
  ResponseBroken,
} from "../domain/ProxyError.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { Body } from "../wire/Body.js"

/** The head of a request, ready to be written: hop-by-hop fields are gone, forwarded ones are in. */
export interface RequestHead {
  readonly method: string
  /** Request target for the request line: origin-form, base path included, every byte as the client sent it. */
  readonly target: string
  /** Raw field pairs, flat: name, value, name, value. `Host` and `Content-Length` included, no `Transfer-Encoding`. */
  readonly fields: ReadonlyArray<string>
}

/** The content of a request; framed by its `chunked`, or by the `Content-Length` among the fields. */
export type RequestBody = Body<RequestBroken>

/** Status and fields of a response, raw. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** Raw field pairs, flat, exactly as they came, hop-by-hop ones included. */
  readonly fields: ReadonlyArray<string>
}

/** A response: its head and its content. */
export interface Answer extends ResponseHead {
  readonly _tag: "Answer"
  readonly body: Body<ResponseBroken>
}

/** Why there is no response. A broken request body is the client's fault; each of the others says whose it is. */
export type RequestError = DialError | DownstreamReset | DownstreamProtocol | DownstreamTimeout | RequestBroken

/**
 * What is known of a request on its way to a session's server. Times are those of `performance.now()`, in milliseconds; 0
 * where there is none, or is not known.
 */
export interface DownstreamCall {
  /** When the last byte of the request was written, and when the head of the response had come. */
  readonly sentAt: number
  readonly headAt: number
  /** Whether the connection had carried a request before. */
  readonly reused: boolean
  /** How long TCP and TLS took, and the queue for a connection before that. */
  readonly dialTime: number
  readonly queueTime: number
  /** How long it was held for a server that could not be reached, both of those included. */
  readonly holdTime: number
}

/** Who hears of what happens to a request before its answer. */
export interface RequestObserver {
  /** It is being sent, as this call, which knows more as time passes. A `Downstream` need not tell. */
  readonly asked: (call: DownstreamCall) => void
  /** An interim response, 100 to 199 but never 101 (RFC 9110 section 15.2). */
  readonly informational: (head: ResponseHead) => void
  /** Something in the response was put right, before or behind its head; for the log. Quotes no values that may be secrets. */
  readonly repaired: (repair: string) => void
  /** It is sent again, on a fresh connection: the pooled one turned out to be closed. Once at most. */
  readonly retried: () => void
}

/** A WebSocket handshake that the server has agreed to. */
export interface Switched {
  readonly _tag: "Switched"
  readonly head: ResponseHead
  /** The connection, paused; the caller owns it from here on. To be read through `inputOf`. */
  readonly socket: Socket
  /** Bytes that arrived glued to the head of the 101. */
  readonly early: Uint8Array
}

/** What a WebSocket handshake came to: the server agreed, or said something else, which is to be relayed. */
export type UpgradeAnswer = Switched | Answer

/** Talks to the servers of sessions. Connections belong to a session's lifetime and are closed with it. */
export class Downstream extends Context.Tag("@ss-proxy/Downstream")<
  Downstream,
  {
    /**
     * A request on a pooled connection of this session, or a fresh one. The effect runs once; that of `layerConnections`
     * is a `Call`, which needs no fiber.
     */
    readonly request: (
      session: LiveSession,
      head: RequestHead,
      body: RequestBody,
      observer?: RequestObserver,
    ) => Effect.Effect<Answer, RequestError>
    /**
     * The same on a connection of its own, which is not kept; for requests of the proxy itself. Where it is absent, `request`
     * has to do.
     */
    readonly requestOnce?: (
      session: LiveSession,
      head: RequestHead,
      body: RequestBody,
    ) => Effect.Effect<Answer, RequestError>
    /**
     * A WebSocket handshake on a fresh connection. `head.fields` hold `Connection: Upgrade`, `Upgrade: websocket` and
     * the client's `Sec-WebSocket-*`; the downstream's `Sec-WebSocket-Accept` is checked before this succeeds.
     */
    readonly upgrade: (
      session: LiveSession,
      head: RequestHead,
      observer?: Pick<RequestObserver, "asked" | "repaired">,
    ) => Effect.Effect<UpgradeAnswer, RequestError>
  }
>() {}
