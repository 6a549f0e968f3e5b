import { Cause, Effect, Exit, Option } from "effect"
import {
  BadRequest,
  BodyTooLarge,
  type ClientError,
  ClientStalled,
  DownstreamProtocol,
  Draining,
  type ProxyError,
  type RequestBroken,
  RequestTimeout,
  type ResponseBroken,
  SessionNotFound,
  SessionUnavailable,
} from "../domain/ProxyError.js"
import {
  type Answer,
  DownstreamCall,
  DownstreamUpgrade,
  emptyBody,
  type RequestBody,
  type RequestError,
  type RequestListener,
  type ResponseHead,
  type UpgradeAnswer,
} from "../downstream/Downstream.js"
import type { LiveSession, SessionEnd } from "../sessions/LiveSession.js"
import type { LiveTraffic } from "../traffic/Traffic.js"
import { prefersHtml } from "../wire/Accept.js"
import type { ChunkSource } from "../wire/ChunkSource.js"
import { type RawFields, requestIdOf } from "../wire/HeaderFields.js"
import { errorReply, type Reply } from "../wire/Reply.js"
import type { RequestFraming } from "../wire/RequestFraming.js"
import type { ParsedRequest } from "../wire/RequestParser.js"
import { type AnswerOutlet, type AnswerProgress, AnswerWriter, type BodyStage } from "./AnswerWriter.js"
import { type ContentContext, type ContentInlet, type ContentListener, RequestContent } from "./RequestContent.js"

/** The client's end of a connection. */
export interface Client {
  /** IP address, as text. */
  readonly address: string
  /** Whether its word about `X-Forwarded-*` counts. */
  readonly trusted: boolean
  readonly proto: "http" | "https"
}

/** What can go wrong with an exchange, as the log is told. */
export type ExchangeTrouble = ProxyError | ResponseBroken | ClientStalled

/** The connection that an exchange belongs to. */
export interface ExchangeOwner extends AnswerOutlet, ContentInlet {
  readonly client: Client
  /** Runs an effect in a fiber that ends, at the latest, with the connection. `done` hears of every end but that. */
  run<A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void): void
  /** The exchange is over, well or badly. `staysOpen`: the connection can carry another one. */
  readonly exchangeOver: (exchange: Exchange, staysOpen: boolean) => void
  /** Resets the connection, so that what was written of an answer cannot look complete. */
  readonly reset: () => void
}

/** What the exchanges of a server share. */
export interface ExchangeContext extends ContentContext {
  /** Begins and ends the accounting of live traffic. */
  readonly open: (traffic: LiveTraffic) => void
  readonly close: (traffic: LiveTraffic) => void
  /** Says in the log what went wrong with an exchange. */
  readonly report: (exchange: Exchange, error: ExchangeTrouble) => void
  /** Whether the proxy is going away: connections are closed behind their answers. */
  readonly isDraining: () => boolean
  /** Hears of the end of every exchange, well or badly; `undefined`: nobody wants to. */
  readonly finished: ((exchange: Exchange) => void) | undefined
}

/**
 * How long a server may take to say `100 Continue` or something final before the proxy says the former in its place, in
 * milliseconds: not every server knows `Expect`, and a client may wait for ever (RFC 9110 section 10.1.1).
 */
const continueAfter = 1_000

/** How an error that ended a lookup or a request looks to the client; a client that is gone gets no answer. */
type ExchangeError = ProxyError | RequestBroken

/** Narrows an effect that has its result already: no fiber is needed to get it. */
const isSettled = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

/**
 * How an exchange ended: the answer went out whole, or what came first of the rest. `session` stands for a session that was
 * removed or moved, `proxy` for its own end or a defect of it.
 */
export type ExchangeEnd = "complete" | "client" | "server" | "session" | "proxy"

const endedBy: { readonly [End in SessionEnd]: (sessionId: string) => ProxyError } = {
  removed: (sessionId) => new SessionNotFound({ sessionId }),
  retargeted: (sessionId) => new SessionUnavailable({ sessionId, status: "moved to another server" }),
  shutdown: () => new Draining(),
}

/**
 * One request and its answer: a state machine driven by callbacks, owned by its connection. It needs no fiber of its own
 * as long as every step has its result at once or is a `DownstreamCall`.
 */
export class Exchange implements LiveTraffic, AnswerProgress, ContentListener, RequestListener {
  readonly kind = "http"
  private readonly begun = performance.now()
  place = -1
  placeInSession = -1
  bytesIn = 0
  bytesOut = 0
  /** Id of the session that the request names, be it there or not; known once its target was read. */
  sessionId: string | undefined
  private liveSession: LiveSession | undefined
  private content: RequestContent | undefined
  private withContent: ((body: RequestBody) => void) | undefined
  private call: DownstreamCall | DownstreamUpgrade | undefined
  private source: ChunkSource<ResponseBroken> | undefined
  private stage: BodyStage | undefined
  private continueTimer: NodeJS.Timeout | undefined
  private id: string | undefined
  /** Who broke it off, and what the client was told instead of an answer of the session's server. */
  private brokenBy: ExchangeEnd | undefined
  private failure: ProxyError | undefined
  private blamed: ClientStalled | ClientError | undefined
  private isContentSkipped = false
  private isSettled = false
  private isOver = false
  private readonly writer: AnswerWriter

