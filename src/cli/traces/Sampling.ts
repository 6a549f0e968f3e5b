import { Context, Option, Tracer } from "effect"
import type { RequestRecorder } from "../../telemetry/RequestTrace.js"
import { ChosenTraceId } from "../../telemetry/Spans.js"
import { randomHex } from "../../wire/RandomHex.js"
import type { Sampling } from "./TraceVariables.js"

/** Ids from the operating system's generator. The trace that begins next may have one already. */
export class SpanIds {
  nextTraceId: string | undefined

  readonly generateTraceId = (): string => {
    const id = this.nextTraceId ?? randomHex(16)
    this.nextTraceId = undefined
    return id
  }

  readonly generateSpanId = (): string => randomHex(8)
}

/** A tracer whose traces begin with the ids that were chosen for them. `ids`: where `recording` has its ids from. */
export const withChosenIds = (recording: Tracer.Tracer, ids: SpanIds): Tracer.Tracer =>
  Tracer.make({
    // No fiber runs in any of these spans.
    context: (execution) => execution(),
    span: (name, parent, context, ...more) => {
      if (Option.isNone(parent)) ids.nextTraceId = Context.get(context, ChosenTraceId)
      return recording.span(name, parent, context, ...more)
    },
  })

/**
 * Who decides what is recorded. A stranger has no say: neither the flag that it sends counts, nor its choice of a trace id. Of
 * other traces the share is told by the id, by the first half of its last eight bytes: as the SDKs for most languages do, so
 * that all who are told the same share record the same traces.
 */
export const samplerOf = ({ byParent, share }: Sampling): RequestRecorder["isSampled"] => {
  const bound = share * 2 ** 32
  return (traceId, parent) => {
    if (parent === "untrusted") return Math.random() < share
    if (byParent && parent !== "nothing") return parent === "sampled"
    return Number.parseInt(traceId.slice(16, 24), 16) < bound
  }
}
