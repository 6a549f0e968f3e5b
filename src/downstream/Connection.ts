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

/** Who has a request on a connection. */
export interface ConnectionUser extends ResponseHandler {
  /** What has arrived was read, and the response is not complete. */
  readonly unfinished: () => void
  /** The response is complete. `reusable`: as far as the response goes, the connection may carry another request. */
  readonly finished: (reusable: boolean) => void
  /** What came is no response. The connection is gone. */
  readonly faulted: (fault: ParserFault) => void
  /** The connection broke before the response was complete. */
  readonly lost: (cause: Error | undefined) => void
  /** What was written has left; more may be written. */
  readonly drained: () => void
}

/** What becomes of a connection that nobody uses. */
export interface ConnectionKeeper {
  /** It closed, or the peer sent something unasked: never use it again. */
  readonly idleLost: (connection: Connection) => void
}

/** An error of a socket that is handed over is its new owner's to notice, by its end. */
const ignored = (): void => {}

/**
 * Whether a connection was reset behind an end that its peer had sent, which is what happens where a server answers, hangs
 * up and has not read all of the request. Linux has an error of its own for it (tcp_reset); others do not tell.
 */
const isResetAfterEnd = (error: Error): boolean =>
  process.platform === "linux" && "code" in error && error.code === "EPIPE"

/** One HTTP/1.1 exchange after another on a socket (RFC 9112 section 9.3). Never two at a time. */
export class Connection implements ByteReceiver, Expirable {
  private readonly parser = new ResponseParser()
  private readonly input: SocketInput
  private user: ConnectionUser | undefined
  private keeper: ConnectionKeeper | undefined
  private closed = false
  /** Its peer has hung up behind a body that ends with the connection, and it is being found out whether it was reset. */
  private isEnding = false
  /** Runs while it is idle. */
  readonly idleDeadline = new Deadline(this)
  /** How many requests it has carried. */
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

  /** Seconds that the peer keeps an idle connection, where it said so. */
  get keepAliveTimeout(): number | undefined {
    return this.parser.keepAliveTimeout
  }

  /** Bytes behind the head of a 101. */
  get surplus(): Buffer | undefined {
    return this.parser.surplus
  }

  /** Bytes of content that the response says it has, or -1 where it does not say. */
  get contentLength(): number {
    return this.parser.contentLength
  }

  /** Nobody uses it: `keeper` is told when it is lost. */
  rest(keeper: ConnectionKeeper): void {
    this.keeper = keeper
  }

  /** Begins an exchange: responses go to `user` until it is over. */
  begin(method: string, user: ConnectionUser): void {
    this.requests++
    this.user = user
    this.parser.reset(method, user)
  }

  /** Where a request is written. */
  get sink(): Writable {
    return this.socket
  }

  /** What was read, where the next read does not touch it. */
  stable(bytes: Buffer): Buffer {
    return this.input.stable(bytes)
  }

  /** What `stable` gave is still needed when the user is done with it. */
  keep(bytes: Uint8Array): void {
    this.input.keep(bytes)
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Closes the connection; nobody is told. */
  destroy(): void {
    if (this.closed) return
    this.closed = true
    this.user = undefined
    cutUnheard(this.socket)
  }

  /** Closes an idle connection, and its keeper is told. */
  expire(): void {
    this.loseIdle()
  }

  /** Hands the socket over, paused: what is on it is not HTTP any more. An error on it cannot crash the process. */
  release(): Socket {
    this.closed = true
    this.user = undefined
    this.socket.on("error", ignored)
    this.socket.pause()
    this.input.deliverTo(undefined)
    this.socket.removeListener("end", this.ended)
    this.socket.removeListener("close", this.broken)
    this.socket.removeListener("drain", this.drained)
    this.socket.removeListener("error", this.broken)
    return this.socket
  }

  /** Reads what its peer has said before it hung up: a write has failed, and the socket is closed next. */
  readUnread(): void {
    if (this.closed) return
    for (const bytes of unreadOf(this.socket)) if (!this.closed) this.received(bytes)
  }

  /** Takes what the socket read. */
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
   * A reset that arrives together with data is reported by libuv as an end, and a body that ends with the connection
   * would look complete. A write tells the two apart: it fails on a connection that was reset. Nothing is written, so the
   * server gets nothing that the client has not sent. What waits to be written already has failed by the end of the turn
   * if it does; and if it does not, the server may never take it, and is not waited for.
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

  /** Tells the user what the parser came to, if it came to anything. */
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
