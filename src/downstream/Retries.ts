import { Effect, Metric } from "effect"

/**
 * How many requests were sent again, on a fresh connection, since their server had closed the pooled one just then. Of
 * all proxies in this process, since it began.
 */
export const downstreamRetries = Metric.counter("ss_proxy_downstream_retries", {
  description: "requests sent again on a fresh connection, for the pooled one had been closed",
  incremental: true,
})

/** Counts one, under the metric labels in force where it is made. */
export const makeRetryCounter: Effect.Effect<() => void> = Effect.map(
  Effect.metricLabels,
  // "Unsafe" is what `Metric.increment` does inside: callers have no fiber, and one for each count would be a waste.
  (labels) => () => downstreamRetries.unsafeUpdate(1, labels),
)