  constructor(
    private readonly context: ExchangeContext,
    private readonly owner: ExchangeOwner,
    private readonly request: ParsedRequest,
  ) {
    this.writer = new AnswerWriter(owner, request, this)
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

  get requestId(): string {
    this.id ??= requestIdOf(this.request.fields)
    return this.id
  }

  /** The session that the request goes to; known once it was looked up. */
  get session(): LiveSession | undefined {
    return this.liveSession
  }

  /** Status that the client got; 0 while there is none. */
  get status(): number {
    return this.writer.status
  }

  get end(): ExchangeEnd {
    return this.brokenBy ?? "complete"
  }

  /** The error that was answered; `undefined` for an answer of the session's server, and for none. */
  get error(): ProxyError | undefined {
    return this.failure
  }

  /** What its client did, or did not do, where it was broken off for that. */
  get blame(): ClientStalled | ClientError | undefined {
    return this.blamed
  }

  /** Whether its answer is there, or on its way. */
  get isAnswered(): boolean {
    return this.isSettled
  }

  /** How often the request was sent to its server again. */
  get retries(): number {
    return this.call instanceof DownstreamCall ? this.call.retries : 0
  }

  /** Whether everything that the client had to send has arrived. */
  get requestIsComplete(): boolean {
    return !this.hasContent || this.isContentSkipped || this.content?.isComplete === true
  }

  private get hasContent(): boolean {
    const { content } = this.framing
    return content !== "none" && content !== 0
  }

  // One step after another.

  /** Goes on with the result of an effect, at once where it is there already, or answers its error. */
  proceed<A, E extends ExchangeError>(effect: Effect.Effect<A, E>, next: (value: A) => void): void {
    if (isSettled(effect)) this.settled(effect, next)
    else this.owner.run(effect, (exit) => this.settled(exit, next))
  }

  /**
   * Belongs to a session from here on: ends when that session's lifetime does. `false`: that is over already, and the
   * client has its answer.
   */
  enter(session: LiveSession): boolean {
    this.liveSession = session
    this.context.open(this)
    return !this.isSettled && !this.isOver
  }

  /** Goes on with the content of the request. */
  withBody(next: (body: RequestBody) => void): void {
    if (!this.hasContent) return next(emptyBody)
    this.withContent = next
    if (this.framing.expectsContinue) this.continueTimer = setTimeout(() => this.continue(), continueAfter)
    this.content = new RequestContent(this.context, this.owner, this.framing, this)
    this.content.start()
  }

  /** Sends the request and relays what comes back, through `stage` where there is one. */
  dispatch(request: Effect.Effect<Answer, RequestError>, stage: BodyStage | undefined): void {
    this.stage = stage
    if (request instanceof DownstreamCall) {
      this.call = request
      request.start(this)
    } else {
      this.proceed(request, (answer) => this.answer(answer))
    }
  }

  /** Sends a handshake, and goes on with what it came to. */
  dispatchUpgrade(handshake: Effect.Effect<UpgradeAnswer, RequestError>, next: (answer: UpgradeAnswer) => void): void {
    if (handshake instanceof DownstreamUpgrade) {
      this.call = handshake
      handshake.start({ upgraded: next, fail: (error) => this.fail(error) })
    } else {
      this.proceed(handshake, next)
    }
  }

  /** The connection has become something else than HTTP: nobody is answered here any more. */
  leave(): void {
    if (this.isOver) return
    this.isOver = true
    if (this.liveSession !== undefined) this.context.close(this)
    this.owner.exchangeOver(this, false)
  }

  /** Nothing more is answered on this connection; to be said before the answer. */
  announceClose(): void {
    this.writer.announceClose()
  }

  /** Answers on the proxy's own account. */
  reply(reply: Reply): void {
    this.finishWith(reply, false)
  }

  /** Answers with an error; where an answer is on its way already, resets the connection instead. */
  fail(error: ExchangeError): void {
    if (this.isSettled || this.isOver) return
    if (error._tag === "RequestBroken") return this.abandon()
    this.context.report(this, error)
    this.call?.cancel()
    this.failure = error
    const reply = errorReply(error, this.requestId, prefersHtml(this.fields))
    this.finishWith(reply, error._tag === "BadRequest" || error._tag === "Draining")
  }

  // What the downstream says.

  informational(head: ResponseHead): void {
    if (this.isSettled || this.isOver) return
    if (head.status === 100) this.continue()
    else this.writer.informational(head)
  }

  answer(answer: Answer): void {
    if (this.isSettled || this.isOver) return
    const { body } = answer
    // A body in motion may well outlast what is still to come of the request.
    if (body._tag === "Whole" && !this.requestIsComplete) this.writer.announceClose()
    if (this.context.isDraining()) this.writer.announceClose()
    this.isSettled = true
    this.stopContinueTimer()
    if (body._tag === "Moving") this.move(answer, body.source)
    else if (!this.writer.whole(answer, body.bytes, body.trailers)) this.refuseLength()
  }

  /** The client has taken everything that was written, and can take more. */
  drained(): void {
    this.writer.drained()
  }

  // How bytes get on.

  contentReady(body: RequestBody): void {
    this.withContent?.(body)
  }

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
    this.breakFor(new ClientStalled({ milliseconds }))
  }

