import { type ExportResult, ExportResultCode } from "@opentelemetry/core"
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer"
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Effect, Exit, FiberSet, type Scope } from "effect"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { collectorPost, PostFailed } from "./CollectorPost.js"
import { makeLossLog } from "./LossLog.js"
import { flushTime } from "./Traces.js"
import type { Batching, Collector } from "./TraceVariables.js"

/** How many of so many spans a collector that took them did not want (OTLP, "partial success"); 0 where it does not say. */
const refusedOf = (answer: Buffer, spans: number): number => {
  try {
    const parsed: unknown = JSON.parse(answer.toString("utf8"))
    const partial: unknown = Reflect.get(Object(parsed), "partialSuccess")
    const count = Number(Reflect.get(Object(partial), "rejectedSpans"))
    return count > 0 ? Math.min(spans, Math.trunc(count)) : 0
  } catch {
    return 0
  }
}

/**
 * Gathers spans in batches and sends them: nothing waits for it. What is more than may wait is dropped; every span is counted
 * once. Ends with the scope, and everything that is still under way.
 */
export const makeSpanSender = (
  collector: Collector,
  batching: Batching,
): Effect.Effect<(span: ReadableSpan) => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const counters = yield* Telemetry
    const log = yield* makeLossLog(collector.url)
    const { close, send } = collectorPost(collector)
    /** Spans that the batch processor holds: it does not tell, but holds so many and no more. */
    let waiting = 0
    /** Spans that were on their way when the scope closed. */
    let interrupted = 0
    yield* Effect.addFinalizer(() => {
      const unsent = waiting + interrupted
      counters.traceSpans("dropped", unsent)
      return Effect.zipRight(close, log.ended(unsent))
    })
    const underWay = yield* FiberSet.make()
    const fork = yield* FiberSet.runtime(underWay)<never>()

    const settle = (spans: number, exit: Exit.Exit<Buffer, PostFailed>): Effect.Effect<ExportResult> => {
      const refused = Exit.isSuccess(exit) ? refusedOf(exit.value, spans) : spans
      counters.traceSpans("sent", spans - refused)
      counters.traceSpans("failed", refused)
      const told = Exit.isSuccess(exit) ? log.taken(refused) : log.failed(exit.cause, refused)
      const code = Exit.isSuccess(exit) ? ExportResultCode.SUCCESS : ExportResultCode.FAILED
      return Effect.as(told, { code })
    }

    const exporter: SpanExporter = {
      export: (spans: Array<ReadableSpan>, done) => {
        waiting -= spans.length
        const json = JsonTraceSerializer.serializeRequest(spans)
        if (json === undefined) return done({ code: ExportResultCode.SUCCESS })
        const sent = Effect.flatMap(Effect.exit(send(json)), (exit) => settle(spans.length, exit))
        fork(sent).addObserver((exit) => {
          if (Exit.isFailure(exit)) interrupted += spans.length
          done(Exit.isSuccess(exit) ? exit.value : { code: ExportResultCode.FAILED })
        })
      },
      shutdown: () => Promise.resolve(),
    }

    const processor = new BatchSpanProcessor(exporter, {
      scheduledDelayMillis: batching.delay,
      maxQueueSize: batching.mostWaiting,
      maxExportBatchSize: batching.mostAtOnce,
      // The sender has a timeout of its own, and this one would begin another batch beside it.
      exportTimeoutMillis: 2 * collector.timeout,
    })
    // The batch processor waits for what it begins to send now, but not for what was on its way.
    const flush = Effect.zipRight(
      Effect.catchAllCause(
        Effect.promise(() => processor.forceFlush()),
        () => Effect.void,
      ),
      FiberSet.awaitEmpty(underWay),
    )
    yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(flush), flushTime))
    return (span) => {
      if (waiting >= batching.mostWaiting) {
        counters.traceSpans("dropped", 1)
        log.dropped()
      } else {
        waiting++
        processor.onEnd(span)
      }
    }
  })
