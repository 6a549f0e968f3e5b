import { Cause, type Effect, Either, Exit } from "effect"
import {
  BadRequest,
  BodyTooLarge,
  type ClientError,
  ClientStalled,
  Defect,
  DownstreamProtocol,
  type ProxyError,
  RequestBroken,
  RequestTimeout,
  ResponseBroken,
  SessionUnavailable,
} from "../domain/ProxyError.js"
import { addressOf } from "../downstream/Dial.js"
import type { Answer, DownstreamCall, RequestBody, ResponseHead } from "../downstream/Downstream.js"
import type { LiveSession, SessionEnd } from "../sessions/LiveSession.js"
import { type Call, type CallListener, errorOf, type Fork } from "../step/Call.js"
import * as Step from "../step/Step.js"
import type { RequestTrace, WebSocketTrace } from "../traces/RequestTrace.js"
import { connectionFaultOf } from "../telemetry/ServerFaults.js"
import type { CountedExchange, Counters } from "../telemetry/Telemetry.js"
import type { Tracing } from "../traces/Tracing.js"
import type { TrafficEnd, TrafficError } from "../telemetry/TrafficRecord.js"
import type { LiveTraffic } from "../traffic/Traffic.js"
import { empty } from "../wire/Body.js"
import type { ChunkSource } from "../wire/ChunkSource.js"
import { editedFields, editedOwnFields, type FieldEdits, keptFields } from "../wire/FieldEdits.js"
import { type RawFields, receivedRequestId } from "../wire/HeaderFields.js"
import { randomHex } from "../wire/RandomHex.js"
import type { Reply } from "../wire/Reply.js"
import { usualRules } from "../wire/RequestRules.js"
import type { RequestFraming } from "../wire/RequestFraming.js"
import type { ParsedRequest } from "../wire/RequestParser.js"
import { parseTarget, routeTemplate } from "../wire/Target.js"
import { type AnswerOutlet, type AnswerProgress, AnswerWriter } from "./AnswerWriter.js"
import { EndedExchange, type RecordedExchange } from "./ExchangeRecord.js"
import type { ForwardError } from "./Forwarder.js"
import type { AnswerEditsFor } from "./AnswerEditsFor.js"
import type { OriginsFor } from "./OriginsFor.js"
import { answerTo, closesConnection, endedBy } from "./OwnAnswer.js"
import type { AnswerChange, Client, ProxyRequest } from "./ProxyRequest.js"
import { type ContentContext, type ContentInlet, type ContentListener, RequestContent } from "./RequestContent.js"
import type { SwitchedUpgrade } from "./Upgrader.js"

/** What can go wrong with an exchange, as the log is told. */
export type ExchangeTrouble = ProxyError | ResponseBroken | ClientStalled

/** The connection that an exchange belongs to. */
export interface ExchangeOwner extends AnswerOutlet, ContentInlet {
  readonly client: Client
  /** Something of the request behind this one has come, where all of this one has. */
  readonly hasNext: boolean
  /** A request that comes later than this is not taken any more, by `performance.now()`; Infinity while the proxy does not stop. */
  readonly lateFrom: number
  /** Runs an effect in a fiber that ends, at the latest, with the connection. */
  readonly fork: Fork
  /** Both sides have agreed on a WebSocket: the connection is no HTTP any more. */
  readonly switched: (upgrade: SwitchedUpgrade, exchange: Exchange) => void
  /** The exchange is over, well or badly, at this time of `performance.now()`. `staysOpen`: the connection can carry another one. */
  readonly exchangeOver: (exchange: Exchange, staysOpen: boolean, endedAt: number) => void
  /** Resets the connection, so that what was written of an answer cannot look complete. */
  readonly reset: () => void
}

/** What the exchanges of a server share. */
export interface ExchangeContext extends ContentContext {
  /** Begins and ends the accounting of live traffic. */
  readonly open: (traffic: LiveTraffic) => void
  readonly close: (traffic: LiveTraffic) => void
  /** Says in the log what went wrong with an exchange. */
  readonly logError: (exchange: Exchange, error: ExchangeTrouble) => void
  /** Says there what was put right of its answer. */
  readonly logRepair: (exchange: Exchange, repair: string) => void
  /** Begins the spans of requests; `undefined`: there are none. */
  readonly tracing: Tracing | undefined
  /** Whether the proxy is going away: connections are closed behind their answers. */
  readonly isClosing: () => boolean
  /** Whose scripts may read what goes wrong with requests for the session of this id, if any. */
  readonly originsFor: OriginsFor
  readonly answerEditsFor: AnswerEditsFor
  readonly counters: Counters
  /** Hears of the end of every exchange, well or badly, but for those that became WebSockets. `milliseconds`: how long it took. */
  readonly finished: (exchange: Exchange, milliseconds: number) => void
  /** Whether somebody wants to know, of a WebSocket that is over, what its handshake was. */
  readonly keepsHandshakes: () => boolean
}

