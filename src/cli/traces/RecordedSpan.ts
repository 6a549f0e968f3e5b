import { Context, type Exit, Option, Tracer } from "effect"
import { ChosenTraceId } from "../../traces/Spans.js"
import { randomHex } from "../../wire/RandomHex.js"
import { attributesText } from "./OtlpText.js"

/** Takes a span that is over, as OTLP has it in JSON. */
export type SpanOutlet = (span: string) => void

/** As OTLP numbers them. */
const kinds: Readonly<Record<Tracer.SpanKind, number>> = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 }

/** `flags` of OTLP: sampled, and whether its parent is a span of somebody else's is known, or is so. */
const sampledFlags = 0x101
const belowRemoteFlags = 0x301

/**
 * A span that is recorded. It becomes text when it ends: what the SDK's spans and exporters make of one until it is sent takes
 * several times as long, which shows even where one request of a hundred is recorded.
 */
class RecordedSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly sampled = true
  readonly links: ReadonlyArray<Tracer.SpanLink> = []
  readonly attributes = new Map<string, unknown>()
  readonly traceId: string
  readonly spanId = randomHex(8)
  private over: { readonly endTime: bigint; readonly exit: Exit.Exit<unknown, unknown> } | undefined
  private events = ""

  constructor(
    private readonly take: SpanOutlet,
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

  attribute(name: string, value: unknown): void {
    this.attributes.set(name, value)
  }

  event(name: string, time: bigint): void {
    this.events += `${this.events === "" ? "" : ","}{"name":"${name}","timeUnixNano":"${time}"}`
  }

  /** The spans of requests have none. */
  addLinks(): void {}

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    this.over = { endTime, exit }
    this.take(this.textUntil(endTime, exit._tag === "Failure"))
  }

  /** Names are those of methods and routes, of a closed list: none needs an escape. */
  private textUntil(endTime: bigint, isError: boolean): string {
    const { attributes, events, kind, name, parent, spanId, startTime, traceId } = this
    const above = Option.isSome(parent) ? parent.value : undefined
    const parentId = above === undefined ? "" : `"parentSpanId":"${above.spanId}",`
    const flags = above?._tag === "ExternalSpan" ? belowRemoteFlags : sampledFlags
    return (
      `{"traceId":"${traceId}","spanId":"${spanId}",${parentId}"flags":${flags},"name":"${name}","kind":${kinds[kind]},` +
      `"startTimeUnixNano":"${startTime}","endTimeUnixNano":"${endTime}","attributes":[${attributesText(attributes)}],` +
      `"events":[${events}],"status":{"code":${isError ? 2 : 0}}}`
    )
  }
}

/** A tracer that records every span that it is asked for. */
export const recordingTracer = (take: SpanOutlet): Tracer.Tracer =>
  Tracer.make({
    // No fiber runs in any of these spans.
    context: (execution) => execution(),
    span: (name, parent, context, _links, startTime, kind) =>
      new RecordedSpan(take, name, parent, context, startTime, kind),
  })
