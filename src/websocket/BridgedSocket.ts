import type { Socket } from "node:net"
import { ClientStalled, Defect, WebSocketBroken } from "../domain/ProxyError.js"
import { defaultClose, type KillClose } from "../domain/SessionControl.js"
import { addressOf } from "../downstream/Dial.js"
import type { LiveSession, SessionEnd } from "../sessions/LiveSession.js"
import type { Deadlines } from "../clock/Deadlines.js"
import { PeerProbe, type ProbeSubject } from "../traffic/PeerProbe.js"
import { SendClock, type SendLimit, type Sender } from "../traffic/SendClock.js"
import type { TrafficError, TrafficRecord } from "../telemetry/TrafficRecord.js"
import type { WebSocketTrace } from "../traces/RequestTrace.js"
import type { LiveTraffic } from "../traffic/Traffic.js"
import { type CloseReason, Pump, type PumpEvent, type PumpListener, type Side } from "./Pump.js"
import { cut, reset } from "../socket/SocketEnd.js"
import { unreadOf } from "../socket/Unread.js"
import type { WebSocketRules } from "./WebSocketRules.js"

/** Two sockets on which a WebSocket has been agreed, with nothing of it read yet but what is given here. */
export interface BridgeEnds {
  readonly session: LiveSession
  readonly requestId: string
  /** The client's IP address, and what it asked for: the request target, raw. */
  readonly clientAddress: string
  readonly target: string
  /** Its host named the session. */
  readonly byHost: boolean
  readonly client: Socket
  readonly clientEarly: Uint8Array
  readonly server: Socket
  readonly serverEarly: Uint8Array
  /** Whether an extension was negotiated. */
  readonly extensions: boolean
  /** What its record has of its handshake; `undefined` where nobody wants to know. */
  readonly handshake: Pick<TrafficRecord, "host" | "userAgent" | "times"> | undefined
  /** The trace of its handshake, where it has one. */
  readonly traceId: string | undefined
  /**
   * Called once it counts as live traffic, so that a drain never finds nothing under way in between. Gives its span, if it is
   * recorded.
   */
  readonly begun: () => WebSocketTrace | undefined
  /** Called once it is over: it gives its place back to those that limits count. */
  readonly release: () => void
}

/** What watches the ends of all bridged WebSockets, as far as something waits between them. */
export interface BridgeWatches {
  /** For the next byte that a client takes of what waits for it. */
  readonly sendLimit: SendLimit
  /** Between two looks whether an end is still there that is not read. */
  readonly probeRounds: Deadlines
}

/** An end that is not read while the other one does not keep up. */
class PausedEnd implements ProbeSubject {
  constructor(readonly socket: Socket) {}

  get isUnread(): boolean {
    return this.socket.isPaused()
  }
}

/** Why a bridged WebSocket ended: the first thing that happened to it. */
export interface BridgeEnd {
  readonly closedBy: Side | "proxy"
  /** Close code and reason that were sent or passed on first; 1005 stands for a close frame without a code. */
  readonly code: number
  readonly reason: string
  /** The proxy closed it because its session was removed or moved. */
  readonly bySession?: boolean
  /** What went wrong; absent where a side ended it as it may, and where a client just left. */
  readonly error?: TrafficError
}

const noTimes: TrafficRecord["times"] = {
  firstByte: undefined,
  queue: undefined,
  dial: undefined,
  hold: undefined,
  server: undefined,
}

/** How long both sides have to close TCP after a close frame of ours before they are cut, in milliseconds. */
const closeTime = 800

/** How long a side may still answer what it got before its peer broke the rules, in milliseconds. */
const answerTime = 1_000

/** The same after a close frame of one of theirs: the other side may have a message to finish first. */
const closingTime = 30_000

const closeReasons: { readonly [End in SessionEnd]: CloseReason } = {
  removed: { code: 1001, reason: "the session was removed" },
  retargeted: { code: 1012, reason: "the session moved to another server" },
  killed: defaultClose,
  stale: { code: 1013, reason: "the session can not be verified" },
  shutdown: { code: 1001, reason: "the proxy is shutting down" },
}

/**
 * Two pumps, and what becomes of both when something happens to one: neither outlives the other. A state machine, like
 * its pumps.
 */
