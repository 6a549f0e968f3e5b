import { Context, type Exit, Option, type Tracer } from "effect"
import type { TraceParent } from "../wire/TraceContext.js"

/**
 * Whether the parent of a span was named by somebody whose word about sampling does not count, because it is none of
 * `trustedProxies`. It stands in the context of that parent. A `Tracer` that looks decides as if there were no parent, and
 * still continues the trace; one that does not look finds a parent that was not sampled.
 */
export class UntrustedParent extends Context.Reference<UntrustedParent>()("@ss-proxy/UntrustedParent", {
  defaultValue: () => false,
}) {}

/**
 * The flags of a parent as the tracers of @effect/opentelemetry look for them: they take every parent for sampled that does
 * not say otherwise there. Its tag by its name, for nothing here depends on that package.
 */
const otelFlags = Context.GenericTag<"OtelTraceFlags", number>("@effect/opentelemetry/Tracer/OtelTraceFlags")

const sampledParent = Context.make(otelFlags, 1)
const unsampledParent = Context.make(otelFlags, 0)
const untrustedParent = Context.add(unsampledParent, UntrustedParent, true)

/** The span of the client's that a request is a part of. `trusted`: whether the client's word about sampling counts. */
export const clientSpan = ({ parentId, sampled, traceId }: TraceParent, trusted: boolean): Tracer.ExternalSpan => {
  const trustedParent = sampled ? sampledParent : unsampledParent
  const context = trusted ? trustedParent : untrustedParent
  return { _tag: "ExternalSpan", traceId, spanId: parentId, sampled: trusted && sampled, context }
}

/**
 * The id of a trace that begins with a span, chosen when it was decided that the trace is recorded. It stands in the context of
 * that span. A `Tracer` that does not look chooses another.
 */
export class ChosenTraceId extends Context.Reference<ChosenTraceId>()("@ss-proxy/ChosenTraceId", {
  defaultValue: (): string | undefined => undefined,
}) {}

const noContext = Context.empty()
const noLinks: ReadonlyArray<Tracer.SpanLink> = []
const asRoot: Tracer.SpanOptions = { root: true }

/**
 * Begins and ends the spans of one request, by plain calls and without a fiber. Times are those of `performance.now()`. All
 * spans of a request have one clock, so that they lie within each other whatever becomes of the system's.
 */
export class Spans {
  /** Milliseconds since the epoch where `performance.now()` is 0. */
  private readonly origin = Date.now() - performance.now()

  constructor(private readonly tracer: Tracer.Tracer) {}

  /** A span that a trace begins with. */
  beginTrace(name: string, traceId: string, kind: Tracer.SpanKind, from: number): Tracer.Span {
    const context = Context.make(ChosenTraceId, traceId)
    return this.tracer.span(name, Option.none(), context, noLinks, this.nanoseconds(from), kind, asRoot)
  }

  begin(name: string, parent: Tracer.AnySpan, kind: Tracer.SpanKind, from: number): Tracer.Span {
    return this.tracer.span(name, Option.some(parent), noContext, noLinks, this.nanoseconds(from), kind)
  }

  event(span: Tracer.Span, name: string, at: number): void {
    span.event(name, this.nanoseconds(at))
  }

  end(span: Tracer.Span, at: number, exit: Exit.Exit<unknown, unknown>): void {
    span.end(this.nanoseconds(at), exit)
  }

  /** A double holds no nanoseconds since the epoch, but microseconds. */
  private nanoseconds(at: number): bigint {
    return BigInt(Math.round((this.origin + at) * 1_000)) * 1_000n
  }
}
