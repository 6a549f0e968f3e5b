import { Exit } from "effect"
import {
  Defect,
  DownstreamProtocol,
  DownstreamReset,
  DownstreamTimeout,
  type DialError,
  type RequestBroken,
  ResponseBroken,
  type StageRefused,
} from "../domain/ProxyError.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { Call, type CallListener, type Fork } from "../step/Call.js"
import { type Body, bytes, empty, moving } from "../wire/Body.js"
import { ChunkSource } from "../wire/ChunkSource.js"
import { holdTiming } from "../wire/ServerTiming.js"
import type { ParserFault } from "../wire/MessageParser.js"
import type { ParsedHead } from "../wire/ResponseParser.js"
import type { Counters } from "../telemetry/Telemetry.js"
import type { Connection, ConnectionUser } from "./Connection.js"
import type { DeadlineRounds } from "../clock/DeadlineRounds.js"
import { Deadline, type Deadlines, type Expirable } from "../clock/Deadlines.js"
import { addressOf } from "./Dial.js"
import type { Answer, DownstreamCall, RequestBody, RequestError, RequestHead, RequestObserver } from "./Downstream.js"
import type { EndOfTurn, TurnListener } from "../clock/EndOfTurn.js"
import type { HoldWaiter } from "./Holds.js"
import type { Lease } from "./LeaseQueue.js"
import type { Pools } from "./Pool.js"
import { RequestWriter, type WriteProgress } from "./RequestWriter.js"

/** What a call needs from the layer that made it. */
export interface CallContext {
  readonly pools: Pools
  /** For the head of a response, where its session has no time of its own, and where it has. */
  readonly headDeadlines: Deadlines
  readonly headRounds: DeadlineRounds
  /** For responses whose body may be complete by the end of the turn. */
  readonly endOfTurn: EndOfTurn<TurnListener>
  /** Whether servers are taken leniently whose sessions do not say. */
  readonly lenient: "on" | "off"
  readonly counters: Counters
}

const noTrailers: ReadonlyArray<string> = []
/** Never pushed to: an array that grows makes room for many, and most bodies are one piece. */
const noChunks: Array<Buffer> = []

/** A body that is longer is in motion from its first byte on: to put it together first would only cost copies. */
const longestHeld = 16_384

const sizeOf = (chunks: ReadonlyArray<Uint8Array>): number =>
  chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)

