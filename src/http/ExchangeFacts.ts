import { Either } from "effect"
import {
  type ClientError,
  type ClientStalled,
  Defect,
  type ProxyError,
  RequestBroken,
  ResponseBroken,
} from "../domain/ProxyError.js"
import { addressOf } from "../downstream/Dial.js"
import type { DownstreamCall } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { CountedExchange, Counters } from "../telemetry/Telemetry.js"
import type { TrafficEnd, TrafficError } from "../telemetry/TrafficRecord.js"
import type { RequestTrace, WebSocketTrace } from "../traces/RequestTrace.js"
import type { Tracing } from "../traces/Tracing.js"
import type { LiveTraffic } from "../traffic/Traffic.js"
import type { ChunkSource } from "../wire/ChunkSource.js"
import type { FieldEdits } from "../wire/FieldEdits.js"
import { type RawFields, receivedRequestId } from "../wire/HeaderFields.js"
import { randomHex } from "../wire/RandomHex.js"
import type { RequestFraming } from "../wire/RequestFraming.js"
import type { ParsedRequest } from "../wire/RequestParser.js"
import { usualRules } from "../wire/RequestRules.js"
import { parseTarget, routeTemplate } from "../wire/Target.js"
import type { AnswerEditsFor } from "./AnswerEditsFor.js"
import type { AnswerWriter } from "./AnswerWriter.js"
import { EndedExchange, type RecordedExchange } from "./ExchangeRecord.js"
import type { OriginsFor } from "./OriginsFor.js"
import type { AnswerChange, Client } from "./ProxyRequest.js"
import type { ContentContext, RequestContent } from "./RequestContent.js"

/** What can go wrong with an exchange, as the log is told. */
export type ExchangeTrouble = ProxyError | ResponseBroken | ClientStalled

/** Whose request it is. */
export interface ExchangeClient {
  readonly client: Client
  /** A request that comes later than this is not taken any more, by `performance.now()`; Infinity while the proxy does not stop. */
  readonly lateFrom: number
}

/** What the exchanges of a server share. */
export interface ExchangeContext extends ContentContext {
  /** Begins and ends the accounting of live traffic. */
  readonly open: (traffic: LiveTraffic) => void
  readonly close: (traffic: LiveTraffic) => void
  /** Says in the log what went wrong with an exchange. */
  readonly logError: (exchange: ExchangeFacts, error: ExchangeTrouble) => void
  /** Says there what was put right of its answer. */
  readonly logRepair: (exchange: ExchangeFacts, repair: string) => void
  /** Begins the spans of requests; `undefined`: there are none. */
  readonly tracing: Tracing | undefined
  /** Whether the proxy is going away: connections are closed behind their answers. */
  readonly isClosing: () => boolean
  /** Whose scripts may read what goes wrong with requests for the session of this id, if any. */
  readonly originsFor: OriginsFor
  readonly answerEditsFor: AnswerEditsFor
  readonly counters: Counters
  /** Hears of the end of every exchange, well or badly, but for those that became WebSockets. `milliseconds`: how long it took. */
  readonly finished: (exchange: ExchangeFacts, milliseconds: number) => void
  /** Whether somebody wants to know, of a WebSocket that is over, what its handshake was. */
  readonly keepsHandshakes: () => boolean
}

/** Whether something broke off, and was not held to a rule. */
const isBreak = (error: ClientStalled | ClientError | ResponseBroken | RequestBroken) =>
  error instanceof ResponseBroken || error instanceof RequestBroken

/**
 * What there is to know of a request and its answer, for whoever counts, records, traces or shows it. `Exchange` extends
 * it by what is done, so that each request costs one object and not two.
 */
export abstract class ExchangeFacts implements CountedExchange, RecordedExchange {
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
  protected liveSession: LiveSession | undefined
  protected incoming: RequestContent | undefined
  protected id: string | undefined
  /** Of a trace that begins with this request, and is not recorded, the id. */
  protected trace: RequestTrace | string | undefined
  /** Who broke it off, and what the client was told instead of an answer of the session's server. */
  protected cutFrom: TrafficEnd | undefined
  protected failure: ProxyError | "reply" | undefined
  /** What broke its content off, of the request or of the answer. */
  protected broken: ClientStalled | ClientError | ResponseBroken | RequestBroken | undefined
  /** When the head of the answer was written, by `performance.now()`; 0 while it is not. */
  firstByteAt = 0
  /** What its session's server is asked by. */
  downstream: DownstreamCall | undefined
  /** The content of the server's answer, where it came in pieces. */
  protected source: ChunkSource<ResponseBroken> | undefined
  protected isContentSkipped = false
  /** While its head is being written, what ends with that ends at `firstByteAt`: to look at the clock again tells nothing. */
  protected phase: "asking" | "writing" | "answering" | "over" = "asking"
  protected abstract readonly writer: AnswerWriter

  constructor(
    protected readonly context: ExchangeContext,
    protected readonly owner: ExchangeClient,
    protected readonly request: ParsedRequest,
  ) {}

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
  protected get traceInAnyCase(): RequestTrace | string | undefined {
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

  protected get hasContent(): boolean {
    const { content } = this.framing
    return content !== "none" && content !== 0
  }

  get edits(): FieldEdits | undefined {
    return this.rules.edits
  }

  traceOf(route: string | undefined): RequestTrace | string | undefined {
    const { tracing } = this.context
    if (tracing !== undefined) this.trace ??= tracing.begin(this, route, this.begun)
    return this.trace
  }

  protected traceSwitched(trace: RequestTrace): WebSocketTrace | undefined {
    const now = performance.now()
    return trace.switched({ ...this.endedAfter(now - this.begun).record(), status: 101 }, now)
  }

  /** What a tracer throws is nothing to the connection. */
  protected endTrace(milliseconds: number): void {
    try {
      const trace = this.traceInAnyCase
      if (typeof trace === "object" && trace.isRecorded)
        trace.end(this.endedAfter(milliseconds).view, this.begun + milliseconds)
    } catch (cause) {
      this.context.logError(this, Defect.at("proxy", cause))
    }
  }
}
