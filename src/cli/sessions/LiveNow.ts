import { Effect } from "effect"
import type { SessionView } from "../../admin/api/SessionViews.js"
import type { LiveCount } from "../InWords.js"
import type { AdminCalls } from "../admin/AdminClient.js"
import { callFailed, secondLook } from "../admin/Proxies.js"
import { least, sum } from "../admin/BothProxies.js"
import type { CommandFailed } from "../Failure.js"

/** What is live on a session, on all proxies. */
export interface LiveNow extends LiveCount {
  /** `null` where no proxy knows yet. */
  readonly requests_per_second: number | null
  /** Seconds in which nothing has passed that counts. */
  readonly idle_seconds: number | null
}

/** Nothing is. */
export const noneLive: LiveNow = {
  requests: 0,
  streams: 0,
  websockets: 0,
  requests_per_second: null,
  idle_seconds: null,
}

const pageSize = 1_000

const nowOf = ({ activity, live }: typeof SessionView.Type): LiveNow => ({
  requests: live?.requests ?? 0,
  streams: live?.streams ?? 0,
  websockets: live?.websockets ?? 0,
  requests_per_second: live?.requests_per_second ?? null,
  idle_seconds: activity?.idle_seconds ?? null,
})

const isLive = ({ requests, streams, websockets }: LiveNow): boolean => requests + streams + websockets > 0

const merged = (one: LiveNow, other: LiveNow): LiveNow => ({
  requests: one.requests + other.requests,
  streams: one.streams + other.streams,
  websockets: one.websockets + other.websockets,
  requests_per_second: sum(one.requests_per_second, other.requests_per_second),
  idle_seconds: least(one.idle_seconds, other.idle_seconds),
})

/** The sessions of one proxy on which something is live: those of the most come first, so the first with nothing is the end. */
const liveAt = (calls: AdminCalls, prefix: string) =>
  Effect.gen(function* () {
    const found: Array<readonly [id: string, now: LiveNow]> = []
    let after: string | undefined
    do {
      const { next, sessions } = yield* calls.sessions.list({
        urlParams: {
          sort: "live",
          include: ["live", "activity"],
          limit: pageSize,
          ...(prefix !== "" && { prefix }),
          ...(after !== undefined && { after }),
        },
      })
      const all = sessions.map((view) => [view.id, nowOf(view)] as const)
      const live = all.filter(([, now]) => isLive(now))
      found.push(...live)
      after = next !== null && live.length === all.length ? next : undefined
    } while (after !== undefined)
    return found
  })

/** The sessions on which something is live, on any of these proxies, by their ids. Takes some seconds, in which rates become known. */
export const liveNow = (
  proxies: ReadonlyArray<AdminCalls>,
  prefix: string,
): Effect.Effect<ReadonlyMap<string, LiveNow>, CommandFailed> =>
  Effect.gen(function* () {
    const look = Effect.forEach(proxies, (calls) => liveAt(calls, prefix), { concurrency: 8 })
    const found = new Map<string, LiveNow>()
    for (const [id, now] of (yield* secondLook(look)).flat()) {
      const before = found.get(id)
      found.set(id, before === undefined ? now : merged(before, now))
    }
    return found
  }).pipe(Effect.mapError(callFailed))