/** One request on a connection of our own: a state machine that its connection drives, without a fiber. */
export class HttpCall
  extends Call<Answer, RequestError>
  implements ConnectionUser, DownstreamCall, Expirable, HoldWaiter, WriteProgress, TurnListener
{
  private listener: CallListener<Answer, RequestError> | undefined
  private fork: Fork | undefined
  protected connection: Connection | undefined
  protected cancelDial: (() => void) | undefined
  private writer: RequestWriter | undefined
  reused = false
  dialTime = 0
  queueTime = 0
  holdTime = 0
  headAt = 0
  private isSent = false
  /** Whether the request was sent before its response began. */
  private hasAwaitedHead = false
  private readonly headDeadline = new Deadline(this)
  private readonly headDeadlines: Deadlines
  protected response: ParsedHead | undefined
  /** What has come of the body while it is not in motion; what was read last may be overwritten by the next read. */
  private gathered: Array<Buffer> = noChunks
  private trailers = noTrailers
  private source: ChunkSource<ResponseBroken> | undefined
  private hasRetried = false
  protected isOver = false

  constructor(
    protected readonly context: CallContext,
    protected readonly session: LiveSession,
    protected readonly request: RequestHead,
    private readonly content: RequestBody,
    private readonly observer?: RequestObserver,
  ) {
    super()
    const { timeout } = session.policy
    this.headDeadlines = timeout === null ? context.headDeadlines : context.headRounds.of(timeout)
  }

  override start(listener: CallListener<Answer, RequestError>, fork: Fork): void {
    this.listener = listener
    this.fork = fork
    this.observer?.asked(this)
    const idle = this.mayPool ? this.context.pools.idle(this.session) : undefined
    if (idle === undefined) this.openConnection()
    else this.use(idle, true)
  }

  override cancel(): void {
    this.close()
  }

  // A connection is there, or is not.

  get mayReuse(): boolean {
    return this.mayPool && !this.hasRetried
  }

  get mayHold(): boolean {
    return this.content._tag !== "Moving" || this.content.source.isUntouched
  }

  held(milliseconds: number): void {
    this.holdTime += milliseconds
  }

  leased({ connection, dialTime, queueTime, reused }: Lease): void {
    this.cancelDial = undefined
    this.dialTime = dialTime
    this.queueTime = queueTime
    this.use(connection, reused)
  }

  private use(connection: Connection, reused: boolean): void {
    this.connection = connection
    this.reused = reused
    this.context.counters.connectionLeased(reused)
    connection.begin(this.request.method, this, (this.session.policy.lenient ?? this.context.lenient) === "on")
    this.writer = new RequestWriter(connection.sink, this.request, this.content, this)
    if (this.fork !== undefined) this.writer.start(this.fork)
  }

  refused(error: DialError): void {
    this.cancelDial = undefined
    this.fail(error)
  }

  // The request is on its way.

  requestSent(): void {
    this.isSent = true
    this.hasAwaitedHead = this.response === undefined
    this.waitForHead(true)
  }

  serverIsBusy(busy: boolean): void {
    this.waitForHead(busy)
  }

  requestBroken(error: RequestBroken): void {
    if (this.response === undefined) this.fail(error)
    else if (error.refusal === undefined) this.breakResponse("the client's request broke off")
    else this.breakResponse(`the request's content broke off: ${error.problem}`, undefined, error.refusal)
  }

  requestDefect(cause: unknown): void {
    const defect = Defect.at("upload stage", cause)
    if (this.response === undefined) this.settle(Exit.die(defect))
    else this.breakResponse("a stage of the request's content threw", defect)
  }

  writeFailed(): void {
    this.connection?.readUnread()
  }

  drained(): void {
    this.writer?.drained()
  }

  /** The deadline for the head has passed. */
  expire(): void {
    this.fail(new DownstreamTimeout({ address: this.address, milliseconds: this.headDeadlines.milliseconds }))
  }

  // The response arrives.

  informational(head: ParsedHead): void {
    this.observer?.informational(head)
  }

  repaired(repair: string): void {
    this.observer?.repaired(repair)
  }

  head(head: ParsedHead): void {
    this.waitForHead(false)
    this.headAt = performance.now()
    if (this.hasAwaitedHead) this.context.counters.headArrived(Math.max(0, this.headAt - this.sentAt))
    this.response = head
  }

  body(chunk: Buffer): void {
    if (this.source !== undefined) this.pass(this.source, chunk)
    else if (this.gathered.length === 0) this.gathered = [chunk]
    else this.gathered.push(chunk)
  }

  end(trailers: ReadonlyArray<string>): void {
    this.trailers = trailers
  }

  /** What has arrived was read, and the response is not complete: its rest may be there by the end of the turn. */
  unfinished(): void {
    const { connection, gathered } = this
    if (this.response === undefined || this.source !== undefined || connection === undefined) return
    if (Math.max(connection.contentLength, sizeOf(gathered)) > longestHeld) return this.startSource(connection)
    this.gathered = gathered.map((chunk) => connection.stable(chunk))
    for (const chunk of this.gathered) connection.keep(chunk)
    this.context.endOfTurn.add(this)
  }

  finished(reusable: boolean): void {
    const { gathered, source } = this
    if (this.response?.status === 101) return this.switched()
    // Before the connection is given back, for then its next response may be read to where these bytes are.
    const isEmpty = gathered.length === 0 && this.trailers.length === 0
    const body = isEmpty ? empty : bytes<ResponseBroken>(Buffer.concat(gathered), this.isChunked, this.trailers)
    this.settleConnection(reusable && this.isSent && this.mayPool)
    if (source !== undefined) source.end(this.trailers)
    else this.answer(body)
  }

  /** The rest of the body is not there yet: it becomes a body in motion. */
  turnEnded(): void {
    if (!this.isOver && this.source === undefined && this.connection !== undefined) this.startSource(this.connection)
  }

  faulted(fault: ParserFault): void {
    const problem = fault.place === undefined ? fault.problem : `${fault.problem} (${fault.place})`
    if (this.source !== undefined) this.breakResponse(problem)
    else this.fault(problem)
  }

  lost(cause: Error | undefined): void {
    if (this.response !== undefined) this.breakResponse("the connection closed before the response was complete", cause)
    else if (this.mayRetry) this.retry()
    else this.fail(new DownstreamReset({ address: this.address, cause }))
  }

  /** The deadline for the head began then: to look at the clock once more would tell nothing else. */
  get sentAt(): number {
    return this.hasAwaitedHead ? this.headDeadline.expiry - this.headDeadlines.milliseconds : 0
  }

  /** Whether a pooled connection will do, and this one may become one. */
  protected get mayPool(): boolean {
    return true
  }

  private get address(): string {
    return addressOf(this.session.target)
  }

  private waitForHead(waiting: boolean): void {
    if (this.response !== undefined || this.isOver) return
    if (waiting) this.headDeadlines.start(this.headDeadline)
    else this.headDeadlines.stop(this.headDeadline)
  }

  private openConnection(): void {
    this.cancelDial = this.context.pools.open(this.session, this)
  }

  /** A pooled connection that its server had closed already: nothing came back, and everything can be said again. */
  private get mayRetry(): boolean {
    const untouched = this.reused && this.connection?.hasStarted === false
    return untouched && this.content._tag !== "Moving"
  }

  private retry(): void {
    const { connection } = this
    this.hasRetried = true
    this.observer?.retried()
    this.context.counters.requestRetried()
    this.context.counters.connectionReleased()
    this.headDeadlines.stop(this.headDeadline)
    if (connection !== undefined) this.context.pools.cut(this.session, connection)
    this.connection = undefined
    this.isSent = false
    this.hasAwaitedHead = false
    this.openConnection()
  }

  /** The body is in motion from here on. Whoever takes it is there before what has come of it. */
  private startSource(connection: Connection): void {
    const source = new ChunkSource<ResponseBroken>({
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      cancel: () => this.close(),
    })
    this.source = source
    const { gathered } = this
    this.gathered = noChunks
    this.answer(moving(source, this.isChunked))
    for (const chunk of gathered) this.pass(source, chunk)
  }

  private pass(source: ChunkSource<ResponseBroken>, chunk: Buffer): void {
    const { connection } = this
    if (connection === undefined) return
    const stable = connection.stable(chunk)
    if (source.push(stable)) connection.keep(stable)
  }

  private get isChunked(): boolean {
    return this.connection === undefined || this.connection.contentLength < 0
  }

  private answer(body: Body<ResponseBroken>): void {
    const response = this.response
    if (response === undefined) return
    const { status, reason } = response
    const fields = this.timed(response.fields)
    this.listener?.settled(Exit.succeed({ _tag: "Answer", status, reason, fields, body }))
  }

  /** The fields of a response, with how long the request was held where it was. */
  protected timed(fields: ReadonlyArray<string>): ReadonlyArray<string> {
    return this.holdTime === 0 ? fields : [...fields, ...holdTiming(this.holdTime)]
  }

  /** The response failed after its head: its body must not be taken for complete. */
  private breakResponse(problem: string, cause?: unknown, refusal?: StageRefused): void {
    if (this.source === undefined && this.connection !== undefined) this.startSource(this.connection)
    this.close()
    const { id: sessionId } = this.session
    this.source?.fail(new ResponseBroken({ sessionId, address: this.address, problem, cause, refusal }))
  }

  /** The server has answered 101. A plain request has not asked for that. */
  protected switched(): void {
    this.fault("it switched protocols, which nobody had asked for")
  }

  protected fault(problem: string): void {
    this.fail(new DownstreamProtocol({ address: this.address, problem }))
  }

  private fail(error: RequestError): void {
    this.settle(Exit.fail(error))
  }

  private settle(exit: Exit.Exit<never, RequestError>): void {
    if (this.isOver) return
    this.close()
    this.listener?.settled(exit)
  }

  /** May come more than once: a dial is given up, and counted, once. */
  private close(): void {
    const { cancelDial } = this
    this.cancelDial = undefined
    cancelDial?.()
    this.settleConnection(false)
  }

  /** The exchange with the server is over, one way or the other. */
  private settleConnection(reusable: boolean): void {
    if (this.isOver) return
    this.isOver = true
    this.headDeadlines.stop(this.headDeadline)
    this.writer?.stop()
    const connection = this.connection
    if (connection === undefined) return
    this.context.counters.connectionReleased()
    if (!reusable) return this.context.pools.cut(this.session, connection)
    connection.resume()
    // A body that never moved has come in the turn of its head.
    const now = this.source === undefined ? this.headAt : performance.now()
    this.context.pools.release(this.session, connection, now)
  }
}

/** The same on a connection of its own, which is not kept. */
export class SingleCall extends HttpCall {
  protected override get mayPool(): boolean {
    return false
  }

  /** Whoever looks after a server wants to know how it does now. */
  override get mayHold(): boolean {
    return false
  }
}
