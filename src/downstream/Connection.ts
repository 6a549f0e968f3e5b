import type { Socket } from "node:net"
import type { Writable } from "node:stream"
import { TLSSocket } from "node:tls"
import type { ParserFault } from "../wire/MessageParser.js"
import { type ResponseHandler, ResponseParser } from "../wire/ResponseParser.js"
import { cutUnheard } from "./Dial.js"
import { Deadline, type Expirable } from "../clock/Deadlines.js"
import { type ByteReceiver, inputOf, type SocketInput } from "../socket/SocketInput.js"
import { wasBrokenOff } from "../socket/TlsEnd.js"
import { unreadOf } from "../socket/Unread.js"

/** The exchange that uses a connection now. */
export interface ConnectionUser extends ResponseHandler {
  /** Bytes were parsed, and the response is not complete. */
  readonly unfinished: () => void
  /** The response is complete. `reusable`: it allows another request on this connection. */
  readonly finished: (reusable: boolean) => void
  /** The server sent something that is not a valid response. The connection is closed. */
  readonly faulted: (fault: ParserFault) => void
  /** The connection broke before the response was complete. */
  readonly lost: (cause: Error | undefined) => void
  /** The socket's buffer has drained: more may be written. */
  readonly drained: () => void
}

/** The owner of an idle connection. */
export interface ConnectionKeeper {
  /** The connection closed, or the server sent bytes without a request. It must not be used again. */
  readonly idleLost: (connection: Connection) => void
}

/** Keeps an `error` on a socket that was handed over from crashing the process. Its new owner notices the `close`. */
const ignoreError = (): void => {}

/**
 * Whether a RST came after the peer's FIN. That happens when a server answers and closes before it has read all of the
 * request. Linux reports it by an error code of its own (tcp_reset); other systems do not distinguish it.
 */
const isResetAfterEnd = (error: Error): boolean =>
  process.platform === "linux" && "code" in error && error.code === "EPIPE"

/** A connection to a server: one HTTP/1.1 exchange after another (RFC 9112 section 9.3), without pipelining. */
export class Connection implements ByteReceiver, Expirable {
  private readonly parser = new ResponseParser()
  private readonly input: SocketInput
  private user: ConnectionUser | undefined
  private keeper: ConnectionKeeper | undefined
  private closed = false
  /** Node looks for a while before it finds that a socket is not paused. A new one may be. */
  private mayBePaused = true
  /** The peer has closed after a body that ends with the connection, and `finishUnlessReset` looks for a RST. */
  private isEnding = false
  /** Runs while the connection is idle. */
  readonly idleDeadline = new Deadline(this)
  /** Number of requests that this connection has carried. */
  requests = 0

  constructor(private readonly socket: Socket) {
    this.input = inputOf(socket)
    this.input.deliverTo(this)
    socket.on("end", this.ended)
    socket.on("error", this.broken)
    socket.on("close", this.broken)
    socket.on("drain", this.drained)
  }

  /** Whether a byte of the response to the current request has arrived. */
  get hasStarted(): boolean {
    return this.parser.hasStarted
  }

  get isOpen(): boolean {
    return !this.closed
  }

  /** Seconds that the server keeps an idle connection, from its `Keep-Alive` field. */
  get keepAliveTimeout(): number | undefined {
    return this.parser.keepAliveTimeout
  }

  /** Bytes after the end of the response; after a 101 the first bytes of the new protocol. */
  get surplus(): Buffer | undefined {
    return this.parser.surplus
  }

  /** The response's `Content-Length`, or -1 if it has none. */
  get contentLength(): number {
    return this.parser.contentLength
  }

  /** Makes the connection idle: `keeper` is told when it is lost. */
  rest(keeper: ConnectionKeeper): void {
    this.keeper = keeper
  }

  /** Begins an exchange: `user` gets the response. `lenient`: more of it is repaired than of any server's. */
  begin(method: string, user: ConnectionUser, lenient: boolean): void {
    this.requests++
    this.user = user
    this.parser.reset(method, user, lenient)
  }

