import { Effect } from "effect"
import { quantileOf } from "../../telemetry/Quantile.js"
import { durationBounds } from "../../telemetry/Totals.js"
import type { LiveCounts } from "../api/SessionViews.js"
import { byIdOf } from "./ById.js"
import { answersIn, type FleetService } from "./Fleet.js"
import type { TrafficCounts, WatchedNumbers } from "./Questions.js"
import { rounded, roundedOrNull } from "./Shapes.js"

type Rates = NonNullable<WatchedNumbers["rates"]>

/** Buckets of both; an empty list is one of zeros. */
const bothBuckets = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): ReadonlyArray<number> => {
  if (one.length === 0) return other
  return other.length === 0 ? one : one.map((count, bucket) => count + (other[bucket] ?? 0))
}

const bothRates = (one: Rates, other: Rates): Rates => ({
  requests: one.requests + other.requests,
  errors: one.errors + other.errors,
  bytesIn: one.bytesIn + other.bytesIn,
  bytesOut: one.bytesOut + other.bytesOut,
  latencies: bothBuckets(one.latencies, other.latencies),
})

const later = (one: WatchedNumbers["lastError"], other: WatchedNumbers["lastError"]): WatchedNumbers["lastError"] => {
  if (one === null || other === null) return one ?? other
  return other.time > one.time ? other : one
}

/** What two processes know of a watched session, together. */
export const mergedWatched = (one: WatchedNumbers, other: WatchedNumbers): WatchedNumbers => ({
  live: {
    requests: one.live.requests + other.live.requests,
    streams: one.live.streams + other.live.streams,
    websockets: one.live.websockets + other.live.websockets,
  },
  rates: one.rates === null || other.rates === null ? (one.rates ?? other.rates) : bothRates(one.rates, other.rates),
  lastError: later(one.lastError, other.lastError),
})

/** Rates of sessions that somebody looks at, from the second look on. */
export const watchedSessions = (
  { ask }: FleetService,
  ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlyMap<string, WatchedNumbers>> =>
  Effect.map(
    ask((process) => process.watched({ ids })),
    (gathered) => byIdOf(answersIn(gathered), mergedWatched),
  )

const noneLive: TrafficCounts = { requests: 0, streams: 0, websockets: 0 }

/** What is shown of a session. `counts`: what is under way; that of the end of the last second where it is missing. */
export const liveCountsView = (
  { lastError, live, rates }: WatchedNumbers = { live: noneLive, rates: null, lastError: null },
  counts: TrafficCounts = live,
): typeof LiveCounts.Type => {
  const latencies = Float64Array.from(rates?.latencies ?? [])
  const per = (count: number | undefined): number | null => (count === undefined ? null : rounded(count))
  const quantile = (part: number): number | null =>
    roundedOrNull(quantileOf(durationBounds, latencies, 0, part) * 1_000)
  return {
    ...counts,
    requests_per_second: per(rates?.requests),
    errors_per_second: per(rates?.errors),
    bytes_in_per_second: per(rates?.bytesIn),
    bytes_out_per_second: per(rates?.bytesOut),
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
    last_error: lastError?.code ?? null,
  }
}
