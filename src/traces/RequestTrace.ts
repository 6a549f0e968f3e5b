import { Exit, type Tracer } from "effect"
import type { RawFields } from "../wire/HeaderFields.js"
import { randomHex } from "../wire/RandomHex.js"
import {
  type ReceivedTrace,
  receivedTrace,
  type TraceFields,
  type TraceParent,
  traceParent,
  untouchedTrace,
} from "../wire/TraceContext.js"
import {
  askedAttributes,
  type AskedServer,
  describe,
  serverAttributes,
  serverFault,
  spanName,
  webSocketAttributes,
} from "./SpanAttributes.js"
import { causeOf } from "../telemetry/Failure.js"
import type { QueryRule } from "../telemetry/Redaction.js"
import { clientSpan, Spans } from "./Spans.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

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

  end(record: TrafficRecord, now: number): void {
    describe(this.span, webSocketAttributes(record))
    const { error } = record
    this.spans.end(
      this.span,
      now,
      outcomeOf(error === undefined || error.fault === "client" ? undefined : causeOf(error)),
    )
  }
}

/** The spans of a request that are recorded. Times are those of `performance.now()`. */
class Recording {
  private asked: Asked | undefined
  private lookup: { readonly from: number; readonly to: number } | undefined

  constructor(
    private readonly spans: Spans,
    readonly span: Tracer.Span,
    private readonly route: string | undefined,
    private readonly begun: number,
    private readonly query: QueryRule,
  ) {}

  lookedUp(from: number, to: number): void {
    this.lookup = { from, to }
  }

  askServer(method: string, server: AskedServer, target: string): Tracer.Span {
    const now = performance.now()
    const span = this.spans.begin(spanName(method, undefined), this.span, "client", now)
    this.asked = { span, from: now, server, target }
    return span
  }

  end(record: TrafficRecord, now: number): void {
    const { span, spans } = this
    const { server, times } = record
    if (this.lookup !== undefined) this.tell("lookup", span, this.lookup.from, this.lookup.to, undefined)
    if (this.asked !== undefined && server !== undefined) this.endAsked(this.asked, record, times, now)
    if (times.firstByte !== undefined) spans.event(span, "first_byte", this.begun + times.firstByte)
    describe(span, serverAttributes(record, this.route, this.query))
    spans.end(span, now, outcomeOf(failureOf(record)))
  }

  beginWebSocket(now: number): WebSocketTrace {
    return new WebSocketTrace(this.spans, this.spans.begin("websocket", this.span, "internal", now))
  }

  private endAsked(
    { from, server, span, target }: Asked,
    record: TrafficRecord,
    times: TrafficRecord["times"],
    now: number,
  ): void {
    const { error } = record
    const { dial = 0, hold, queue = 0 } = times
    const refusal = error?._tag === "DownstreamUnreachable" ? error.reason : undefined
    if (hold !== undefined) this.tell("hold", span, from, from + hold, refusal)
    // What the last try took is the end of the time in which it was held.
    const tried = hold === undefined ? from : from + hold - queue - dial
    const queued = tried + queue
    if (times.queue !== undefined) {
      const isFull = error?._tag === "SessionLimit" || error?._tag === "Overloaded"
      this.tell("queue", span, tried, queued, isFull ? causeOf(error) : undefined)
    }
    if (times.dial !== undefined) this.tell("dial", span, queued, queued + times.dial, refusal)
    describe(span, askedAttributes(record, server, target, this.query))
    this.spans.end(span, now, outcomeOf(serverFault(record)))
  }

  /** A part of it, which is over. */
  private tell(name: string, parent: Tracer.Span, from: number, to: number, cause: string | undefined): void {
    const span = this.spans.begin(name, parent, "internal", from)
    if (cause !== undefined) span.attribute("error.type", cause)
    this.spans.end(span, to, outcomeOf(cause))
  }
}

/** Who says whether a trace is recorded: nobody before, or a parent that may be trusted, and may have been sampled. */
export type ParentSays = "nothing" | "untrusted" | "sampled" | "unsampled"

