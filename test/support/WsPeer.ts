import { Effect, type Scope } from "effect"
import type { IncomingMessage } from "node:http"
import { type ClientOptions, WebSocket } from "ws"
import { Changes, type NotSeen } from "./Changes.js"

/** A whole message: text as a string, binary as bytes. */
export type WsMessage = string | Buffer

/** How a WebSocket ended, as this side saw it. */
export interface WsClose {
  readonly code: number
  readonly reason: string
}

/** A refused handshake's answer. */
export interface WsRefusal {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly body: string
  /** Whether the client was told that the WebSocket was open. */
  readonly opened: boolean
}

/** One end of a WebSocket of the package `ws`, and everything that came to it. */
export class WsPeer {
  readonly messages: Array<WsMessage> = []
  readonly pings: Array<string> = []
  readonly pongs: Array<string> = []
  readonly errors: Array<Error> = []
  /** What the server agreed to, in the words of its 101; only a client knows. */
  agreedExtensions: string | undefined
  private ending: WsClose | undefined
  private taken = 0

  constructor(
    readonly socket: WebSocket,
    private readonly changes: Changes,
  ) {
    socket.binaryType = "nodebuffer"
    const note = (act: () => void) => {
      act()
      changes.announce()
    }
    socket.on("message", (data: Buffer, binary) => note(() => this.messages.push(binary ? data : data.toString())))
    socket.on("ping", (data) => note(() => this.pings.push(data.toString())))
    socket.on("pong", (data) => note(() => this.pongs.push(data.toString())))
    socket.on("error", (error) => note(() => this.errors.push(error)))
    socket.on("close", (code, reason) => note(() => (this.ending = { code, reason: reason.toString() })))
  }

  /** The next message that has not been taken yet. */
  get message(): Effect.Effect<WsMessage, NotSeen> {
    return this.until("a message", () => this.messages.length > this.taken).pipe(
      Effect.map(() => this.messages[this.taken++] ?? ""),
    )
  }

  /** Waits until the WebSocket is closed. */
  get closed(): Effect.Effect<WsClose, NotSeen> {
    return this.until("the end", () => this.ending !== undefined).pipe(
      Effect.flatMap(() =>
        this.ending === undefined ? Effect.dieMessage("it was closed") : Effect.succeed(this.ending),
      ),
    )
  }

  /** Whether it is still open. */
  get isOpen(): boolean {
    return this.ending === undefined && this.socket.readyState === WebSocket.OPEN
  }

  /** Waits until what `condition` looks at, of this peer, is so. */
  until(what: string, condition: () => boolean): Effect.Effect<void, NotSeen> {
    const seen = () =>
      `${this.messages.length} messages, pings ${this.pings.join()}, pongs ${this.pongs.join()}, ` +
      `${this.ending === undefined ? "open" : `closed with ${this.ending.code} ${this.ending.reason}`} ` +
      this.errors.map(String).join()
    return this.changes.until(what, condition, seen)
  }
}

/** A client that is told nothing yet; it is cut with the scope. */
const client = (url: string, protocols: ReadonlyArray<string>, options: ClientOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => new WebSocket(url.replace(/^http/, "ws"), [...protocols], options)),
    (socket) => Effect.sync(() => socket.terminate()),
  )

/** Opens a WebSocket; a handshake that fails is a defect. */
export const openWs = (
  url: string,
  options: ClientOptions & { readonly protocols?: ReadonlyArray<string> } = {},
): Effect.Effect<WsPeer, NotSeen, Scope.Scope> =>
  Effect.gen(function* () {
    const { protocols, ...rest } = options
    const socket = yield* client(url, protocols ?? [], rest)
    const changes = new Changes()
    const peer = new WsPeer(socket, changes)
    socket.once("open", () => changes.announce())
    socket.once("upgrade", ({ headers }) => (peer.agreedExtensions = headers["sec-websocket-extensions"]))
    yield* peer.until("the WebSocket to open", () => socket.readyState !== WebSocket.CONNECTING)
    const [error] = peer.errors
    return error === undefined ? peer : yield* Effect.die(error)
  })

/** Asks for a WebSocket that is refused, and gives the refusal. */
export const refusedWs = (url: string, options: ClientOptions = {}): Effect.Effect<WsRefusal, never, Scope.Scope> =>
  Effect.gen(function* () {
    const socket = yield* client(url, [], options)
    let opened = false
    socket.once("open", () => (opened = true))
    return yield* Effect.async<WsRefusal>((resume) => {
      socket.on("error", (error) => resume(Effect.die(error)))
      socket.once("close", (code) => resume(Effect.dieMessage(`closed with ${code}; opened: ${opened}`)))
      socket.once("unexpected-response", (_, response) => {
        const pieces: Array<Buffer> = []
        response.on("data", (piece: Buffer) => pieces.push(piece))
        response.once("end", () => {
          const body = Buffer.concat(pieces).toString("utf8")
          resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body, opened }))
        })
      })
    })
  })
