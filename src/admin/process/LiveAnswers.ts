import { Effect } from "effect"
import type { QueryRule } from "../../telemetry/Redaction.js"
import type { Counters } from "../../telemetry/Telemetry.js"
import type { LiveTraffic, Traffic } from "../../traffic/Traffic.js"
import type { LiveView } from "../api/LiveView.js"
import type { Answers, LiveQuestion, TrafficCounts } from "../fleet/Questions.js"
import { ageOf, kindOf, liveView, silenceOf } from "../fleet/Shapes.js"
import { eachSliced } from "../fleet/Sliced.js"

/** What is under way in this process. */
export interface LiveParts {
  readonly traffic: typeof Traffic.Service
  readonly counters: Counters
  /** What is shown of the queries of targets. */
  readonly query: QueryRule
}

const fits = (one: LiveTraffic, query: LiveQuestion, after: number, now: number): boolean => {
  const { client, kind, olderThan, session, silentFor } = query
  if (one.serial <= after || (session !== undefined && one.session?.id !== session)) return false
  if (kind !== undefined && kindOf(one) !== kind) return false
  if (client !== undefined && one.clientAddress !== client) return false
  if (olderThan !== undefined && ageOf(one, now) < olderThan) return false
  return silentFor === undefined || silenceOf(one, now) >= silentFor
}

/** Serial numbers grow. */
const byAge = (one: LiveTraffic, other: LiveTraffic): number => one.serial - other.serial

const byBytes = (one: LiveTraffic, other: LiveTraffic): number =>
  other.bytesIn + other.bytesOut - (one.bytesIn + one.bytesOut)

const nothing: TrafficCounts = { requests: 0, streams: 0, websockets: 0 }

const oneMore = (counts: TrafficCounts, traffic: LiveTraffic): TrafficCounts => {
  switch (kindOf(traffic)) {
    case "request":
      return { ...counts, requests: counts.requests + 1 }
    case "stream":
      return { ...counts, streams: counts.streams + 1 }
    case "websocket":
      return { ...counts, websockets: counts.websockets + 1 }
  }
}

/** How much of all this is under way, by session; `wanted`: whether a session is asked for. */
const countsBySession = (
  things: ReadonlyArray<LiveTraffic>,
  wanted: (session: string) => boolean,
): Effect.Effect<ReadonlyMap<string, TrafficCounts>> => {
  const counts = new Map<string, TrafficCounts>()
  return Effect.as(
    eachSliced(things, (one) => {
      const id = one.session?.id ?? ""
      if (wanted(id)) counts.set(id, oneMore(counts.get(id) ?? nothing, one))
    }),
    counts,
  )
}

/** How much of all this is under way. */
export const countOf = (things: ReadonlyArray<LiveTraffic>): Effect.Effect<TrafficCounts> =>
  Effect.suspend(() => {
    let counts = nothing
    return Effect.map(
      eachSliced(things, (one) => (counts = oneMore(counts, one))),
      () => counts,
    )
  })

/** How much is under way of each session of which anything is. */
export const sumsBySession = (
  things: ReadonlyArray<LiveTraffic>,
  wanted: (session: string) => boolean,
): Effect.Effect<ReadonlyMap<string, number>> => {
  const sums = new Map<string, number>()
  return Effect.as(
    eachSliced(things, ({ session }) => {
      const id = session?.id ?? ""
      if (wanted(id)) sums.set(id, (sums.get(id) ?? 0) + 1)
    }),
    sums,
  )
}

/** Answers about what is under way. */
export const liveAnswers = ({
  counters,
  query: rule,
  traffic,
}: LiveParts): Pick<Answers, "live" | "find" | "end" | "counts"> => {
  const serialOf = (id: string): number | undefined => {
    const [process, serial = "", ...more] = id.split("-")
    if (process !== counters.process || more.length > 0 || !/^[0-9a-z]{1,11}$/.test(serial)) return undefined
    return parseInt(serial, 36)
  }
  const shown = (one: LiveTraffic) => liveView(one, counters.idOf(one.serial), performance.now(), rule)
  const things = Effect.sync(() => traffic.things())

  return {
    live: (query) =>
      Effect.gen(function* () {
        const now = performance.now()
        const after = query.after.find(([process]) => process === counters.process)?.[1] ?? 0
        const found: Array<LiveTraffic> = []
        yield* eachSliced(traffic.things(), (one) => {
          if (fits(one, query, after, now)) found.push(one)
        })
        found.sort(query.sort === "age" ? byAge : byBytes)
        const views: Array<typeof LiveView.Type> = []
        yield* eachSliced(found.slice(0, query.limit), (one) => views.push(shown(one)))
        return views
      }),
    find: ({ id }) =>
      Effect.map(things, (all) => {
        const serial = serialOf(id)
        const found = serial === undefined ? undefined : all.find((one) => one.serial === serial)
        return found === undefined ? null : shown(found)
      }),
    end: ({ close, id }) =>
      Effect.sync(() => {
        const serial = serialOf(id)
        const ended = serial === undefined ? undefined : traffic.closeNow(serial, close)
        return ended === undefined ? null : (ended.session?.id ?? "")
      }),
    counts: ({ ids }) =>
      Effect.flatMap(things, (all) => {
        const wanted = new Set(ids)
        return Effect.map(
          countsBySession(all, (id) => wanted.has(id)),
          (counts) => Array.from(counts),
        )
      }),
  }
}