  answerWritten(bytes: number): void {
    this.bytesOut += bytes
  }

  answerBroken(error: ResponseBroken): void {
    if (this.isOver) return
    this.context.report(this, error)
    this.break("server")
  }

  answerSent(): void {
    if (this.isOver) return
    this.content?.cancel()
    this.finish(this.writer.staysOpen && this.requestIsComplete)
  }

  // How it ends.

  sessionEnded(end: SessionEnd): void {
    const session = this.liveSession
    if (this.isSettled || session === undefined) this.break(end === "shutdown" ? "proxy" : "session")
    else this.fail(endedBy[end](session.id))
  }

  /** It is over by then, or its answer is on its way. */
  othersTold(): void {}

  /** An exchange ends by itself: there is nothing to ask of it. */
  goAway(): void {}

  cut(): void {
    this.break("proxy")
  }

  /** The request's content turned out to be no HTTP. */
  malformed(detail: string): void {
    this.contentRefused(new BadRequest({ detail }))
  }

  /** The client is gone: the downstream is told at once, and nobody is answered. */
  abandon(): void {
    if (this.isOver) return
    this.brokenBy ??= "client"
    this.stopContinueTimer()
    this.content?.fail("the client closed the connection")
    this.call?.cancel()
    this.source?.cancel()
    this.finish(false)
  }

  /** What is told on the way to an end may come back as another. */
  private finish(staysOpen: boolean): void {
    if (this.isOver) return
    this.isOver = true
    if (this.liveSession !== undefined) this.context.close(this)
    this.context.finished?.(this)
    this.owner.exchangeOver(this, staysOpen)
  }

  private move(head: ResponseHead, source: ChunkSource<ResponseBroken>): void {
    this.source = source
    if (this.stage === undefined) this.writer.moving(head, source)
    else this.owner.run(this.writer.staged(head, source, this.stage), (exit) => this.stageEnded(exit))
  }

  /** Nothing has been written yet of an answer that contradicts itself. */
  private refuseLength(): void {
    this.isSettled = false
    this.fail(new DownstreamProtocol({ address: "", problem: "its body is not as long as its head says" }))
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

  private settled<A, E extends ExchangeError>(exit: Exit.Exit<A, E>, next: (value: A) => void): void {
    if (this.isSettled || this.isOver) return
    if (Exit.isSuccess(exit)) return next(exit.value)
    const failure = Cause.failureOption(exit.cause)
    if (Option.isSome(failure)) this.fail(failure.value)
    else this.break("proxy")
  }

  /**
   * No more of the request is taken. Where its answer is whole that changes nothing: the connection closes behind it. One
   * that is still to come may wait for the rest of the request, and there is no other way to say so.
   */
  private contentRefused(error: ClientError): void {
    if (!this.isSettled) this.fail(error)
    else if (this.source?.isFinished === false) this.breakFor(error)
  }

  private stageEnded(exit: Exit.Exit<void, ResponseBroken>): void {
    if (Exit.isSuccess(exit)) return
    const failure = Cause.failureOption(exit.cause)
    if (Option.isSome(failure)) this.answerBroken(failure.value)
    else this.break("proxy")
  }

  /** A request of which something is still to come is answered for good: the connection closes behind the answer. */
  private finishWith(reply: Reply, close: boolean): void {
    this.isSettled = true
    this.stopContinueTimer()
    this.dropContent()
    if (close || !this.requestIsComplete || this.context.isDraining()) this.writer.announceClose()
    this.writer.reply(reply)
  }

  private dropContent(): void {
    if (this.content !== undefined) this.content.cancel()
    else if (this.hasContent) this.isContentSkipped = this.owner.skipContent()
  }

  private breakFor(error: ClientStalled | ClientError): void {
    if (this.isOver) return
    this.blamed = error
    this.context.report(this, error)
    this.break("client")
  }

  /** The reset comes first: behind an exchange that is over, its connection goes on with the next. */
  private break(by: ExchangeEnd): void {
    this.brokenBy ??= by
    this.owner.reset()
    this.abandon()
  }
}
