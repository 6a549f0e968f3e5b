import { Effect } from "effect"
import type { Counters } from "../../telemetry/Telemetry.js"
import type { Answers, TrafficCounts } from "../fleet/Questions.js"
import { timestamp } from "../fleet/Shapes.js"

/** What a process does. */
export interface Doing {
  readonly isDraining: () => boolean
  readonly live: Effect.Effect<TrafficCounts>
}

/** What any process tells of itself, also one that serves nobody. */
export const makeProcessAnswers = (
  counters: Counters,
  { isDraining, live }: Doing,
): Pick<Answers, "process" | "snapshot"> => ({
  process: () =>
    Effect.map(live, (counts) => {
      const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
      return {
        process: counters.process,
        pid: process.pid,
        started_at: timestamp(performance.timeOrigin),
        uptime_seconds: Math.floor(performance.now() / 1_000),
        draining: isDraining(),
        live: counts,
        memory: { rss, heap_used: heapUsed, heap_total: heapTotal, external },
        loop_utilization: performance.eventLoopUtilization().utilization,
      }
    }),
  snapshot: () => counters.snapshot,
})
