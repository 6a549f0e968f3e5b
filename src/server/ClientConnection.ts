import { type IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { Effect, Exit, type Fiber, type Scope } from "effect"
import { BadRequest, HeadersTooLarge, type ProxyError, RequestTimeout } from "../domain/ProxyError.js"
import { type Client, Exchange, type ExchangeContext, type ExchangeOwner } from "../http/Exchange.js"
import type { TurnListener } from "../downstream/EndOfTurn.js"
import type { Forwarder } from "../http/Forwarder.js"
import type { SwitchedUpgrade, Upgrader } from "../http/Upgrader.js"
import { requestIdOf } from "../wire/HeaderFields.js"
import { errorReply } from "../wire/Reply.js"
import type { WsBridge } from "../websocket/WsBridge.js"
import { EarlyBytes } from "./EarlyBytes.js"

/** What every connection of a server needs. */
export interface ConnectionContext {
  readonly exchanges: ExchangeContext
  readonly forwarder: typeof Forwarder.Service
  readonly upgrader: typeof Upgrader.Service
  readonly bridge: typeof WsBridge.Service
  /** Runs an effect in a fiber of its own, which ends with the scope that it is given. */
  readonly fork: <A, E>(
    effect: Effect.Effect<A, E>,
    options: { readonly scope: Scope.Scope },
  ) => Fiber.RuntimeFiber<A, E>
  readonly isTrusted: (address: string) => boolean
  readonly maxHeaderBytes: number
  /** How many requests a connection may carry; may be infinite. */
  readonly maxRequests: number
  /** A defect: something of ours threw. It ends this connection and no other. */
  readonly defect: (cause: unknown) => void
}

/** How long a connection stays open for what its client still sends, once it is answered for good. Milliseconds. */
const lingerTime = 2_000

/** More requests than this, sent without waiting for an answer, are an attack and no pipeline. */
const longestQueue = 1_000

const clientAddress = (socket: Socket): string => {
  const address = socket.remoteAddress ?? ""
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}

/** What a fault that node's parser found in a request is called. */
const parserError = (error: Error, maxHeaderBytes: number): ProxyError | undefined => {
  const code = "code" in error ? error.code : undefined
  switch (code) {
    case "ECONNRESET":
    case "EPIPE":
    case "HPE_INVALID_EOF_STATE":
      return undefined
    case "HPE_HEADER_OVERFLOW":
      return new HeadersTooLarge({ limit: maxHeaderBytes })
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new RequestTimeout({ detail: "The head of the request did not arrive in time." })
    default:
      return new BadRequest({ detail: "The request is not valid HTTP/1.1." })
  }
}

/**
 * One connection of a client: a fiber that sleeps until the socket closes, and whose scope owns everything on it. Client
 * gone, drain, kill and shutdown are all the closing of that scope.
 */
export class ClientConnection implements ExchangeOwner, TurnListener {
  readonly client: Client
  private current: Exchange | undefined
  /** Requests that came before their predecessor was answered: they are taken one at a time, in order. */
  private readonly queue: Array<Exchange> = []
  private isTunnel = false
  private requests = 0
  private pending: ProxyError | undefined
  /** Turns of the event loop in which an end of the client's belongs to its last request. */
  private turnsToHalfClose = 0

  private constructor(
    private readonly context: ConnectionContext,
    private readonly socket: Socket,
    private readonly scope: Scope.Scope,
  ) {
    const address = clientAddress(socket)
    this.client = { address, trusted: context.isTrusted(address), proto: "http" }
    this.lingerBehindEarlyAnswers()
    socket.on("end", () => this.ended())
  }

  /** Serves a socket until it closes. `opened` gets the connection before a byte of it is read. */
  static serve(
    context: ConnectionContext,
    socket: Socket,
    opened: (connection: ClientConnection) => void,
  ): Effect.Effect<void> {
    socket.on("error", () => {})
    return Effect.scopedWith((scope) => {
      const connection = new ClientConnection(context, socket, scope)
      opened(connection)
      return Effect.ensuring(
        connection.untilClosed,
        Effect.sync(() => connection.close()),
      )
    })
  }

  /** Sleeps until the client is gone. */
  private get untilClosed(): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.socket.destroyed) resume(Effect.void)
      else this.socket.once("close", () => resume(Effect.void))
    })
  }

  /** A request whose head is complete. */
  request(message: IncomingMessage, response: ServerResponse): void {
    const behindLast = ++this.requests - this.context.maxRequests
    if (behindLast > 0) return this.ignore(behindLast)
    if (behindLast === 0) response.shouldKeepAlive = false
    this.guard(() => {
      const exchange = this.open(message, response)
      this.awaitHalfClose()
      if (this.current === undefined) this.forward(exchange)
      else if (this.queue.push(exchange) > longestQueue) this.reset()
    })
  }

  /** A request to switch to WebSocket: node has let go of the socket, so it is answered by a response of our own. */
  upgrade(message: IncomingMessage, head: Buffer): void {
    if (this.current !== undefined) {
      this.pending = new BadRequest({ detail: "An Upgrade cannot be pipelined behind another request." })
      return
    }
    const response = new ServerResponse(message)
    response.shouldKeepAlive = false
    response.assignSocket(this.socket)
    response.on("finish", () => this.socket.end(() => this.socket.destroy()))
    const early = new EarlyBytes(this.socket, head)
    this.guard(() => {
      const exchange = this.open(message, response)
      this.current = exchange
      this.context.upgrader.upgrade(exchange, (upgrade) => {
        response.detachSocket(this.socket)
        // In this order, so that a drain never finds nothing under way in between.
        this.bridge(upgrade, early)
        exchange.leave()
      })
    })
  }

  turnEnded(): void {
    if (--this.turnsToHalfClose > 0) this.context.exchanges.endOfTurn.add(this)
  }

  /** What node's parser could not read. */
  malformed(error: Error): void {
    const fault = parserError(error, this.context.maxHeaderBytes)
    if (fault === undefined) return void this.socket.destroy()
    const newest = this.queue.at(-1) ?? this.current
    if (newest !== undefined && !newest.requestIsComplete) {
      newest.malformed("The content of the request is not framed as HTTP asks.")
    } else if (newest !== undefined) {
      this.pending = fault
    } else {
      this.refuse(fault)
    }
  }

  /** Answers a request that never became an exchange, and closes the connection. */
  refuse(error: ProxyError): void {
    if (!this.socket.writable) return void this.socket.destroy()
    const { status, reason, fields, body } = errorReply(error, requestIdOf([]))
    let lines = ""
    for (let index = 0; index + 1 < fields.length; index += 2) lines += `${fields[index]}: ${fields[index + 1]}\r\n`
    this.socket.write(`HTTP/1.1 ${status} ${reason}\r\n${lines}Connection: close\r\n\r\n${body}`, "latin1")
    this.linger()
  }

  readonly run = <A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void): void => {
    this.context.fork(effect, { scope: this.scope }).addObserver((exit) => {
      if (!Exit.isInterrupted(exit)) this.guard(() => done(exit))
    })
  }

  exchangeOver(exchange: Exchange): void {
    if (this.current !== exchange) return
    this.current = undefined
    if (this.socket.destroyed) return
    // Answered before it was complete. Its rest is of no use, and may never come: nothing would limit the wait for it.
    if (!exchange.requestIsComplete) return this.linger()
    const next = this.queue.shift()
    if (next !== undefined) this.guard(() => this.forward(next))
    else if (this.pending !== undefined) this.refuse(this.pending)
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Closes the connection behind the last answer, but takes for a while what the client still sends. */
  private linger(): void {
    const { socket } = this
    socket.end()
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), lingerTime)
    socket.once("close", () => clearTimeout(timer))
    socket.once("end", () => socket.destroy())
  }

  /**
   * Node closes a connection behind its last answer at once. Where the client is still sending, the kernel would then
   * answer with a reset, and the client might lose the answer for it (RFC 9112 section 9.6).
   */
  private lingerBehindEarlyAnswers(): void {
    const { socket } = this
    const closeAtOnce = socket.destroySoon.bind(socket)
    socket.destroySoon = () => {
      const stillSends = this.current?.requestIsComplete === false || this.requests > this.context.maxRequests
      if (stillSends) this.linger()
      else closeAtOnce()
    }
  }

  /** A request has been read: an end that was sent with it is read in the next turn. */
  private awaitHalfClose(): void {
    if (this.turnsToHalfClose === 0) this.context.exchanges.endOfTurn.add(this)
    this.turnsToHalfClose = 2
  }

  /**
   * The client has sent all it will. Where that came together with its last request, it still wants the answer (RFC
   * 9112 section 9.6); an end that comes later is how a client leaves.
   */
  private ended(): void {
    const newest = this.queue.at(-1) ?? this.current
    if (this.isTunnel || newest === undefined) return
    if (this.turnsToHalfClose === 0 || !newest.requestIsComplete) this.socket.destroy()
  }

  /** An answer before says that it is the last. `behindLast`: how many requests have come behind it. */
  private ignore(behindLast: number): void {
    if (behindLast > longestQueue) this.reset()
  }

  private open(message: IncomingMessage, response: ServerResponse): Exchange {
    return new Exchange(this.context.exchanges, this, message, response)
  }

  private forward(exchange: Exchange): void {
    this.current = exchange
    this.context.forwarder.forward(exchange)
  }

  private bridge(upgrade: SwitchedUpgrade, early: EarlyBytes): void {
    this.isTunnel = true
    this.socket.write(upgrade.headText, "latin1")
    const { session, requestId, socket: server, early: serverEarly, extensions, release } = upgrade
    const clientEarly = early.take()
    const ends = { session, requestId, client: this.socket, clientEarly, server, serverEarly, extensions }
    this.run(Effect.ensuring(this.context.bridge.bridge(ends), Effect.sync(release)), (exit) => {
      if (Exit.isFailure(exit)) this.context.defect(exit.cause)
    })
  }

  private close(): void {
    this.socket.destroy()
    this.current?.abandon()
    for (const exchange of this.queue.splice(0)) exchange.abandon()
  }

  /** Something of ours that throws must not take another connection with it. */
  private guard(step: () => void): void {
    try {
      step()
    } catch (cause) {
      this.context.defect(cause)
      this.reset()
    }
  }
}