/** What records requests. */
export interface RequestRecorder {
  readonly tracer: Tracer.Tracer
  /** Whether a trace is recorded. Asked once for each request, before anything is made for it. */
  readonly isSampled: (traceId: string, parent: ParentSays) => boolean
}

const parentSays = (parent: TraceParent | undefined, trusted: boolean): ParentSays => {
  if (parent === undefined) return "nothing"
  if (!trusted) return "untrusted"
  return parent.sampled ? "sampled" : "unsampled"
}

/** The trace fields of a request that nothing is recorded of, and whose trace begins with it. */
export const unrecordedFields = (traceId: string, keepsState: boolean): TraceFields => ({
  replaced: traceParent(traceId, randomHex(8), false),
  added: true,
  keepsState,
})

/**
 * The trace of one request, where something of it came with that or it is recorded; of any other trace there is nothing but its
 * id. Two spans are begun before it is over, for their ids are needed on the wire: its own, and that of what its session's
 * server is asked.
 */
export class RequestTrace {
  /** `traceId`: 32 hexadecimal digits, whether it is recorded or not. */
  constructor(
    private readonly received: ReceivedTrace,
    readonly traceId: string,
    private readonly recording: Recording | undefined,
  ) {}

  /** Whether it is recorded. Where not, there is no need to call `end` and `switched`. */
  get isRecorded(): boolean {
    return this.recording !== undefined
  }

  /** Whether the trace begins with this request. */
  get isFirst(): boolean {
    return this.received === undefined || this.received === "malformed"
  }

  /** It had to wait for its session to be looked up. Times are those of `performance.now()`. */
  lookedUp(from: number, to: number): void {
    this.recording?.lookedUp(from, to)
  }

  /**
   * Its session's server is asked now, with this method and target. Gives the trace fields for that: what came goes on where
   * nothing is recorded here, unless it is malformed, with which `tracestate` loses its meaning.
   */
  askServer(method: string, server: AskedServer, target: string): TraceFields {
    const { recording, traceId } = this
    if (recording === undefined) return this.isFirst ? unrecordedFields(traceId, false) : untouchedTrace
    const { spanId } = recording.askServer(method, server, target)
    return { replaced: traceParent(traceId, spanId, true), added: true, keepsState: this.received !== "malformed" }
  }

  /** It is over. `now`: as `performance.now()` tells. */
  end(record: TrafficRecord, now: number): void {
    this.recording?.end(record, now)
  }

  /** Its connection has become a WebSocket: begins that. `record`: of the request, which is over now. */
  switched(record: TrafficRecord, now: number): WebSocketTrace | undefined {
    const webSocket = this.recording?.beginWebSocket(now)
    this.recording?.end(record, now)
    return webSocket
  }
}

/** Of a trace that begins with a request, and is not recorded, there is nothing but the id: most are such. */
const unrecorded = (received: ReceivedTrace, traceId: string): RequestTrace | string =>
  received === undefined ? traceId : new RequestTrace(received, traceId, undefined)

/**
 * Begins the trace of a request, or gives the id of one that begins with it and is not recorded. `route`: the template of its
 * path; `begun`: when it began, as `performance.now()` tells; `query`: what is shown of queries.
 */
export const beginTrace = (
  { isSampled, tracer }: RequestRecorder,
  request: TracedRequest,
  route: string | undefined,
  begun: number,
  query: QueryRule,
): RequestTrace | string => {
  const received = receivedTrace(request.fields)
  const parent = received === "malformed" ? undefined : received
  const traceId = parent?.traceId ?? randomHex(16)
  if (!isSampled(traceId, parentSays(parent, request.client.trusted))) return unrecorded(received, traceId)
  const spans = new Spans(tracer)
  const name = spanName(request.method, route)
  const span =
    parent === undefined
      ? spans.beginTrace(name, traceId, "server", begun)
      : spans.begin(name, clientSpan(parent, request.client.trusted), "server", begun)
  if (!span.sampled) return unrecorded(received, span.traceId)
  return new RequestTrace(received, span.traceId, new Recording(spans, span, route, begun, query))
}
