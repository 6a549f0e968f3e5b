import { Context, type Exit, Option, Tracer } from "effect"
import { ChosenTraceId } from "../../traces/Spans.js"
import { randomHex } from "../../wire/RandomHex.js"
import type { EndedSpan } from "./SpanBatch.js"

/** The spans of requests have no links. */
const noLinks: ReadonlyArray<Tracer.SpanLink> = []

/**
 * A span that is recorded: as little as a batch needs to be told of it. The SDK's own spans, below those of Effect, cost many
 * times as much, which shows even where one request of a hundred is recorded.
 */
class RecordedSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly sampled = true
  readonly links = noLinks
  readonly traceId: string
  readonly spanId = randomHex(8)
  private readonly attributeNames: Array<string> = []
  private readonly attributeValues: Array<unknown> = []
  private readonly events: Array<{ readonly name: string; readonly time: bigint }> = []
  private over: { readonly endTime: bigint; readonly exit: Exit.Exit<unknown, unknown> } | undefined

  constructor(
    private readonly take: (span: EndedSpan) => void,
    readonly name: string,
    readonly parent: Option.Option<Tracer.AnySpan>,
    readonly context: Context.Context<never>,
    private readonly startTime: bigint,
    readonly kind: Tracer.SpanKind,
  ) {
    this.traceId = Option.isSome(parent) ? parent.value.traceId : (Context.get(context, ChosenTraceId) ?? randomHex(16))
  }

  get status(): Tracer.SpanStatus {
    const { over, startTime } = this
    return over === undefined ? { _tag: "Started", startTime } : { _tag: "Ended", startTime, ...over }
  }

  get attributes(): ReadonlyMap<string, unknown> {
    return new Map(this.attributeNames.map((name, index) => [name, this.attributeValues[index]]))
  }

  attribute(name: string, value: unknown): void {
    this.attributeNames.push(name)
    this.attributeValues.push(value)
  }

  event(name: string, time: bigint): void {
    this.events.push({ name, time })
  }

  addLinks(): void {}

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.over = { endTime, exit }
    const { attributeNames, attributeValues, events, kind, name, parent, spanId, startTime, traceId } = this
    const above = Option.isSome(parent) ? parent.value : undefined
    this.take({
      traceId,
      spanId,
      parent: above === undefined ? undefined : { spanId: above.spanId, isRemote: above._tag === "ExternalSpan" },
      name,
      kind,
      startTime,
      endTime,
      attributeNames,
      attributeValues,
      events,
      isError: exit._tag === "Failure",
    })
  }
}

/** A tracer that records every span that it is asked for. */
export const recordingTracer = (take: (span: EndedSpan) => void): Tracer.Tracer =>
  Tracer.make({
    // No fiber runs in any of these spans.
    context: (execution) => execution(),
    span: (name, parent, context, _links, startTime, kind) =>
      new RecordedSpan(take, name, parent, context, startTime, kind),
  })
