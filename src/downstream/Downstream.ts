import { Context, Effect, Effectable } from "effect"
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
import type { ChunkSource } from "../wire/ChunkSource.js"

/** The head of a request, ready to be written: hop-by-hop fields are gone, forwarded ones are in. */
export interface RequestHead {
  readonly method: string
  /** Request target for the request line: origin-form, base path included, every byte as the client sent it. */
  readonly target: string
  /** Raw field pairs, flat: name, value, name, value. `Host` and `Content-Length` included, no `Transfer-Encoding`. */
  readonly fields: ReadonlyArray<string>
}

/** The body of a request. `chunked`: framed by chunks, else by the `Content-Length` among the fields. */
export type RequestBody =
  | { readonly _tag: "Empty" }
  | {
      readonly _tag: "Bytes"
      readonly bytes: Uint8Array
      readonly chunked: boolean
      readonly trailers: ReadonlyArray<string>
    }
  | { readonly _tag: "Moving"; readonly source: ChunkSource<RequestBroken>; readonly chunked: boolean }

export const emptyBody: RequestBody = { _tag: "Empty" }

/** Status and fields of a response, raw. */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** Raw field pairs, flat, exactly as they came, hop-by-hop ones included. */
  readonly fields: ReadonlyArray<string>
}

/** A response: its head, and a body that is whole already or still in motion. */
export interface Answer extends ResponseHead {
  readonly body: AnswerBody
}

export type AnswerBody =
  | { readonly _tag: "Whole"; readonly bytes: Uint8Array | undefined; readonly trailers: ReadonlyArray<string> }
  | { readonly _tag: "Moving"; readonly source: ChunkSource<ResponseBroken> }

/** Why there is no response. A broken request body is the client's fault; each of the others says whose it is. */
export type RequestError = DialError | DownstreamReset | DownstreamProtocol | DownstreamTimeout | RequestBroken

/** Who waits for a response without a fiber. Exactly one of `answer` and `fail` is called, once; neither after a cancel. */
export interface RequestListener {
  /** An interim response, 100 to 199 but never 101 (RFC 9110 section 15.2). */
  readonly informational: (head: ResponseHead) => void
  readonly answer: (answer: Answer) => void
  readonly fail: (error: RequestError) => void
}

/**
 * A request to a session's server, not yet sent. It is an Effect, so anybody may `yield*` it; whoever wants to save the
 * fiber calls `start` instead. Both are the same implementation. To be run once.
 */
export abstract class DownstreamCall extends Effectable.Class<Answer, RequestError> {
  /** How often it was sent again so far: once at most, where a pooled connection turned out to be closed. */
  retries = 0

  /** Sends the request. The listener is told what becomes of it. */
  abstract start(listener: RequestListener): void
  /** Gives the request up, and with it the body of its answer. Nothing is told to the listener after this. */
  abstract cancel(): void

  override commit(): Effect.Effect<Answer, RequestError> {
    return Effect.async<Answer, RequestError>((resume) => {
      this.start({
        informational: () => {},
        answer: (answer) => resume(Effect.succeed(answer)),
        fail: (error) => resume(Effect.fail(error)),
      })
      return Effect.sync(() => this.cancel())
    })
  }
}

/** What a WebSocket handshake came to. */
export type UpgradeAnswer =
  | {
      readonly _tag: "Switched"
      readonly head: ResponseHead
      /** The connection, paused; the caller owns it from here on. To be read through `inputOf`. */
      readonly socket: Socket
      /** Bytes that arrived glued to the head of the 101. */
      readonly early: Uint8Array
    }
  /** The downstream said something else than 101: its answer, to be relayed. */
  | { readonly _tag: "Refused"; readonly answer: Answer }

/** Who waits for a handshake without a fiber. Exactly one of the two is called, once; neither after a cancel. */
export interface UpgradeListener {
  readonly upgraded: (answer: UpgradeAnswer) => void
  readonly fail: (error: RequestError) => void
}

/** A handshake with a session's server, not yet sent: an Effect, like `DownstreamCall`, that can also be driven. */
export abstract class DownstreamUpgrade extends Effectable.Class<UpgradeAnswer, RequestError> {
  abstract start(listener: UpgradeListener): void
  /** Gives the handshake up. A connection that was handed over already is not touched. */
  abstract cancel(): void

  override commit(): Effect.Effect<UpgradeAnswer, RequestError> {
    return Effect.async<UpgradeAnswer, RequestError>((resume) => {
      this.start({
        upgraded: (answer) => resume(Effect.succeed(answer)),
        fail: (error) => resume(Effect.fail(error)),
      })
      return Effect.sync(() => this.cancel())
    })
  }
}

/** Talks to the servers of sessions. Connections belong to a session's lifetime and are closed with it. */
export class Downstream extends Context.Tag("@ss-proxy/Downstream")<
  Downstream,
  {
    /** A request on a pooled connection of this session, or a fresh one. */
    readonly request: (
      session: LiveSession,
      head: RequestHead,
      body: RequestBody,
    ) => Effect.Effect<Answer, RequestError>
    /**
     * A WebSocket handshake on a fresh connection. `head.fields` hold `Connection: Upgrade`, `Upgrade: websocket` and
     * the client's `Sec-WebSocket-*`; the downstream's `Sec-WebSocket-Accept` is checked before this succeeds.
     */
    readonly upgrade: (session: LiveSession, head: RequestHead) => Effect.Effect<UpgradeAnswer, RequestError>
  }
>() {}
