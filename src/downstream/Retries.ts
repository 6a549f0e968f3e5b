import { Effect, Metric, Runtime } from "effect"

/**
 * How many requests were sent again, on a fresh connection, since their server had closed the pooled one just then. Of
 * all proxies in this process, since it began.
 */
export const downstreamRetries = Metric.counter("ss_proxy_downstream_retries", {
  description: "requests sent again on a fresh connection, for the pooled one had been closed",
  incremental: true,
})

/** Counts one; a plain call, for who has no fiber. */
export const makeRetryCounter: Effect.Effect<() => void> = Effect.map(Effect.runtime<never>(), (runtime) => {
  const count = Runtime.runFork(runtime)
  return () => void count(Metric.increment(downstreamRetries))
})
