import { Exit, Option, type Tracer } from "effect"
import type { RawFields } from "../wire/HeaderFields.js"
import {
  type ReceivedTrace,
  receivedTrace,
  type TraceFields,
  traceParent,
  untouchedTrace,
} from "../wire/TraceContext.js"
import {
  askedAttributes,
  type AskedServer,
  causeOf,
  describe,
  serverAttributes,
  serverFault,
  spanName,
  webSocketAttributes,
} from "./SpanAttributes.js"
import { clientSpan, Spans } from "./Spans.js"
import type { TrafficRecord } from "./TrafficRecord.js"

/** A request, as far as it decides about its trace. */
export interface TracedRequest {
  readonly method: string
  /** Raw field pairs, flat. */
  readonly fields: RawFields
  readonly client: { readonly trusted: boolean }
}

const outcomeOf = (cause: string | undefined): Exit.Exit<void, string> =>
  cause === undefined ? Exit.void : Exit.fail(cause)

/** Why a request's own span counts as failed: the fault is the proxy's or its server's. A client may leave as it likes. */
const failureOf = ({ end, error, status }: TrafficRecord): string | undefined => {
  if (status < 500 && (end === "complete" || end === "client")) return undefined
  return error === undefined ? `broken off by the ${end}` : causeOf(error)
}

/** What was asked of a session's server. */
interface Asked {
  readonly span: Tracer.Span
  readonly from: number
  readonly server: AskedServer
  readonly target: string
}

/** A WebSocket as a part of the request that asked for it, which is over when it begins. */
export class WebSocketTrace {
  constructor(
    private readonly spans: Spans,
    private readonly span: Tracer.Span,
  ) {}

  get traceId(): string {
    return this.span.traceId
  }

  end(record: TrafficRecord, now: number): void {
    describe(this.span, webSocketAttributes(record))
    this.spans.end(this.span, now, outcomeOf(record.error === undefined ? undefined : causeOf(record.error)))
  }
}

/**
 * The spans of one request. Two of them are begun before it is over, for their ids are needed on the wire: its own, and
 * where that is sampled that of what its session's server is asked. Times are those of `performance.now()`.
 */
export class RequestTrace {
  private readonly received: ReceivedTrace
  private readonly spans: Spans
  private readonly span: Tracer.Span
  private asked: Asked | undefined
  private lookup: { readonly from: number; readonly to: number } | undefined

  constructor(
    tracer: Tracer.Tracer,
    request: TracedRequest,
    private readonly route: string | undefined,
    private readonly begun: number,
  ) {
    this.received = receivedTrace(request.fields)
    this.spans = new Spans(tracer)
    const parent = clientSpan(this.received, request.client.trusted)
    this.span = this.spans.begin(spanName(request.method, route), parent, "server", begun)
  }

  /** 32 hexadecimal digits, whether it is sampled or not. */
  get traceId(): string {
    return this.span.traceId
  }

  /** Whether anybody will see its spans. `end` and `switched` do nothing where not. */
  get isSampled(): boolean {
    return this.span.sampled
  }

  /** Whether the trace begins with this request. */
  get isFirst(): boolean {
    return this.received === undefined || this.received === "malformed"
  }

  /** It had to wait for its session to be looked up. */
  lookedUp(from: number, to: number): void {
    this.lookup = { from, to }
  }

  /**
   * Its session's server is asked, with this method and target. Gives the trace fields for that: what came goes on where
   * nothing is recorded here, unless it is malformed, with which `tracestate` loses its meaning.
   */
  askServer(method: string, server: AskedServer, target: string, now: number): TraceFields {
    const keepsState = this.received !== "malformed"
    const { span } = this
    if (span.sampled) {
      const asked = this.spans.begin(spanName(method, undefined), Option.some(span), "client", now)
      this.asked = { span: asked, from: now, server, target }
      return { replaced: traceParent(asked.traceId, asked.spanId, true), added: true, keepsState }
    }
    if (!this.isFirst) return untouchedTrace
    return { replaced: traceParent(span.traceId, span.spanId, false), added: true, keepsState }
  }

  /** It is over. */
  end(record: TrafficRecord, now: number): void {
    const { span, spans } = this
    if (!span.sampled) return
    if (this.lookup !== undefined) this.tell("lookup", span, this.lookup.from, this.lookup.to, undefined)
    if (this.asked !== undefined && record.server !== undefined) this.endAsked(this.asked, record, now)
    if (record.times.firstByte !== undefined) spans.event(span, "first_byte", this.begun + record.times.firstByte)
    describe(span, serverAttributes(record, this.route))
    spans.end(span, now, outcomeOf(failureOf(record)))
  }

  /** Its connection has become a WebSocket: begins that. `record`: of the request, which is over now. */
  switched(record: TrafficRecord, now: number): WebSocketTrace {
    const webSocket = this.spans.begin("websocket", Option.some(this.span), "internal", now)
    this.end(record, now)
    return new WebSocketTrace(this.spans, webSocket)
  }

  private endAsked({ from, server, span, target }: Asked, record: TrafficRecord, now: number): void {
    const { error, times } = record
    const queued = from + (times.queue ?? 0)
    if (times.queue !== undefined) {
      const isFull = error?._tag === "SessionLimit" || error?._tag === "Overloaded"
      this.tell("queue", span, from, queued, isFull ? causeOf(error) : undefined)
    }
    const refusal = error?._tag === "DownstreamUnreachable" ? error.reason : undefined
    if (times.dial !== undefined) this.tell("dial", span, queued, queued + times.dial, refusal)
    describe(span, askedAttributes(record, server, target))
    this.spans.end(span, now, outcomeOf(serverFault(record)))
  }

  /** A part of it, which is over. */
  private tell(name: string, parent: Tracer.Span, from: number, to: number, cause: string | undefined): void {
    const span = this.spans.begin(name, Option.some(parent), "internal", from)
    describe(span, { "error.type": cause })
    this.spans.end(span, to, outcomeOf(cause))
  }
}
