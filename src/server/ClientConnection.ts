import type { Socket } from "node:net"
import { Cause, Effect, Exit, Fiber, HashSet } from "effect"
import { BadRequest, HeadersTooLarge, RequestBroken, RequestTimeout } from "../domain/ProxyError.js"
import { Deadline, type Deadlines, type Expirable } from "../clock/Deadlines.js"
import { type ByteReceiver, inputOf, type SocketInput } from "../socket/SocketInput.js"
import { reset } from "../socket/SocketEnd.js"
import type { TurnListener } from "../clock/EndOfTurn.js"
import type { ClientRefusal, NoRequest } from "../telemetry/Causes.js"
import { PeerProbe, type ProbeSubject } from "../traffic/PeerProbe.js"
import { SendClock, type SendLimit, type Sender } from "../traffic/SendClock.js"
import { Exchange, type ExchangeOwner } from "../http/Exchange.js"
import type { ExchangeContext } from "../http/ExchangeFacts.js"
import { handshakeOf } from "../http/ExchangeRecord.js"
import type { Forwarder } from "../http/Forwarder.js"
import type { Client } from "../http/ProxyRequest.js"
import type { SwitchedUpgrade, Upgrader } from "../http/Upgrader.js"
import type { Fork } from "../step/Call.js"
import type { WebSocketTrace } from "../traces/RequestTrace.js"
import { requestIdOf } from "../wire/HeaderFields.js"
import type { BodyHandler, ParserFault } from "../wire/MessageParser.js"
import { errorReply, type Reply, replyHead } from "../wire/Reply.js"
import type { ParsedRequest } from "../wire/RequestParser.js"
import type { BridgeEnds } from "../websocket/BridgedSocket.js"
import type { WsBridge } from "../websocket/WsBridge.js"
import type { Refused } from "./ExchangeObserver.js"
import { type RequestListener, RequestReader } from "./RequestReader.js"

/** What every connection of a server needs. */
export interface ConnectionContext {
  readonly exchanges: ExchangeContext
  readonly forwarder: typeof Forwarder.Service
  readonly upgrader: typeof Upgrader.Service
  readonly bridge: typeof WsBridge.Service
  readonly isTrusted: (address: string) => boolean
  readonly maxHeaderBytes: number
  /** How many requests a connection may carry; may be infinite. */
  readonly maxRequests: number
  /** For the head of a request, from its first byte or from the beginning of the connection. */
  readonly headDeadlines: Deadlines
  /** For the next request on a connection that has had one. Others while the proxy stops. */
  idleDeadlines: Deadlines
  /** For what a client still sends on a connection that is answered for good. */
  readonly lingerDeadlines: Deadlines
  /** Between two looks whether a client is still there that is not read. */
  readonly probeRounds: Deadlines
  /** For the next byte that a client takes of what is sent to it. */
  readonly sendLimit: SendLimit
  /** Lines of an answer's head that say how long a connection is kept, with their line ends. */
  readonly persistence: string
  /** A client sent, or tried, what never became a request. */
  readonly refused: (refused: Refused) => void
  /** A defect: something of ours threw. It ends this connection and no other. */
  readonly defect: (cause: unknown) => void
}

/**
 * Bytes that a client may send ahead of the answer that it waits for, be it requests or frames. To read on is how a client
 * that leaves is noticed; one that sends more without waiting is an attack and no pipeline.
 */
const maxPipelinedBytes = 262_144

/** After so many requests of a connection everybody else has a turn: all of a pipeline may be the proxy's to answer. */
const maxInARow = 32

/** What a connection waits for: a deadline means something else each time. */
type Phase = "head" | "idle" | "exchange" | "lingering" | "tunnel"

