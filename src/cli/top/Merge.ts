import { least, most, sum } from "../admin/BothProxies.js"
import type { LiveRow, Rates, SessionRow, SessionState, Snapshot, Totals } from "./Snapshot.js"

/** What one proxy says. */
export interface ProxyAnswer {
  readonly totals: Totals
  readonly sessions: ReadonlyArray<SessionRow>
  readonly hasMore: boolean
  readonly live: ReadonlyArray<LiveRow>
  /** Processes of it that did not answer. */
  readonly missing: ReadonlyArray<string>
  /** When the database was last heard of, in milliseconds since the epoch, where it is away. */
  readonly asOf: number | undefined
}

/** Of percentiles the worst: those of all requests together cannot be made of them. */
const mergedRates = (one: Rates, other: Rates): Rates => ({
  requestsPerSecond: sum(one.requestsPerSecond, other.requestsPerSecond),
  errorsPerSecond: sum(one.errorsPerSecond, other.errorsPerSecond),
  bytesInPerSecond: sum(one.bytesInPerSecond, other.bytesInPerSecond),
  bytesOutPerSecond: sum(one.bytesOutPerSecond, other.bytesOutPerSecond),
  p50: most(one.p50, other.p50),
  p99: most(one.p99, other.p99),
})

const byUrgency: ReadonlyArray<SessionState> = ["failing", "draining", "closed", "ok"]

const mergedRow = (one: SessionRow, other: SessionRow): SessionRow => ({
  ...one,
  ...mergedRates(one, other),
  state: byUrgency.find((state) => state === one.state || state === other.state) ?? "ok",
  drainingUntil: most(one.drainingUntil, other.drainingUntil),
  requests: one.requests + other.requests,
  streams: one.streams + other.streams,
  websockets: one.websockets + other.websockets,
  ...(one.lastError === undefined
    ? { lastError: other.lastError, lastReason: other.lastReason }
    : { lastError: one.lastError, lastReason: one.lastReason }),
  idle: least(one.idle, other.idle),
})

const mergedTotals = (one: Totals, other: Totals): Totals => ({
  ...mergedRates(one, other),
  version: one.version === other.version ? one.version : `${one.version}, ${other.version}`,
  processes: one.processes + other.processes,
  draining: one.draining + other.draining,
  uptime: Math.max(one.uptime, other.uptime),
  streams: one.streams + other.streams,
  websockets: one.websockets + other.websockets,
  // They share the store.
  sessions: Math.max(one.sessions, other.sessions),
})

/** What all that answered say together. `silent`: proxies that did not answer. `time`: milliseconds since the epoch. */
export const mergedAnswers = (
  answers: readonly [ProxyAnswer, ...ReadonlyArray<ProxyAnswer>],
  silent: ReadonlyArray<string>,
  time: number,
): Snapshot => {
  const [first, ...others] = answers
  const sessions = new Map<string, SessionRow>()
  for (const answer of answers)
    for (const row of answer.sessions) {
      const before = sessions.get(row.id)
      sessions.set(row.id, before === undefined ? row : mergedRow(before, row))
    }
  return {
    time,
    totals: others.reduce((totals, answer) => mergedTotals(totals, answer.totals), first.totals),
    sessions: [...sessions.values()],
    hasMore: answers.some(({ hasMore }) => hasMore),
    missing: [...answers.flatMap(({ missing }) => missing), ...silent],
    asOf: answers.map(({ asOf }) => asOf).reduce(least),
  }
}