  /** Requests are written to this. */
  get sink(): Writable {
    return this.socket
  }

  /** The same bytes in memory that the next read does not overwrite. */
  stable(bytes: Buffer): Buffer {
    return this.input.stable(bytes)
  }

  /** Bytes from `stable` are needed after the user has returned. */
  keep(bytes: Uint8Array): void {
    this.input.keep(bytes)
  }

  pause(): void {
    this.mayBePaused = true
    this.socket.pause()
  }

  resume(): void {
    if (!this.mayBePaused) return
    this.mayBePaused = false
    this.socket.resume()
  }

  /** Closes the connection without telling user or keeper. */
  destroy(): void {
    if (this.closed) return
    this.closed = true
    this.user = undefined
    cutUnheard(this.socket)
  }

  /** Closes an idle connection, and tells its keeper. */
  expire(): void {
    this.loseIdle()
  }

  /** Gives the socket away, paused, because it does not carry HTTP any more. */
  release(): Socket {
    this.closed = true
    this.user = undefined
    this.socket.on("error", ignoreError)
    this.socket.pause()
    this.input.deliverTo(undefined)
    this.socket.removeListener("end", this.ended)
    this.socket.removeListener("close", this.broken)
    this.socket.removeListener("drain", this.drained)
    this.socket.removeListener("error", this.broken)
    return this.socket
  }

  /** After a failed write: reads what the server sent before it closed, because Node closes the socket next. */
  readUnread(): void {
    if (this.closed) return
    for (const bytes of unreadOf(this.socket)) if (!this.closed) this.received(bytes)
  }

  /** Parses bytes that the socket has read. */
  received(bytes: Buffer): void {
    const user = this.user
    if (user === undefined) return this.loseIdle()
    this.parser.execute(bytes)
    this.settleWith(user)
  }

  private readonly ended = (): void => {
    const user = this.user
    if (user === undefined) return this.loseIdle()
    if (!this.parser.endsWithConnection) this.finish(user)
    else if (wasBrokenOff(this.socket)) this.broken(new Error("TLS was cut off: there was no close_notify"))
    else if (this.socket instanceof TLSSocket) this.finish(user)
    else this.finishUnlessReset(user)
  }

  private finish(user: ConnectionUser): void {
    this.parser.finish()
    this.settleWith(user)
  }

  /**
   * libuv reports a RST that arrives together with data as an end, so that a truncated body that ends with the
   * connection would look complete. A write tells the two apart, because it fails after a RST. It is an empty write, so
   * the server gets nothing that the client has not sent. If a write is already pending, it fails by the end of the
   * turn after a RST. If it does not, the server may never read it, so it is not waited for.
   */
  private finishUnlessReset(user: ConnectionUser): void {
    this.isEnding = true
    if (this.socket.writableLength > 0) return void setImmediate(() => this.finishIfOpen(user))
    this.socket.write("", (error) => {
      if (error instanceof Error) this.broken(error)
      else this.finishIfOpen(user)
    })
  }

  private finishIfOpen(user: ConnectionUser): void {
    if (!this.closed) this.finish(user)
  }

  /** Tells the user the state of the parser. */
  private settleWith(user: ConnectionUser): void {
    const fault = this.parser.fault
    if (this.closed) return
    if (fault !== undefined) {
      this.destroy()
      if (fault.kind === "incomplete") user.lost(undefined)
      else user.faulted(fault)
    } else if (this.parser.isComplete) {
      this.user = undefined
      user.finished(this.parser.keepAlive)
    } else {
      user.unfinished()
    }
  }

  private readonly broken = (cause?: Error | boolean): void => {
    const user = this.user
    if (this.closed) return
    if (user === undefined) return this.loseIdle()
    if (this.isEnding && cause instanceof Error && isResetAfterEnd(cause)) return this.finish(user)
    this.destroy()
    user.lost(cause instanceof Error ? cause : undefined)
  }

  private readonly drained = (): void => {
    this.user?.drained()
  }

  private loseIdle(): void {
    if (this.closed) return
    this.destroy()
    this.keeper?.idleLost(this)
  }
}