const isInterruptedBy = (fiber: Fiber.RuntimeFiber<unknown, unknown>, exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && HashSet.has(Cause.interruptors(exit.cause), fiber.id())

/** The IP address of the client; empty where its connection was reset already. */
export const clientAddress = (socket: Socket): string => {
  const address = socket.remoteAddress ?? ""
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address
}

/**
 * One connection of a client: a fiber that sleeps until the socket closes. What needs a fiber on it is a child of that
 * one, and ends with it at the latest: client gone, drain, kill and shutdown are all the end of the connection's fiber.
 */
export class ClientConnection
  implements ExchangeOwner, RequestListener, ByteReceiver, TurnListener, Expirable, ProbeSubject, Sender
{
  readonly client: Client
  readonly input: SocketInput
  private reader: RequestReader | undefined
  private current: Exchange | undefined
  private phase: Phase = "head"
  private requests = 0
  private isUpgrading = false
  /** The next request waits for a turn of its own. */
  private isYielding = false
  /** Its socket is not read, or may not be: to ask Node costs as much as a small step of a request. */
  private mayBePaused = true
  /** The client is half-closed (it sent FIN) and waits for its answers. */
  private isHalfClosed = false
  /** A request that comes later is not taken any more, by `performance.now()`. */
  lateFrom = Infinity
  /** Turns of the event loop in which an end of the client's belongs to what it has sent. */
  private turnsToHalfClose = 0
  private readonly deadline = new Deadline(this)
  /** Made when they are needed first. */
  private probe: PeerProbe | undefined
  private sendClock: SendClock | undefined
  /** Two ends that nobody bridges yet. */
  private unbridged: BridgeEnds | undefined
  /** What the fiber does when it comes to it, and how to wake it where it sleeps. */
  private tasks: Array<Effect.Effect<void>> = []
  private wake: ((task: Effect.Effect<void>) => void) | undefined

  constructor(
    private readonly context: ConnectionContext,
    readonly socket: Socket,
  ) {
    const address = clientAddress(socket)
    this.client = { address, trusted: context.isTrusted(address), proto: "http" }
    this.input = inputOf(socket)
    this.reader = new RequestReader(context.maxHeaderBytes, this.input, this)
    this.input.deliverTo(this)
    socket.on("end", this.ended)
    socket.on("drain", this.drained)
    socket.on("error", this.lost)
    socket.on("close", this.closed)
    context.headDeadlines.start(this.deadline)
  }

  get persistence(): string {
    return this.context.persistence
  }

  /** Sleeps until the socket is closed, or until there is something to do first. To be run once. */
  get serve(): Effect.Effect<void> {
    return Effect.async((resume) => {
      const next = this.socket.closed ? Effect.void : this.tasks.shift()
      if (next === undefined) this.wake = resume
      else resume(next)
    })
  }

  /** What the fiber does from here on, as soon as it comes to it. */
  private runTask(task: Effect.Effect<void>): void {
    const { wake } = this
    this.wake = undefined
    if (wake === undefined) this.tasks.push(task)
    else wake(task)
  }

  /** Told at once: the fiber ends only behind what runs in its children, which may be slow to be interrupted. */
  private readonly closed = (): void => {
    this.guard(() => this.current?.cancel())
    this.wake?.(Effect.void)
  }

  // Requests come in.

  requestRead(request: ParsedRequest): void {
    this.context.headDeadlines.stop(this.deadline)
    this.phase = "exchange"
    const exchange = new Exchange(this.context.exchanges, this, request)
    this.current = exchange
    if (++this.requests >= this.context.maxRequests) exchange.announceClose()
    if (request.framing.upgrades) this.upgrade(exchange)
    else exchange.answerWith(this.context.forwarder.forward(exchange))
  }

  requestBroken(fault: ParserFault): void {
    if (this.current !== undefined)
      return this.current.malformed(`The content of the request is not valid HTTP/1.1: ${fault.problem}.`)
    if (fault.kind === "too large") this.refuse(new HeadersTooLarge({ limit: this.context.maxHeaderBytes }))
    else this.refuse(new BadRequest({ detail: `The request is not valid HTTP/1.1: ${fault.problem}.` }))
  }

  openContent(receiver: BodyHandler): void {
    this.readOn()
    this.reader?.readContent(receiver)
    this.noteCutShort()
  }

  pauseContent(): void {
    this.reader?.pause()
    this.stopReading()
  }

  resumeContent(): void {
    this.readOn()
    this.guard(() => this.reader?.resume())
    this.noteCutShort()
  }

  skipContent(): boolean {
    return this.reader?.skipContent() === true
  }

  // How its client is watched.

  backedUp(): void {
    this.sendClock ??= new SendClock(this, this.context.sendLimit)
    this.sendClock.start()
  }

  stalled(): void {
    if (this.current === undefined) this.reset()
    else this.current.stalled(this.context.sendLimit.milliseconds)
  }

  private stopReading(): void {
    this.mayBePaused = true
    this.socket.pause()
    this.watch()
  }

  /** Reads on. An end that is met first may have been sent with what was read last. */
  private readOn(): void {
    if (!this.mayBePaused) return
    this.mayBePaused = false
    if (this.socket.isPaused()) this.awaitHalfClose()
    this.socket.resume()
  }

  /** Who is not read has to be asked whether it is still there. */
  private watch(): void {
    this.probe ??= new PeerProbe(this, this.context.probeRounds)
    this.probe.start()
  }

  /** A WebSocket has others that watch it. */
  get isUnread(): boolean {
    return this.phase !== "tunnel" && (this.isHalfClosed || this.socket.isPaused())
  }

  // How a connection goes on, and how it ends.

  /**
   * Runs an effect in a child of this connection's fiber. One that is cancelled, or ends with the connection, tells nobody;
   * one that is interrupted by anybody else has come to nothing, and somebody waits for it.
   */
  readonly fork: Fork = (effect, listener) => {
    let child: Fiber.Fiber<unknown, unknown> | undefined
    let isCancelled = false
    const begin = Effect.withFiberRuntime<void>((parent) =>
      // As an exit: its listener hears of its failure, and Effect would log that of a fiber that nobody awaits.
      Effect.map(Effect.fork(Effect.exit(effect)), (fiber) => {
        child = fiber
        fiber.addObserver((settled) => {
          const exit = Exit.flatten(settled)
          if (!isCancelled && !isInterruptedBy(parent, exit)) this.guard(() => listener.settled(exit))
        })
      }),
    )
    const interrupt = Effect.suspend(() => (child === undefined ? Effect.void : Fiber.interruptFork(child)))
    this.runTask(Effect.zipRight(begin, this.serve))
    return () => {
      isCancelled = true
      this.runTask(Effect.zipRight(interrupt, this.serve))
    }
  }

  exchangeOver(exchange: Exchange, staysOpen: boolean, endedAt: number): void {
    if (this.current !== exchange) return
    this.current = undefined
    if (this.socket.destroyed || this.phase === "tunnel") return
    if (!staysOpen) this.linger()
    else if (this.requests % maxInARow === 0 && this.reader?.heldBytes !== 0) this.yieldTurn()
    else this.nextRequest(endedAt)
  }

  /** Answers what never became an exchange, and closes the connection. */
  refuse(error: ClientRefusal): void {
    const requestId = requestIdOf([])
    if (!this.socket.writable) {
      this.noteRefused(error, requestId)
      return void this.socket.destroy()
    }
    const reply = errorReply(error, requestId)
    this.socket.write(replyHead(reply, "Connection: close\r\n") + reply.body)
    this.noteRefused(error, requestId, reply)
    this.linger()
  }

  /** The same without an answer: there are too many to be answered. */
  refuseUnanswered(error: ClientRefusal): void {
    this.noteRefused(error, requestIdOf([]))
    this.reset()
  }

  private noteRefused(error: NoRequest, requestId: string, reply?: Reply): void {
    const answered = { status: reply?.status ?? 0, bytesOut: reply === undefined ? 0 : Buffer.byteLength(reply.body) }
    this.context.refused({ client: this.client, requestId, error, ...answered })
  }

  /** What the connection is used for just now. */
  get use(): "request" | "webSocket" | "idle" | "closing" {
    if (this.phase === "lingering") return "closing"
    if (this.phase === "tunnel") return "webSocket"
    return this.phase === "idle" || this.isFresh ? "idle" : "request"
  }

  /** A part of the head of a request has come. */
  get isInHead(): boolean {
    return this.phase === "head" && this.reader?.isInHead === true
  }

  /** Nothing has come of a first request. */
  private get isFresh(): boolean {
    return this.phase === "head" && !this.isInHead
  }

  /**
   * The proxy stops: where nothing has come of a request, the connection is kept a while, so that its client has a chance
   * to send one. A head that is on its way has to be complete by the time `until`. Times are by `performance.now()`.
   */
  offerChance(now: number, until: number): void {
    if (this.phase !== "idle" && this.phase !== "head") return
    // What comes on an idle connection is served, also where it is closed a little late.
    if (this.use === "idle") this.awaitRequest(now)
    else this.lateFrom = until
  }

  /** Something of a next request has come. */
  get hasNext(): boolean {
    return this.reader !== undefined && this.reader.heldBytes > 0
  }

  reset(): void {
    reset(this.socket)
  }

  /** Ends the connection now. What was written of an answer cannot look complete. */
  cut(): void {
    if (this.current !== undefined || this.socket.writableLength > 0) reset(this.socket)
    else this.socket.destroy()
  }

  /** What was waited for has not come in time. */
  expire(): void {
    if (this.isInHead) this.refuse(new RequestTimeout({ detail: "The head of the request did not arrive in time." }))
    else if (this.phase === "idle") this.linger()
    else this.cut()
  }

  turnEnded(): void {
    if (this.isYielding || --this.turnsToHalfClose > 0) this.context.exchanges.endOfTurn.add(this)
  }

  received(bytes: Buffer): void {
    const { reader } = this
    if (reader === undefined) return
    this.awaitHalfClose()
    this.guard(() => reader.push(bytes))
    if (reader.heldBytes > maxPipelinedBytes) this.holdBack()
    else if (this.phase === "idle" && reader.isInHead) this.awaitHead()
  }

  /**
   * There is too much to hold. What does not wait for an answer, be it content whose session is still looked up, can wait
   * where it is, and so can what waits for the client to take one.
   */
  private holdBack(): void {
    const { current } = this
    if (this.isYielding || current?.requestIsComplete === false || current?.isAnswered === true) this.stopReading()
    else this.reset()
  }

  /** An end that was sent with what has been read is read in the next turn. */
  private awaitHalfClose(): void {
    if (this.turnsToHalfClose === 0) this.context.exchanges.endOfTurn.add(this)
    this.turnsToHalfClose = 2
  }

  private readonly drained = (): void => {
    this.guard(() => this.current?.drained())
  }

  /**
   * The client half-closed (FIN). If that came together with its last request, it still wants the answer (RFC 9112
   * section 9.6); a later FIN means that it has left.
   */
  private readonly ended = (): void => {
    const isAwaited = (this.current !== undefined || this.isYielding) && !this.isUpgrading && this.turnsToHalfClose > 0
    const canBeAnswered = isAwaited && (this.current?.requestIsComplete === true || this.reader?.heldBytes !== 0)
    if (!canBeAnswered) {
      this.lost()
      return void this.socket.destroy()
    }
    this.isHalfClosed = true
    this.watch()
  }

  /**
   * The client has left. What it sent of a head is told of, for nothing else does; that it left between requests is not. An
   * error of the socket is followed by its close, which does the rest.
   */
  private readonly lost = (): void => {
    if (!this.isInHead) return
    this.phase = "lingering"
    this.noteRefused(new RequestBroken({ problem: "the client left in the midst of a head" }), requestIdOf([]))
  }

  /** A client that half-closed before the end of its request has left. */
  private noteCutShort(): void {
    const isCutShort = this.isHalfClosed && this.current?.requestIsComplete === false
    if (isCutShort && this.reader?.heldBytes === 0) this.socket.destroy()
  }

  private yieldTurn(): void {
    this.isYielding = true
    setImmediate(() => {
      this.isYielding = false
      if (!this.socket.destroyed) this.nextRequest(performance.now())
    })
  }

  /** `now`: by `performance.now()`. */
  private nextRequest(now: number): void {
    const { reader } = this
    if (reader === undefined) return
    this.phase = "head"
    this.readOn()
    this.guard(() => reader.next())
    this.noteCutShort()
    // Where the reader was at work already, what it holds is still to be read.
    if (this.current !== undefined || (this.phase !== "head" && this.phase !== "idle")) return
    if (this.isHalfClosed && reader.heldBytes === 0) this.linger()
    else if (reader.isInHead) this.awaitHead()
    else this.awaitRequest(now)
  }

  private awaitHead(): void {
    this.context.idleDeadlines.stop(this.deadline)
    this.phase = "head"
    this.context.headDeadlines.start(this.deadline)
  }

  private awaitRequest(now: number): void {
    this.phase = "idle"
    this.context.idleDeadlines.start(this.deadline, now)
  }

  /**
   * Closes the connection behind the last answer, but takes for a while what the client still sends: the kernel would
   * answer it with a reset, and the client might lose the answer for that (RFC 9112 section 9.6).
   */
  private linger(): void {
    const { socket } = this
    this.reader?.stop()
    this.reader = undefined
    this.phase = "lingering"
    this.context.lingerDeadlines.start(this.deadline)
    if (this.isHalfClosed) return void socket.destroySoon()
    socket.end()
    socket.resume()
  }

  private upgrade(exchange: Exchange): void {
    // For a WebSocket, a half-closed client has left.
    if (this.isHalfClosed) return void this.socket.destroy()
    this.isUpgrading = true
    exchange.announceClose()
    exchange.answerWith(this.context.upgrader.upgrade(exchange))
  }

  switched(upgrade: SwitchedUpgrade, exchange: Exchange): void {
    const { reader, socket } = this
    this.phase = "tunnel"
    this.reader = undefined
    socket.pause()
    socket.removeListener("end", this.ended)
    socket.removeListener("drain", this.drained)
    socket.write(upgrade.headText, "latin1")
    const { session, requestId, target, socket: server, early: serverEarly, extensions } = upgrade
    const handshake = this.context.exchanges.keepsHandshakes() ? handshakeOf(exchange) : undefined
    const clientEarly = reader?.stop() ?? Buffer.alloc(0)
    const begun = (): WebSocketTrace | undefined => {
      this.unbridged = undefined
      return exchange.becomeWebSocket()
    }
    this.unbridged = {
      session,
      requestId,
      clientAddress: this.client.address,
      target,
      byHost: exchange.byHost,
      client: socket,
      clientEarly,
      server,
      serverEarly,
      extensions,
      handshake,
      traceId: exchange.traceId,
      begun,
      release: exchange.takeRelease(),
    }
    this.runTask(this.context.bridge.bridge(this.unbridged))
  }

  /** The fiber has ended: with the socket, or with the proxy. */
  fiberEnded(exit: Exit.Exit<void>): void {
    if (Exit.isFailure(exit) && !Exit.isInterrupted(exit)) this.context.defect(exit.cause)
    this.context.headDeadlines.stop(this.deadline)
    this.cut()
    this.current?.cancel()
    this.unbridged?.server.destroy()
    this.unbridged?.release()
  }

  /** What throws, ours or of the program around it, must not take another connection with it. */
  private guard(step: () => void): void {
    try {
      step()
    } catch (cause) {
      if (this.current !== undefined) return this.current.answerDefect(cause)
      this.context.defect(cause)
      this.reset()
    }
  }
}
