import { Effect, Exit, FiberSet, type Scope } from "effect"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { collectorPost, type PostFailed } from "./CollectorPost.js"
import { makeLossLog } from "./LossLog.js"
import type { EndedSpan } from "./SpanBatch.js"
import { SpanQueue } from "./SpanQueue.js"
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
 * once. Ends with the scope, and everything that is still under way. `origin`: what all spans say of where they come from.
 */
export const makeSpanSender = (
  collector: Collector,
  batching: Batching,
  origin: ReadonlyMap<string, unknown>,
): Effect.Effect<(span: EndedSpan) => void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const counters = yield* Telemetry
    const log = yield* makeLossLog(collector.url)
    const { close, send } = collectorPost(collector)
    /** Spans that were on their way when the scope closed. */
    let interrupted = 0
    const queue = new SpanQueue(batching, origin, (spans, request, done) => {
      const sent = Effect.flatMap(Effect.exit(send(request)), (exit) => settle(spans, exit))
      fork(sent).addObserver((exit) => {
        if (Exit.isFailure(exit)) interrupted += spans
        done()
      })
    })
    yield* Effect.addFinalizer(() => {
      queue.stop()
      const unsent = queue.waiting + interrupted
      counters.traceSpans("dropped", unsent)
      return Effect.zipRight(close, log.ended(unsent))
    })
    const underWay = yield* FiberSet.make()
    const fork = yield* FiberSet.runtime(underWay)<never>()

    const settle = (spans: number, exit: Exit.Exit<Buffer, PostFailed>): Effect.Effect<void> => {
      const refused = Exit.isSuccess(exit) ? refusedOf(exit.value, spans) : spans
      counters.traceSpans("sent", spans - refused)
      counters.traceSpans("failed", refused)
      return Exit.isSuccess(exit) ? log.taken(refused) : log.failed(exit.cause, refused)
    }

    const flush = Effect.zipRight(
      Effect.sync(() => queue.flush()),
      FiberSet.awaitEmpty(underWay),
    )
    yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(flush), flushTime))
    return (span) => {
      if (queue.take(span)) return
      counters.traceSpans("dropped", 1)
      log.dropped()
    }
  })