/**
 * How long a server may take to say `100 Continue` or something final before the proxy says the former in its place, in
 * milliseconds: not every server knows `Expect`, and a client may wait for ever (RFC 9110 section 10.1.1).
 */
const continueAfter = 1_000

/** Where an error happened. */
const serverOf = ({ id, target }: LiveSession) => ({ sessionId: id, address: addressOf(target) })

/** Whether something broke off, and was not held to a rule. */
const isBreak = (error: ClientStalled | ClientError | ResponseBroken | RequestBroken) =>
  error instanceof ResponseBroken || error instanceof RequestBroken

const noContent: Exit.Exit<RequestBody> = Exit.succeed(empty)
const noTrailers: RawFields = []

/** What becomes of a request: the answer of its session's server, or a WebSocket. */
type Outcome = Answer | SwitchedUpgrade

/**
 * One request and its answer: runs what leads to the answer and writes it, or the answer to the error, in the client's
 * connection, which owns it. It needs no fiber of its own as long as that effect is an `Exit` or a `Call`.
 */
export class Exchange
  implements
    LiveTraffic,
    ProxyRequest,
    CallListener<Outcome, ForwardError>,
    AnswerProgress,
    ContentListener,
    CountedExchange,
    RecordedExchange
{
  readonly kind = "http"
  readonly begun = performance.now()
  serial = 0
  registryIndex = -1
  sessionIndex = -1
  clientSignsSeen = 0
  serverSignsSeen = -1
  activeAt = 0
  isIgnored = false
  /** Its session's server has answered, and the client is told so. */
  isServed = false
  bytesIn = 0
  bytesOut = 0
  /** How often the request was sent to its server again. */
  retries = 0
  /** Id of the session that the request names, whether it exists or not; known once its target was read. */
  sessionId: string | undefined
  byHost = false
  answerChange: AnswerChange | undefined
  rules = usualRules
  private liveSession: LiveSession | undefined
  private incoming: RequestContent | undefined
  private call: Call<Outcome, ForwardError> | undefined
  private continueTimer: NodeJS.Timeout | undefined
  private id: string | undefined
  /** Of a trace that begins with this request, and is not recorded, the id. */
  private trace: RequestTrace | string | undefined
  private release: (() => void) | undefined
  /** Who broke it off, and what the client was told instead of an answer of the session's server. */
  private cutFrom: TrafficEnd | undefined
  private failure: ProxyError | "reply" | undefined
  /** What broke its content off, of the request or of the answer. */
  private broken: ClientStalled | ClientError | ResponseBroken | RequestBroken | undefined
  /** When the head of the answer was written, by `performance.now()`; 0 while it is not. */
  firstByteAt = 0
  /** What its session's server is asked by. */
  downstream: DownstreamCall | undefined
  /** The content of the server's answer, where it came in pieces. */
  private source: ChunkSource<ResponseBroken> | undefined
  private isContentSkipped = false
  /** While its head is being written, what ends with that ends at `firstByteAt`: to look at the clock again tells nothing. */
  private phase: "asking" | "writing" | "answering" | "over" = "asking"
  private readonly writer: AnswerWriter

  constructor(
    private readonly context: ExchangeContext,
    private readonly owner: ExchangeOwner,
    private readonly request: ParsedRequest,
  ) {
    this.writer = new AnswerWriter(owner, request, this)
    context.counters.exchangeBegan()
  }

  get method(): string {
    return this.request.method
  }

  get since(): number {
    return performance.timeOrigin + this.begun
  }

  /** How long it has taken up to now, in milliseconds. */
  get age(): number {
    return performance.now() - this.begun
  }

  get framing(): RequestFraming {
    return this.request.framing
  }

  /** The request target, raw, as latin1. */
  get target(): string {
    return this.request.target
  }

  get httpVersion(): string {
    return this.request.httpVersion
  }

  /** Raw field pairs of the request. */
  get fields(): RawFields {
    return this.request.fields
  }

  get client(): Client {
    return this.owner.client
  }

  get isLate(): boolean {
    return this.begun > this.owner.lateFrom
  }

  get requestId(): string {
    this.id ??= receivedRequestId(this.request.fields) ?? this.ownTraceId ?? randomHex(16)
    return this.id
  }

  /** The id of a trace that begins with this request. That a tracer throws is told when the trace is to end. */
  private get ownTraceId(): string | undefined {
    try {
      const trace = this.traceInAnyCase
      if (typeof trace === "string") return trace
      return trace?.isFirst === true ? trace.traceId : undefined
    } catch {
      return undefined
    }
  }

  /** Its trace, of a request too that was refused at once, before anybody asked for it. */
  private get traceInAnyCase(): RequestTrace | string | undefined {
    if (this.trace !== undefined || this.context.tracing === undefined) return this.trace
    const route = parseTarget(this.method, this.target)
    return this.traceOf(!this.byHost && Either.isRight(route) ? routeTemplate(route.right) : undefined)
  }

  /** The trace that it belongs to; known once something of it was recorded, or would have been. */
  get traceId(): string | undefined {
    return typeof this.trace === "string" ? this.trace : this.trace?.traceId
  }

  /** The session that the request goes to; known once it was looked up. */
  get session(): LiveSession | undefined {
    return this.liveSession
  }

  /** Status that the client got; 0 while there is none. */
  get status(): number {
    return this.writer.status
  }

  get end(): TrafficEnd {
    return this.cutFrom ?? "complete"
  }

  /** The error that was answered; `undefined` for an answer of the session's server, and for none. */
  get error(): ProxyError | undefined {
    return this.failure === "reply" ? undefined : this.failure
  }

  /** What its client did, or did not do, where it was broken off for that. */
  get blame(): ClientStalled | ClientError | undefined {
    return this.broken === undefined || isBreak(this.broken) ? undefined : this.broken
  }

  get clientAddress(): string {
    return this.owner.client.address
  }

  get clientSigns(): number {
    return this.bytesIn
  }

  get serverSigns(): number {
    return this.bytesOut
  }

  get pings(): number {
    return 0
  }

  get hasFailed(): boolean {
    return this.failure !== undefined || this.cutFrom === "server" || this.cutFrom === "proxy"
  }

  /** What went wrong, whoever was told: what broke it off, be it the answer to an error, else the error. */
  get trouble(): TrafficError | undefined {
    return this.broken ?? this.error
  }

  /** Whether what is answered is the proxy's own, and no error. */
  get isOwnAnswer(): boolean {
    return this.failure === "reply"
  }

  get messagesIn(): number {
    return 0
  }

  get messagesOut(): number {
    return 0
  }

  get isHandshake(): boolean {
    return this.framing.upgrades
  }

  /** Whether the head of its answer is out, and the content is on its way. */
  get isStreaming(): boolean {
    return this.phase === "answering" && this.source !== undefined
  }

  /** Address and port of its session's server, if that was asked. */
  get server(): string | undefined {
    return this.downstream === undefined || this.liveSession === undefined
      ? undefined
      : addressOf(this.liveSession.target)
  }

  /** How long it was held, in milliseconds, for a server that was just starting. */
  get heldFor(): number {
    return this.downstream?.holdTime ?? 0
  }

  /** As it is known when it is over, after so many milliseconds. */
  endedAfter(milliseconds: number): EndedExchange {
    const { counters } = this.context
    return new EndedExchange(this, counters, this.serial === 0 ? counters.nextSerial() : this.serial, milliseconds)
  }

  /** Whether its answer is there, or on its way. */
  get isAnswered(): boolean {
    return this.phase !== "asking"
  }

  /** Whether everything that the client had to send has arrived. */
  get requestIsComplete(): boolean {
    return !this.hasContent || this.isContentSkipped || this.incoming?.isComplete === true
  }

  private get hasContent(): boolean {
    const { content } = this.framing
    return content !== "none" && content !== 0
  }

  get edits(): FieldEdits | undefined {
    return this.rules.edits
  }

  // What the way to the answer asks for.

  /** Its content. Reading begins when the effect does. */
  get content(): Exit.Exit<RequestBody> | RequestContent {
    if (!this.hasContent || this.isAnswered) return noContent
    if (this.framing.expectsContinue) this.continueTimer = setTimeout(() => this.continue(), continueAfter)
    this.incoming = new RequestContent(this.context, this.owner, this.framing, this)
    return this.incoming
  }

  /** A fiber of a hook may come here while it is interrupted: what is answered joins nothing, and holds nothing. */
  join(session: LiveSession): ProxyError | undefined {
    if (this.isAnswered) return new SessionUnavailable({ sessionId: session.id, status: "answered already" })
    if (session.ended !== undefined) return endedBy[session.ended](session.id)
    this.liveSession = session
    // The spelling of its row, where the client has another that does as well.
    this.sessionId = session.id
    this.context.open(this)
    return undefined
  }

  hold(release: () => void): void {
    if (this.isAnswered) return release()
    this.release = release
  }

  traceOf(route: string | undefined): RequestTrace | string | undefined {
    const { tracing } = this.context
    if (tracing !== undefined) this.trace ??= tracing.begin(this, route, this.begun)
    return this.trace
  }

  informational(head: ResponseHead): void {
    if (this.phase !== "asking") return
    if (head.status === 100) this.continue()
    else this.writer.informational(this.changed(head), this.rules.answerEdits)
  }

  repaired(repair: string): void {
    this.context.logRepair(this, repair)
  }

  retried(): void {
    this.retries++
  }

  asked(call: DownstreamCall): void {
    this.downstream = call
  }

  // The answer.

  /** Answers with what `effect` comes to. Once. */
  answerWith(effect: Effect.Effect<Outcome, ForwardError>): void {
    if (this.phase !== "asking") return
    const call = Step.toCall(effect)
    this.call = call
    call.start(this, this.owner.fork)
  }

  settled(exit: Exit.Exit<Outcome, ForwardError>): void {
    if (this.phase !== "asking") return this.cutOutcome(exit)
    this.isServed = Exit.isSuccess(exit)
    if (Exit.isFailure(exit)) return this.failed(exit.cause)
    this.liveSession?.answered()
    if (exit.value._tag === "Answer") this.relay(exit.value)
    else this.owner.switched(exit.value, this)
  }

  /** It is answered already: nobody else would close what has come of it. */
  private cutOutcome(exit: Exit.Exit<Outcome, ForwardError>): void {
    if (Exit.isSuccess(exit) && exit.value._tag === "SwitchedUpgrade") exit.value.socket.destroy()
  }

  /** Answers with an error of the proxy's own account. */
  fail(error: ProxyError): void {
    if (this.phase !== "asking") return
    const answer = answerTo(error, this, this.context.originsFor)
    if (answer._tag === "Preflight") return this.ownAnswer(answer.reply)
    this.context.logError(this, error)
    this.failure = error
    this.reply(answer.reply, closesConnection(error))
  }

  /** Nothing more is answered on this connection; to be said before the answer. */
  announceClose(): void {
    this.writer.announceClose()
  }

  /** The connection has become a WebSocket. What the request held is handed to that. Gives the WebSocket's span. */
  becomeWebSocket(): WebSocketTrace | undefined {
    if (this.phase === "over") return undefined
    this.phase = "over"
    if (this.liveSession !== undefined) this.context.close(this)
    this.context.counters.exchangeSwitched(this)
    this.owner.exchangeOver(this, false, performance.now())
    return typeof this.trace === "object" && this.trace.isRecorded ? this.traceSwitched(this.trace) : undefined
  }

  /** Takes what the request holds off its hands: to be released by the caller. */
  takeRelease(): () => void {
    const { release } = this
    this.release = undefined
    return release ?? (() => {})
  }

  private releaseHeld(): void {
    this.release?.()
    this.release = undefined
  }

  /** The client has taken everything that was written, and can take more. */
  drained(): void {
    this.writer.drained()
  }

  // Progress.

  contentArrived(bytes: number): void {
    this.bytesIn += bytes
  }

  contentTimedOut(): void {
    this.contentRefused(new RequestTimeout({ detail: "The content of the request stopped coming." }))
  }

  contentTooSlow(): void {
    this.contentRefused(new RequestTimeout({ detail: "The content of the request came too slowly." }))
  }

  contentTooLarge(): void {
    this.contentRefused(new BodyTooLarge({ limit: this.context.maxBytes }))
  }

  /** The client has taken nothing of its answer for too long. */
  stalled(milliseconds: number): void {
    this.cutForClient(new ClientStalled({ milliseconds }))
  }

  answerWritten(bytes: number): void {
    this.bytesOut += bytes
  }

  answerBroken(error: ResponseBroken): void {
    if (this.phase === "over") return
    if (error.cause instanceof Defect) return this.answerDefect(error.cause)
    this.broken = error
    this.context.logError(this, error)
    this.cutBy(error.fault === "downstream" ? "server" : "proxy")
  }

  answerMisframed(problem: string): void {
    if (this.liveSession !== undefined)
      this.answerBroken(new ResponseBroken({ ...serverOf(this.liveSession), problem }))
  }

  answerDefect(cause: unknown): void {
    if (this.phase === "over") return
    this.context.logError(this, Defect.at("proxy", cause))
    this.cutBy("proxy")
  }

  answerSent(): void {
    if (this.phase === "over") return
    this.incoming?.cancel()
    this.finish(this.writer.staysOpen && this.requestIsComplete)
  }

  // How it ends.

  sessionEnded(end: SessionEnd): void {
    const session = this.liveSession
    if (this.phase !== "asking" || session === undefined) this.cutBy(end === "shutdown" ? "proxy" : "session")
    else this.fail(endedBy[end](session.id))
  }

  /** It is over by then, or its answer is on its way. */
  othersTold(): void {}

  /** An exchange ends by itself: there is nothing to ask of it. */
  close(): void {}

  closeNow(): void {
    const session = this.liveSession
    if (this.phase !== "asking" || session === undefined) this.cutBy("proxy")
    else this.fail(new SessionUnavailable({ sessionId: session.id, status: "its request was ended by an operator" }))
  }

  cut(): void {
    this.cutBy("proxy")
  }

  /** The request's content turned out to be no HTTP. */
  malformed(detail: string): void {
    this.contentRefused(new BadRequest({ detail }))
  }

  /** The client is gone: the downstream is told at once, and nobody is answered. */
  cancel(): void {
    if (this.phase === "over") return
    this.cutFrom ??= "client"
    this.stopContinueTimer()
    this.incoming?.fail("the client closed the connection")
    this.call?.cancel()
    this.writer.cancel()
    this.finish(false)
  }

  /** Callbacks may re-enter. */
  private finish(staysOpen: boolean): void {
    if (this.phase === "over") return
    const endedAt = this.phase === "writing" ? this.firstByteAt : performance.now()
    this.phase = "over"
    if (this.liveSession !== undefined) this.context.close(this)
    this.releaseHeld()
    if (this.context.tracing !== undefined) this.endTrace(endedAt - this.begun)
    this.context.finished(this, endedAt - this.begun)
    this.owner.exchangeOver(this, staysOpen, endedAt)
  }

  private traceSwitched(trace: RequestTrace): WebSocketTrace | undefined {
    const now = performance.now()
    return trace.switched({ ...this.endedAfter(now - this.begun).record(), status: 101 }, now)
  }

  /** What a tracer throws is nothing to the connection. */
  private endTrace(milliseconds: number): void {
    try {
      const trace = this.traceInAnyCase
      if (typeof trace === "object" && trace.isRecorded)
        trace.end(this.endedAfter(milliseconds).view, this.begun + milliseconds)
    } catch (cause) {
      this.context.logError(this, Defect.at("proxy", cause))
    }
  }

  private changed(head: ResponseHead): ResponseHead {
    return this.answerChange === undefined ? head : this.answerChange.changed(head)
  }

  private edited(head: ResponseHead): ResponseHead {
    const edits = this.rules.answerEdits
    return edits === undefined ? head : { ...head, fields: editedFields(head.fields, edits) }
  }

  private relay(answer: Answer): void {
    const { body } = answer
    const head = this.edited(this.changed(answer))
    // A body that moves may well outlast what is still to come of the request.
    if (body._tag !== "Moving" && !this.requestIsComplete) this.writer.announceClose()
    this.beginAnswer()
    if (body._tag === "Moving") this.source = body.source
    if (body._tag === "Empty") this.whole(head, undefined, noTrailers)
    else if (body._tag === "Moving" || body.stages.length > 0)
      this.writer.moving(head, body, this.owner.fork, this.rules.answerEdits)
    else this.whole(head, body.bytes, body.trailers)
    this.headWritten()
    if (this.failure === undefined) this.context.counters.answerBegan(this.firstByteAt - this.begun)
  }

  private whole(head: ResponseHead, bytes: Uint8Array | undefined, trailers: RawFields): void {
    const edits = this.rules.answerEdits
    if (this.writer.whole(head, bytes, edits === undefined ? trailers : keptFields(trailers, edits))) return
    // Nothing has been written of an answer that contradicts itself.
    this.phase = "asking"
    const problem = "its body is not as long as its head says"
    if (this.liveSession !== undefined) this.fail(new DownstreamProtocol({ ...serverOf(this.liveSession), problem }))
  }

  private failed(cause: Cause.Cause<ForwardError>): void {
    const error = errorOf(cause)
    if (error === undefined) return this.fail(Defect.at("proxy", Cause.squash(cause)))
    this.noteFault(error)
    if (error._tag === "RequestBroken") this.contentBroken(error)
    else if (error._tag === "Reply") this.ownAnswer(error)
    else this.fail(error)
  }

  private noteFault(error: ForwardError): void {
    const fault = connectionFaultOf(error)
    if (fault !== undefined) this.liveSession?.noteFault("passive", fault)
  }

  /** A client that has left gets no answer. */
  private contentBroken(error: RequestBroken): void {
    if (error.refusal !== undefined) return this.fail(error.refusal)
    this.broken = error
    this.cancel()
  }

  private ownAnswer(reply: Reply): void {
    this.failure = "reply"
    this.reply(reply, false)
  }

  /** A request of which something is still to come is answered for good: the connection closes behind the answer. */
  private reply(reply: Reply, close: boolean): void {
    this.isServed = false
    this.beginAnswer()
    this.call?.cancel()
    this.cancelContent()
    if (close || !this.requestIsComplete) this.writer.announceClose()
    const edits = this.ownAnswerEdits()
    this.writer.reply(edits === undefined ? reply : { ...reply, fields: editedOwnFields(reply.fields, edits) })
    this.headWritten()
  }

  /** A request that was not let in to its session has no rules of that yet. */
  private ownAnswerEdits(): FieldEdits | undefined {
    const { liveSession, sessionId } = this
    return liveSession === undefined && sessionId !== undefined
      ? this.context.answerEditsFor(sessionId)
      : this.rules.answerEdits
  }

  private headWritten(): void {
    if (this.phase === "writing") this.phase = "answering"
  }

  private beginAnswer(): void {
    this.phase = "writing"
    this.firstByteAt = performance.now()
    this.stopContinueTimer()
    // What was held for a WebSocket is not needed for an answer, however long a client takes to read it.
    if (this.isHandshake) this.releaseHeld()
    if (this.context.isClosing() && this.isLast) this.writer.announceClose()
  }

  /** Nothing has come of a next request: one that the client has sent already is answered, too. */
  private get isLast(): boolean {
    return !this.requestIsComplete || !this.owner.hasNext
  }

  /** Lets a client that waits for it send its content; once. */
  private continue(): void {
    if (this.continueTimer === undefined) return
    this.stopContinueTimer()
    this.writer.continue()
  }

  private stopContinueTimer(): void {
    clearTimeout(this.continueTimer)
    this.continueTimer = undefined
  }

  /**
   * No more of the request is taken. Where its answer is whole that changes nothing: the connection closes behind it. One
   * that is still to come may wait for the rest of the request, and there is no other way to say so.
   */
  private contentRefused(error: ClientError): void {
    if (this.phase === "asking") this.fail(error)
    else if (this.source?.isFinished === false) this.cutForClient(error)
  }

  private cutForClient(error: ClientStalled | ClientError): void {
    if (this.phase === "over") return
    this.broken = error
    this.context.logError(this, error)
    this.cutBy("client")
  }

  private cancelContent(): void {
    if (this.incoming !== undefined) this.incoming.cancel()
    else if (this.hasContent) this.isContentSkipped = this.owner.skipContent()
  }

  /** The reset comes first: behind an exchange that is over, its connection goes on with the next. */
  private cutBy(by: TrafficEnd): void {
    this.cutFrom ??= by
    this.owner.reset()
    this.cancel()
  }
}
