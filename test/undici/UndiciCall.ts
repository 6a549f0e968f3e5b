import type { Readable } from "node:stream"
import { Exit } from "effect"
import { type Dispatcher, errors } from "undici"
import {
  Defect,
  DownstreamProtocol,
  DownstreamReset,
  DownstreamTimeout,
  RequestBroken,
  ResponseBroken,
  type StageRefused,
} from "../../src/domain/ProxyError.js"
import type { LiveSession } from "../../src/sessions/LiveSession.js"
import { Call, type CallListener, type Fork } from "../../src/step/Call.js"
import { type Body, bytes, empty, flowOf, moving } from "../../src/wire/Body.js"
import { ChunkSource, type Flow } from "../../src/wire/ChunkSource.js"
import { countOf, firstValue } from "../../src/wire/HeaderFields.js"
import { defaultParserLimits } from "../../src/wire/ResponseParser.js"
import { Deadline, type Deadlines, type Expirable } from "../../src/clock/Deadlines.js"
import { addressOf, isDialError } from "../../src/downstream/Dial.js"
import type {
  Answer,
  RequestBody,
  RequestError,
  RequestHead,
  RequestObserver,
  ResponseHead,
} from "../../src/downstream/Downstream.js"
import type { EndOfTurn, TurnListener } from "../../src/clock/EndOfTurn.js"
import type { RequestProgress } from "../../src/downstream/RequestWriter.js"
import type { UndiciLane } from "./UndiciLane.js"
import type { UndiciPools } from "./UndiciPools.js"
import { UndiciUpload } from "./UndiciUpload.js"

/** What a call needs from the layer that made it. */
export interface UndiciContext {
  readonly pools: UndiciPools
  /** For the head of a response. */
  readonly headDeadlines: Deadlines
  /** The length of `headDeadlines` in milliseconds, for the error. */
  readonly timeout: number
  /** For responses whose body may be complete by the end of the turn. */
  readonly endOfTurn: EndOfTurn<TurnListener>
  /** Counts a request that is sent again. */
  readonly countRetry: () => void
}

type Controller = Dispatcher.DispatchController

/** Fields that undici refuses to send, or writes itself. */
const refused: ReadonlySet<string> = new Set(["connection", "expect", "keep-alive", "transfer-encoding", "upgrade"])

const controlByte = /[\u0000-\u0008\u000a-\u001f\u007f]/

const sendableFields = (fields: ReadonlyArray<string>): Array<string> => {
  const out: Array<string> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    if (!refused.has(name.toLowerCase())) out.push(name, fields[index + 1] ?? "")
  }
  return out
}

/** Content that goes out piece by piece; `undefined` where it is nothing or goes as one, with its length. */
const uploadOf = (content: RequestBody, fork: Fork): Flow<RequestBroken> | undefined => {
  if (content._tag === "Empty") return undefined
  const isWhole = content._tag === "Bytes" && !content.chunked && content.stages.length === 0
  return isWhole ? undefined : flowOf(content, fork)
}

/** Raw pairs as undici hands them over: buffers, with what white space stood behind a value. */
const rawPairs = (raw: Controller["rawHeaders"]): ReadonlyArray<string> =>
  Array.isArray(raw)
    ? raw.map((item) => (typeof item === "string" ? item : item.toString("latin1")).replace(/[ \t]+$/, ""))
    : []

/**
 * The reason as latin1, as it was sent: undici has read it as UTF-8. What is no UTF-8 is lost, and there is nothing like
 * the sign that stands for it among the bytes of a status line.
 */
const rawReason = (reason: string): string => Buffer.from(reason.replaceAll("\ufffd", "?"), "utf8").toString("latin1")

/** Which rule the head of a response breaks that undici lets through; `undefined` for none. */
const headProblem = ({ status, reason, fields }: ResponseHead): string | undefined => {
  if (status < 100) return "its status is not between 100 and 999"
  if (controlByte.test(reason)) return "its reason holds a control byte"
  const codings = countOf(fields, "transfer-encoding")
  if (codings === 0 || (codings === 1 && firstValue(fields, "transfer-encoding")?.toLowerCase() === "chunked"))
    return undefined
  return "its transfer coding is not understood"
}

/** What undici found wrong with the bytes of a response; `undefined`: the connection broke. `inBody`: behind its head. */
const protocolProblem = (error: Error, inBody: boolean): string | undefined => {
  if (error instanceof errors.ResponseContentLengthMismatchError)
    return inBody ? undefined : "its framing fields contradict each other"
  if (error instanceof errors.HTTPParserError) return error.message
  if (error instanceof errors.HeadersOverflowError) return "its head is too large"
  if (error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError)
    return `undici does not send this request: ${error.message}`
  if (!(error instanceof errors.SocketError)) return undefined
  if (error.message === "bad upgrade") return "it switched protocols, which nobody had asked for"
  return error.message === "bad response" ? "it sent a response that nobody had asked for" : undefined
}

