import { Cause, type Effect, Exit } from "effect"
import {
  BadRequest,
  BodyTooLarge,
  type ClientError,
  ClientStalled,
  Defect,
  DownstreamProtocol,
  type ProxyError,
  type RequestBroken,
  RequestTimeout,
  ResponseBroken,
  SessionUnavailable,
} from "../domain/ProxyError.js"
import { addressOf } from "../downstream/Dial.js"
import type { Answer, DownstreamCall, RequestBody, ResponseHead } from "../downstream/Downstream.js"
import type { LiveSession, SessionEnd } from "../sessions/LiveSession.js"
import { type Call, type CallListener, errorOf, type Fork } from "../step/Call.js"
import * as Step from "../step/Step.js"
import { connectionFaultOf } from "../telemetry/ServerFaults.js"
import type { TrafficEnd } from "../telemetry/TrafficRecord.js"
import type { WebSocketTrace } from "../traces/RequestTrace.js"
import type { LiveTraffic } from "../traffic/Traffic.js"
import { empty } from "../wire/Body.js"
import { editedFields, editedOwnFields, type FieldEdits, keptFields } from "../wire/FieldEdits.js"
import type { RawFields } from "../wire/HeaderFields.js"
import type { Reply } from "../wire/Reply.js"
import type { ParsedRequest } from "../wire/RequestParser.js"
import { type AnswerOutlet, type AnswerProgress, AnswerWriter } from "./AnswerWriter.js"
import { type ExchangeClient, type ExchangeContext, ExchangeFacts } from "./ExchangeFacts.js"
import type { ForwardError } from "./Forwarder.js"
import { answerTo, closesConnection, endedBy } from "./OwnAnswer.js"
import type { ProxyRequest } from "./ProxyRequest.js"
import { type ContentInlet, type ContentListener, RequestContent } from "./RequestContent.js"
import type { SwitchedUpgrade } from "./Upgrader.js"

/** The connection that an exchange belongs to. */
export interface ExchangeOwner extends ExchangeClient, AnswerOutlet, ContentInlet {
  /** Something of the request behind this one has come, where all of this one has. */
  readonly hasNext: boolean
  /** Runs an effect in a fiber that ends, at the latest, with the connection. */
  readonly fork: Fork
  /** Both sides have agreed on a WebSocket: the connection is no HTTP any more. */
  readonly switched: (upgrade: SwitchedUpgrade, exchange: Exchange) => void
  /** The exchange is over, well or badly, at this time of `performance.now()`. `staysOpen`: the connection can carry another one. */
  readonly exchangeOver: (exchange: Exchange, staysOpen: boolean, endedAt: number) => void
  /** Resets the connection, so that what was written of an answer cannot look complete. */
  readonly reset: () => void
}

/**
 * How long a server may take to say `100 Continue` or something final before the proxy says the former in its place, in
 * milliseconds: not every server knows `Expect`, and a client may wait for ever (RFC 9110 section 10.1.1).
 */
const continueAfter = 1_000

/** Where an error happened. */
const serverOf = ({ id, target }: LiveSession) => ({ sessionId: id, address: addressOf(target) })

const noContent: Exit.Exit<RequestBody> = Exit.succeed(empty)
const noTrailers: RawFields = []

/** What becomes of a request: the answer of its session's server, or a WebSocket. */
type Outcome = Answer | SwitchedUpgrade

/**
 * One request and its answer: runs what leads to the answer and writes it, or the answer to the error, in the client's
 * connection, which owns it. It needs no fiber of its own as long as that effect is an `Exit` or a `Call`.
 */
export class Exchange
  extends ExchangeFacts
  implements LiveTraffic, ProxyRequest, CallListener<Outcome, ForwardError>, AnswerProgress, ContentListener
{
  private call: Call<Outcome, ForwardError> | undefined
  private continueTimer: NodeJS.Timeout | undefined
  private release: (() => void) | undefined
  protected readonly writer: AnswerWriter
  /** As `ExchangeFacts` keeps it. */
  declare protected readonly owner: ExchangeOwner

  constructor(context: ExchangeContext, owner: ExchangeOwner, request: ParsedRequest) {
    super(context, owner, request)
    this.writer = new AnswerWriter(owner, request, this)
    context.counters.exchangeBegan()
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
