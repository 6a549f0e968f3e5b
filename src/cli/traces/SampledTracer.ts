import { Context, Option, Tracer } from "effect"
import { UntrustedParent } from "../../telemetry/Spans.js"
import { randomHex } from "../../wire/RandomHex.js"
import type { Sampling } from "./TraceVariables.js"

const noAttributes: ReadonlyMap<string, unknown> = new Map()
const noLinks: ReadonlyArray<Tracer.SpanLink> = []

/** A span that nobody records: ids and nothing else. Most are of this kind, and cost next to nothing. */
class UnsampledSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly sampled = false
  readonly attributes = noAttributes
  readonly links = noLinks
  private id: string | undefined

  constructor(
    readonly name: string,
    readonly traceId: string,
    readonly parent: Option.Option<Tracer.AnySpan>,
    readonly context: Context.Context<never>,
    private readonly startTime: bigint,
    readonly kind: Tracer.SpanKind,
  ) {}

  get spanId(): string {
    this.id ??= randomHex(8)
    return this.id
  }

  get status(): Tracer.SpanStatus {
    return { _tag: "Started", startTime: this.startTime }
  }

  end(): void {}
  attribute(): void {}
  event(): void {}
  addLinks(): void {}
}

/** Ids from the operating system's generator. The trace that begins next has one that was decided about already. */
export class SpanIds {
  nextTraceId: string | undefined

  readonly generateTraceId = (): string => {
    const id = this.nextTraceId ?? randomHex(16)
    this.nextTraceId = undefined
    return id
  }

  readonly generateSpanId = (): string => randomHex(8)
}

/** Whether a trace is one of so many, by its id alone, as everybody else decides who is told the same share. */
export type RatioOf = (traceId: string) => boolean

/**
 * A tracer that decides which traces are recorded, before it costs anything to record one. What `recording` makes is sampled.
 * Whoever names a parent without being trusted has no say: neither its flag nor its choice of a trace id counts.
 */
export const sampledTracer = (
  recording: Tracer.Tracer,
  ids: SpanIds,
  sampling: Sampling,
  isInShare: RatioOf,
): Tracer.Tracer => {
  const decides = (parent: Tracer.AnySpan): boolean => {
    if (parent._tag === "Span") return parent.sampled
    if (Context.get(parent.context, UntrustedParent)) return Math.random() < sampling.share
    return sampling.byParent ? parent.sampled : isInShare(parent.traceId)
  }
  return Tracer.make({
    // No fiber runs in any of these spans.
    context: (execution) => execution(),
    span: (name, parent, context, links, startTime, kind, options) => {
      const isRoot = Option.isNone(parent)
      const traceId = isRoot ? randomHex(16) : parent.value.traceId
      const isSampled = isRoot ? isInShare(traceId) : decides(parent.value)
      if (!isSampled) return new UnsampledSpan(name, traceId, parent, context, startTime, kind)
      if (!isRoot) return recording.span(name, parent, context, links, startTime, kind, options)
      ids.nextTraceId = traceId
      return recording.span(name, parent, context, links, startTime, kind, { ...options, root: true })
    },
  })
}
