import { type HrTime, SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api"
import type { Resource } from "@opentelemetry/resources"
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base"
import { Context, type Exit, Option, Tracer } from "effect"
import { ChosenTraceId } from "../../traces/Spans.js"
import { randomHex } from "../../wire/RandomHex.js"

/** Where recorded spans go when they are over, and what all of them say. */
export interface SpanOutlet {
  readonly resource: Resource
  readonly take: (span: ReadableSpan) => void
}

const kinds: Readonly<Record<Tracer.SpanKind, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

const nanosecondsOfSecond = 1_000_000_000n

const timeOf = (nanoseconds: bigint): HrTime => [
  Number(nanoseconds / nanosecondsOfSecond),
  Number(nanoseconds % nanosecondsOfSecond),
]

const scope = { name: "ss-proxy" }

const contextOf = ({ spanId, traceId }: Tracer.AnySpan, isRemote: boolean) => ({
  traceId,
  spanId,
  traceFlags: TraceFlags.SAMPLED,
  isRemote,
})

type Value = string | number | boolean

/**
 * A span that is recorded: as little as OpenTelemetry's exporters need. The SDK's own spans, below those of Effect, cost several
 * times as much, which shows even where one request of a hundred is recorded.
 */
class RecordedSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly sampled = true
  readonly links: ReadonlyArray<Tracer.SpanLink> = []
  readonly traceId: string
  readonly spanId = randomHex(8)
  status: Tracer.SpanStatus
  private readonly values: Record<string, Value> = {}
  private readonly events: Array<TimedEvent> = []

  constructor(
    private readonly outlet: SpanOutlet,
    readonly name: string,
    readonly parent: Option.Option<Tracer.AnySpan>,
    readonly context: Context.Context<never>,
    private readonly startTime: bigint,
    readonly kind: Tracer.SpanKind,
  ) {
    this.traceId = Option.isSome(parent) ? parent.value.traceId : (Context.get(context, ChosenTraceId) ?? randomHex(16))
    this.status = { _tag: "Started", startTime }
  }

  get attributes(): ReadonlyMap<string, unknown> {
    return new Map(Object.entries(this.values))
  }

  attribute(name: string, value: unknown): void {
    const isValue = typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    this.values[name] = isValue ? value : String(value)
  }

  event(name: string, time: bigint): void {
    this.events.push({ name, time: timeOf(time) })
  }

  /** The spans of requests have none. */
  addLinks(): void {}

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    const { startTime } = this
    this.status = { _tag: "Ended", startTime, endTime, exit }
    this.outlet.take(this.readable(endTime, exit._tag === "Failure"))
  }

  private readable(endTime: bigint, isError: boolean): ReadableSpan {
    const { kind, name, parent, startTime } = this
    const context = contextOf(this, false)
    return {
      name,
      kind: kinds[kind],
      spanContext: () => context,
      ...(Option.isSome(parent) && {
        parentSpanContext: contextOf(parent.value, parent.value._tag === "ExternalSpan"),
      }),
      startTime: timeOf(startTime),
      endTime: timeOf(endTime),
      duration: timeOf(endTime - startTime),
      status: { code: isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
      attributes: this.values,
      links: [],
      events: this.events,
      ended: true,
      resource: this.outlet.resource,
      instrumentationScope: scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    }
  }
}

/** A tracer that records every span that it is asked for. */
export const recordingTracer = (outlet: SpanOutlet): Tracer.Tracer =>
  Tracer.make({
    // No fiber runs in any of these spans.
    context: (execution) => execution(),
    span: (name, parent, context, _links, startTime, kind) =>
      new RecordedSpan(outlet, name, parent, context, startTime, kind),
  })