export class BridgedSocket implements LiveTraffic, PumpListener, Sender {
  readonly kind = "websocket"
  readonly method = "GET"
  readonly status = 101
  readonly isStreaming = false
  readonly begun = performance.now()
  serial = 0
  registryIndex = -1
  sessionIndex = -1
  clientSignsSeen = 0
  serverSignsSeen = 0
  activeAt = 0
  isIgnored = false
  /** Its server has agreed to it. */
  readonly isServed = true
  readonly session: LiveSession
  readonly requestId: string
  readonly clientAddress: string
  readonly target: string
  readonly byHost: boolean
  /** From the client to the server, and back. */
  readonly up: Pump
  readonly down: Pump
  /** Its span; `undefined` where nobody records any. */
  trace: WebSocketTrace | undefined
  /** Why it ends; `undefined` while it does not. */
  end: BridgeEnd | undefined
  private readonly handshake: BridgeEnds["handshake"]
  private readonly traceId: string | undefined
  private readonly client: Socket
  private readonly server: Socket
  /** Made when something has to wait: whether the client takes what is sent to it, and whether who sends is still there. */
  private sendClock: SendClock | undefined
  private readonly probes: { [Which in Side]?: PeerProbe } = {}
  private openEnds = 2
  /** both sides were sent a close frame, and nothing of them is read for a while. */
  private isHeld = false
  private timer: NodeJS.Timeout | undefined
  /** While a side may still answer what came before its peer broke the rules: what that peer is told, and until when. */
  private answering: { readonly verdict: CloseReason; readonly timer: NodeJS.Timeout } | undefined
  private cutAt = Number.POSITIVE_INFINITY

  constructor(
    ends: BridgeEnds,
    /** What it is held to: by itself, and, as for times, by `WebSocketTimers`. */
    readonly rules: WebSocketRules,
    private readonly watches: BridgeWatches,
  ) {
    this.session = ends.session
    this.requestId = ends.requestId
    this.clientAddress = ends.clientAddress
    this.target = ends.target
    this.byHost = ends.byHost
    this.handshake = ends.handshake
    this.traceId = ends.traceId
    this.client = ends.client
    this.server = ends.server
    const { wsMaxMessage: maxMessageBytes, wsPing } = rules
    const ofFrames = { extensions: ends.extensions, maxMessageBytes, followsPings: wsPing > 0 }
    this.up = new Pump("client", this.client, this.server, ends.clientEarly, ofFrames, this)
    this.down = new Pump("server", this.server, this.client, ends.serverEarly, ofFrames, this)
    this.watch(this.client, this.up, this.down)
    this.watch(this.server, this.down, this.up)
  }

  get since(): number {
    return performance.timeOrigin + this.begun
  }

  /** How long it has been there, in milliseconds. */
  get age(): number {
    return performance.now() - this.begun
  }

  get clientSigns(): number {
    return this.up.dataSigns
  }

  get serverSigns(): number {
    return this.down.dataSigns
  }

  get pings(): number {
    return this.up.pings + this.down.pings
  }

  /** A side was lost, or something of ours threw (RFC 6455 section 7.4.1). */
  get hasFailed(): boolean {
    return this.end?.code === 1011
  }

  get bytesIn(): number {
    return this.up.bytes
  }

  get bytesOut(): number {
    return this.down.bytes
  }

  get messagesIn(): number {
    return this.up.messages
  }

  get messagesOut(): number {
    return this.down.messages
  }

  /** The close code that came first; 1006 where nothing said why it ended. */
  get code(): number {
    return this.end?.code ?? 1006
  }

  get closedBy(): Side | "proxy" {
    return this.end?.closedBy ?? "proxy"
  }

  /** What is known of it when it is over. `id`: of its serial. */
  recordAs(id: string): TrafficRecord {
    const { closedBy, code, messagesIn, messagesOut } = this
    const { host, times = noTimes, userAgent } = this.handshake ?? {}
    return {
      kind: "websocket",
      id,
      requestId: this.requestId,
      sessionId: this.session.id,
      client: this.clientAddress,
      method: this.method,
      target: this.target,
      httpVersion: "1.1",
      host,
      userAgent,
      status: this.status,
      end: this.end?.bySession === true ? "session" : closedBy,
      error: this.end?.error,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      retries: 0,
      since: this.since,
      milliseconds: this.age,
      times,
      server: addressOf(this.session.target),
      reused: false,
      traceId: this.traceId,
      webSocket: { code, reason: this.end?.reason ?? "", closedBy, messagesIn, messagesOut },
    }
  }

  /** Sends a close frame to both sides, at the next frame boundary of each. */
  closeWith(reason: CloseReason): void {
    this.endWithin({ closedBy: "proxy", ...reason }, closeTime)
    this.sendClose(reason)
  }

  /** `false`: a side that is in the middle of a frame will hear it later. */
  private sendClose(reason: CloseReason): boolean {
    const isSaidUp = this.up.sendClose(reason)
    return this.down.sendClose(reason) && isSaidUp
  }

  /** One side is not there any more: the other is told, and waited for. */
  closeAfterLoss(side: Side, cause: string, error?: TrafficError): void {
    const { own, peer, sending, receiving } = this.seenFrom(side)
    const reason = `the ${side} was lost`
    this.endWithin({ closedBy: side, code: 1011, reason: `${reason}: ${cause}`, ...(error && { error }) }, closeTime)
    receiving.discardRest()
    sending.sendCloseOrCut({ code: 1011, reason })
    reset(own)
    if (peer.destroyed) this.cut()
  }

