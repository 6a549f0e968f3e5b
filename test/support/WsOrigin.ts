import { Effect, type Scope } from "effect"
import type { IncomingMessage, RequestListener } from "node:http"
import type { Duplex } from "node:stream"
import { type ServerOptions, WebSocketServer } from "ws"
import { Changes, type NotSeen } from "./Changes.js"
import { HttpOrigin } from "./HttpOrigin.js"
import { WsPeer } from "./WsPeer.js"

/** What differs from a server that accepts everything. */
export interface WsOriginOptions extends Pick<ServerOptions, "handleProtocols" | "perMessageDeflate"> {
  /** Bytes to refuse a handshake with, the connection being closed after them; `undefined` accepts it. */
  readonly refuse?: (request: IncomingMessage) => string | undefined
  /** Answers plain requests, which get no answer otherwise. */
  readonly listener?: RequestListener
}

/** A WebSocket that the origin has accepted. */
export interface Accepted {
  readonly peer: WsPeer
  readonly handshake: IncomingMessage
}

/** A session's server that speaks WebSocket by the package `ws`, on any path. */
export class WsOrigin {
  readonly accepted: Array<Accepted> = []
  /** Every handshake, refused ones too. */
  readonly handshakes: Array<IncomingMessage> = []

  private constructor(
    readonly http: HttpOrigin,
    private readonly changes: Changes,
  ) {}

  /** Its base URL, `http:`, without a slash at the end. */
  get url(): string {
    return this.http.url
  }

  /** Waits for the WebSocket with this number, from 0. */
  connection(index = 0): Effect.Effect<Accepted, NotSeen> {
    return this.changes
      .until(
        `WebSocket ${index}`,
        () => this.accepted.length > index,
        () => `${this.accepted.length} WebSockets`,
      )
      .pipe(
        Effect.flatMap(() => {
          const accepted = this.accepted[index]
          return accepted === undefined ? Effect.dieMessage("the WebSocket was there") : Effect.succeed(accepted)
        }),
      )
  }

  /** Starts an origin on a free port. */
  static start(options: WsOriginOptions = {}): Effect.Effect<WsOrigin, never, Scope.Scope> {
    return Effect.gen(function* () {
      const { refuse, listener, ...serverOptions } = options
      const http = yield* HttpOrigin.start(listener)
      const changes = new Changes()
      const origin = new WsOrigin(http, changes)
      const server = new WebSocketServer({ ...serverOptions, noServer: true, maxPayload: 64 * 1024 * 1024 })
      http.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        origin.handshakes.push(request)
        const refusal = refuse?.(request)
        if (refusal !== undefined) return void socket.end(refusal)
        server.handleUpgrade(request, socket, head, (accepted) => {
          origin.accepted.push({ peer: new WsPeer(accepted, changes), handshake: request })
          changes.announce()
        })
      })
      return origin
    })
  }
}