/** One request on undici's client: a state machine that undici's callbacks drive, without a fiber. */
export class UndiciCall
  extends Call<Answer, RequestError>
  implements Dispatcher.DispatchHandler, Expirable, RequestProgress, TurnListener
{
  private listener: CallListener<Answer, RequestError> | undefined
  private fork: Fork | undefined
  private hasRetried = false
  private lane: UndiciLane | undefined
  private upload: UndiciUpload | undefined
  private controller: Controller | undefined
  private reused = false
  private readonly headDeadline = new Deadline(this)
  private responseHasStarted = false
  private interims = 0
  private response: ResponseHead | undefined
  private gathered: Array<Uint8Array> = []
  private source: ChunkSource<ResponseBroken> | undefined
  private isPaused = false
  private isOver = false

  constructor(
    private readonly context: UndiciContext,
    private readonly session: LiveSession,
    private readonly request: RequestHead,
    private readonly content: RequestBody,
    private readonly observer: RequestObserver | undefined,
  ) {
    super()
  }

  override start(listener: CallListener<Answer, RequestError>, fork: Fork): void {
    this.listener = listener
    this.fork = fork
    this.send(this.context.pools.take(this.session))
  }

  override cancel(): void {
    this.settle(false)
  }

  // The request is on its way.

  onRequestStart(controller: Controller): void {
    this.controller = controller
    this.reused = this.lane?.carries() ?? false
    if (this.upload === undefined) this.requestSent()
    else if (this.content._tag === "Moving" && firstValue(this.request.fields, "expect") !== undefined)
      this.observer?.informational({ status: 100, reason: "Continue", fields: [] })
  }

  requestSent(): void {
    this.waitForHead(true)
  }

  serverIsBusy(busy: boolean): void {
    this.waitForHead(busy)
  }

  requestBroken(error: RequestBroken): void {
    if (this.response === undefined) this.fail(error)
    else if (error.refusal === undefined) this.breakResponse("the client's request broke off")
    else this.breakResponse(error.problem, undefined, error.refusal)
  }

  requestDefect(cause: unknown): void {
    const defect = Defect.at("upload stage", cause)
    if (this.response === undefined) this.end(Exit.die(defect))
    else this.breakResponse("a stage of the request's content threw", defect)
  }

  /** The deadline for the head has passed. */
  expire(): void {
    this.fail(new DownstreamTimeout({ address: this.address, milliseconds: this.context.timeout }))
  }

  // The response arrives.

  onResponseStarted(): void {
    this.responseHasStarted = true
  }

  onResponseStart(controller: Controller, status: number, _fields: unknown, reason = ""): void {
    if (this.isOver) return
    const head = { status, reason: rawReason(reason), fields: rawPairs(controller.rawHeaders) }
    const problem = headProblem(head)
    if (problem !== undefined) return this.fault(problem)
    if (status < 200) return this.interim(head)
    this.waitForHead(false)
    this.response = head
    if (this.waitsForNoBody) return this.finish([], false)
    this.context.endOfTurn.add(this)
  }

  private interim(head: ResponseHead): void {
    if (++this.interims > defaultParserLimits.maxInformational) this.fault("too many interim responses")
    else this.observer?.informational(head)
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    if (this.source === undefined) this.gathered.push(chunk)
    else this.source.push(chunk)
  }

  onResponseEnd(controller: Controller): void {
    if (this.isOver) return
    if (this.endsWithConnection && this.lane?.wasReset() === true) return this.breakResponse("the connection was reset")
    this.finish(rawPairs(controller.rawTrailers), true)
  }

  /** The rest of the body is not there yet: it becomes a body in motion. */
  turnEnded(): void {
    if (!this.isOver && this.source === undefined) this.startSource()
  }

  onResponseError(_controller: Controller | undefined, error: Error): void {
    if (this.isOver) return
    if (isDialError(error) || error instanceof RequestBroken) return this.fail(error)
    if (error instanceof errors.RequestContentLengthMismatchError)
      return this.misframed("its length is not what its Content-Length says")
    const problem = protocolProblem(error, this.response !== undefined)
    if (this.source !== undefined) this.breakResponse(problem ?? "the connection closed too early", error)
    else if (problem !== undefined) this.fault(problem)
    else this.lost(error)
  }

  private misframed(problem: string): void {
    const { content } = this
    if (content._tag === "Empty" || content.stages.length === 0) this.requestBroken(new RequestBroken({ problem }))
    else this.requestDefect(new Error(`a stage does not say that it resizes: ${problem}`))
  }

  private lost(cause: Error): void {
    if (this.response !== undefined) this.breakResponse("the connection closed before the response was complete", cause)
    else if (this.mayRetry) this.retry()
    else this.fail(new DownstreamReset({ address: this.address, cause }))
  }

  private get address(): string {
    return addressOf(this.session.target)
  }

  private send(lane: UndiciLane): void {
    const { content, request } = this
    this.lane = lane
    const flow = this.fork === undefined ? undefined : uploadOf(content, this.fork)
    this.upload = flow === undefined ? undefined : new UndiciUpload(flow, this)
    const whole = content._tag === "Bytes" ? content.bytes : null
    lane.dispatch(
      {
        path: request.target,
        // undici takes any token, and any async iterable; its types name fewer.
        method: request.method as Dispatcher.HttpMethod,
        body: this.upload === undefined ? whole : (this.upload as unknown as Readable),
        headers: sendableFields(request.fields),
        // Else undici closes the connection behind a HEAD, and behind content where it expects none.
        reset: false,
      },
      this,
    )
  }

  private waitForHead(waiting: boolean): void {
    if (this.response !== undefined || this.isOver) return
    if (waiting) this.context.headDeadlines.start(this.headDeadline)
    else this.context.headDeadlines.stop(this.headDeadline)
  }

  /** Whether the end of the connection ends the response's body (RFC 9112 section 6.3). */
  private get endsWithConnection(): boolean {
    const { request, response } = this
    if (response === undefined || request.method === "HEAD" || response.status === 204 || response.status === 304)
      return false
    const { fields } = response
    return firstValue(fields, "content-length") === undefined && firstValue(fields, "transfer-encoding") === undefined
  }

  /** undici takes the `Content-Length` of a 204 or 304 for that of a body to come (RFC 9112 section 6.3 says it is not). */
  private get waitsForNoBody(): boolean {
    const { request, response } = this
    if (response === undefined || request.method === "HEAD") return false
    if (response.status !== 204 && response.status !== 304) return false
    const length = firstValue(response.fields, "content-length") ?? "0"
    return length !== "0" || firstValue(response.fields, "transfer-encoding") !== undefined
  }

  /** A pooled connection that its server had closed already: nothing came back, and everything can be said again. */
  private get mayRetry(): boolean {
    return this.reused && !this.hasRetried && !this.responseHasStarted && this.content._tag !== "Moving"
  }

  private retry(): void {
    this.hasRetried = true
    this.observer?.retried()
    this.context.countRetry()
    this.context.headDeadlines.stop(this.headDeadline)
    if (this.lane !== undefined) this.context.pools.destroy(this.lane)
    this.send(this.context.pools.open(this.session))
  }

  private startSource(): ChunkSource<ResponseBroken> {
    const source = new ChunkSource<ResponseBroken>({
      pause: () => this.pause(),
      resume: () => this.resume(),
      cancel: () => this.settle(false),
    })
    this.source = source
    for (const chunk of this.gathered.splice(0)) source.push(chunk)
    this.answer(moving(source, this.isChunked))
    return source
  }

  private pause(): void {
    this.isPaused = true
    this.controller?.pause()
  }

  /** Not at once: undici reads on within `resume`, and must not be in the midst of reading. */
  private resume(): void {
    this.isPaused = false
    queueMicrotask(() => {
      if (!this.isPaused && !this.isOver) this.controller?.resume()
    })
  }

  /** The response is complete. `reusable`: as far as this call knows, so is the connection. */
  private finish(trailers: ReadonlyArray<string>, reusable: boolean): void {
    const { gathered, source } = this
    this.settle(reusable)
    if (source !== undefined) return source.end(trailers)
    const isEmpty = gathered.length === 0 && trailers.length === 0
    this.answer(isEmpty ? empty : bytes(Buffer.concat(gathered), this.isChunked, trailers))
  }

  private get isChunked(): boolean {
    return firstValue(this.response?.fields ?? [], "content-length") === undefined
  }

  private answer(body: Body<ResponseBroken>): void {
    if (this.response !== undefined) this.listener?.settled(Exit.succeed({ _tag: "Answer", ...this.response, body }))
  }

  /** The response failed after its head: its body must not be taken for complete. */
  private breakResponse(problem: string, cause?: unknown, refusal?: StageRefused): void {
    const source = this.source ?? this.startSource()
    this.settle(false)
    source.fail(new ResponseBroken({ sessionId: this.session.id, address: this.address, problem, cause, refusal }))
  }

  private fault(problem: string): void {
    this.fail(new DownstreamProtocol({ address: this.address, problem }))
  }

  private fail(error: RequestError): void {
    this.end(Exit.fail(error))
  }

  private end(exit: Exit.Exit<never, RequestError>): void {
    if (this.isOver) return
    this.settle(false)
    this.listener?.settled(exit)
  }

  /** The exchange with the server is over, one way or the other. */
  private settle(reusable: boolean): void {
    if (this.isOver) return
    this.isOver = true
    this.context.headDeadlines.stop(this.headDeadline)
    this.upload?.stop()
    const { lane } = this
    if (lane === undefined) return
    if (reusable) this.context.pools.give(lane)
    else this.context.pools.destroy(lane)
  }
}