  /** What both sides answer, and their going, is not read before `othersTold`: it costs more than to tell another. */
  sessionEnded(end: SessionEnd): void {
    const reason = this.session.killClose ?? closeReasons[end]
    this.endWithin({ closedBy: "proxy", bySession: end !== "shutdown", ...reason }, closingTime)
    this.isHeld = this.sendClose(reason)
    if (!this.isHeld) return
    this.client.pause()
    this.server.pause()
  }

  othersTold(): void {
    const { end } = this
    if (end !== undefined) this.endWithin(end, closeTime)
    if (!this.isHeld) return
    this.isHeld = false
    this.client.resume()
    this.server.resume()
  }

  close(): void {
    this.closeWith(closeReasons.shutdown)
  }

  closeNow(close: KillClose): void {
    this.closeWith(close)
  }

  cut(): void {
    cut(this.client)
    cut(this.server)
  }

  happened(side: Side, event: PumpEvent): void {
    const { sending, receiving } = this.seenFrom(side)
    switch (event._tag) {
      case "Closing": {
        if (this.answering !== undefined) return this.judge(this.answering.verdict)
        const said = sending.cursor.close
        return this.endWithin({ closedBy: side, code: said?.code ?? 1005, reason: said?.reason ?? "" }, closingTime)
      }
      case "Lost":
        return this.closeAfterLoss(side, event.cause, side === "server" ? this.serverLost(event.cause) : undefined)
      case "Violated": {
        const { code, problem } = event.fault
        this.endWithin({ closedBy: "proxy", code, reason: `the ${side}: ${problem}` }, answerTime + closeTime)
        return this.awaitAnswer(receiving, { code, reason: problem })
      }
      case "Crashed": {
        const error = Defect.at("proxy", event.cause)
        this.endWithin({ closedBy: "proxy", code: 1011, reason: "a defect", error }, closeTime)
        return this.cut()
      }
    }
  }

  /**
   * The side that broke the rules is not heard any more. The other one has a close frame, and answers: it has got messages
   * before, whose answers pass until its own close frame, or its end, or for `answerTime`.
   */
  private awaitAnswer(answers: Pump, verdict: CloseReason): void {
    answers.condemnReceiver(verdict)
    if (answers.isDone || this.answering !== undefined) return this.judge(verdict)
    this.answering = { verdict, timer: setTimeout(() => this.judge(verdict), answerTime) }
  }

  /** Each side gets the close frame that it has not got, and FIN. */
  private judge(verdict: CloseReason): void {
    clearTimeout(this.answering?.timer)
    this.answering = undefined
    this.closeWith(verdict)
  }

  private serverLost(problem: string): WebSocketBroken {
    return new WebSocketBroken({ sessionId: this.session.id, address: addressOf(this.session.target), problem })
  }

  pinged(side: Side, payload: Uint8Array): void {
    this.seenFrom(side).receiving.receiverAsked(payload)
  }

  backedUp(side: Side): void {
    const { sendLimit, probeRounds } = this.watches
    this.probes[side] ??= new PeerProbe(new PausedEnd(this.seenFrom(side).own), probeRounds)
    this.probes[side].start()
    if (side === "client" || sendLimit.milliseconds === 0) return
    this.sendClock ??= new SendClock(this, sendLimit)
    this.sendClock.start()
  }

  /** What is sent to the client is what a clock of ours watches. */
  get socket(): Socket {
    return this.client
  }

  stalled(): void {
    const { milliseconds } = this.watches.sendLimit
    const cause = `it took nothing of what waited for it for ${milliseconds / 1_000} s`
    this.closeAfterLoss("client", cause, new ClientStalled({ milliseconds }))
  }

  writeFailed(side: Side): void {
    const { peer, receiving } = this.seenFrom(side)
    for (const bytes of unreadOf(peer)) receiving.received(bytes)
  }

  /** `side`'s own socket and its peer's, the pump that carries what it sends, and the one that carries what it gets. */
  private seenFrom(side: Side) {
    return side === "client"
      ? { own: this.client, peer: this.server, sending: this.up, receiving: this.down }
      : { own: this.server, peer: this.client, sending: this.down, receiving: this.up }
  }

  /** The first reason counts; the shortest time left does. */
  private endWithin(end: BridgeEnd, milliseconds: number): void {
    this.end ??= end
    const cutAt = performance.now() + milliseconds
    if (cutAt >= this.cutAt || this.openEnds === 0) return
    this.cutAt = cutAt
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.cut(), milliseconds)
  }

  private watch(socket: Socket, sending: Pump, receiving: Pump): void {
    const closed = (): void => {
      sending.senderClosed()
      receiving.discardRest()
      if (--this.openEnds > 0) return
      clearTimeout(this.timer)
      clearTimeout(this.answering?.timer)
    }
    if (socket.closed) closed()
    else socket.on("close", closed)
  }
}
