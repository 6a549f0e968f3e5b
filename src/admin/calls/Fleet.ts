import { Context, Effect, Layer, Option } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import type { KillClose } from "../../domain/SessionControl.js"
import { ErrorRing, type FailureQuery, type RememberedFailure } from "../../telemetry/ErrorRing.js"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { type LiveTraffic, Traffic } from "../../traffic/Traffic.js"
import type { LiveView } from "../api/LiveGroup.js"
import type { ProcessView } from "../api/ProxyGroup.js"
import type { LiveCounts } from "../api/SessionGroup.js"
import { ageOf, kindOf, liveView, silenceOf, timestamp } from "./Shapes.js"
import { eachSliced } from "./Sliced.js"

/** What of all that is under way is asked for. Times in milliseconds. */
export interface LiveQuery {
  readonly session: string | undefined
  readonly kind: (typeof LiveView.Type)["kind"] | undefined
  readonly client: string | undefined
  readonly olderThan: number | undefined
  readonly silentFor: number | undefined
  /** Those that have been there longest come first, or those of the most bytes. */
  readonly sort: "age" | "bytes"
  readonly limit: number
  /** Leaves out those with this serial number and before. */
  readonly after: number
}

/** What processes said, and those that did not answer in time. */
export interface Gathered<A> {
  readonly found: ReadonlyArray<A>
  readonly missing: ReadonlyArray<string>
}

/** A page of what is under way. `last`: the serial number to go on behind; `undefined` at the end. */
export interface LivePage extends Gathered<typeof LiveView.Type> {
  readonly last: number | undefined
}

/** How much is under way. */
export type TrafficCounts = Pick<typeof LiveCounts.Type, "requests" | "streams" | "websockets">

/** The processes of the proxy, as the admin API asks them. */
export class Fleet extends Context.Tag("@ss-proxy/Fleet")<
  Fleet,
  {
    readonly processes: Effect.Effect<Gathered<typeof ProcessView.Type>>
    /** What is under way. */
    readonly live: (query: LiveQuery) => Effect.Effect<LivePage>
    /** One thing that is under way, by its id. An id of before a restart names nothing. */
    readonly find: (id: string) => Effect.Effect<Option.Option<typeof LiveView.Type>>
    /** Ends it (`LiveTraffic.closeNow`). Gives the id of its session; none where it is not under way. */
    readonly end: (id: string, close: KillClose) => Effect.Effect<Option.Option<string>>
    /** The latest failures that were not a client's fault, newest first. */
    readonly errors: (query: FailureQuery) => Effect.Effect<Gathered<RememberedFailure>>
    /** How much is under way, by session. */
    readonly liveCounts: Effect.Effect<ReadonlyMap<string, TrafficCounts>>
  }
>() {
  /** The one process that this is. */
  static readonly layerHere: Layer.Layer<Fleet, never, ProxyConfig | Traffic | ErrorRing> = Layer.effect(
    Fleet,
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const counters = yield* Telemetry
      const ring = yield* ErrorRing
      const { logQuery } = yield* ProxyConfig

      const serialOf = (id: string): number | undefined => {
        const [process, serial = "", ...more] = id.split("-")
        if (process !== counters.process || more.length > 0 || !/^[0-9a-z]{1,11}$/.test(serial)) return undefined
        return parseInt(serial, 36)
      }
      const shown = (one: LiveTraffic) => liveView(one, counters.idOf(one.serial), performance.now(), logQuery)

      const live = (query: LiveQuery): Effect.Effect<LivePage> =>
        Effect.gen(function* () {
          const now = performance.now()
          const found: Array<LiveTraffic> = []
          yield* eachSliced(traffic.things(), (one) => {
            if (fits(one, query, now)) found.push(one)
          })
          found.sort(query.sort === "age" ? byAge : byBytes)
          const page = found.slice(0, query.limit)
          const views: Array<typeof LiveView.Type> = []
          yield* eachSliced(page, (one) => views.push(shown(one)))
          const isAll = page.length === found.length || query.sort !== "age"
          return { found: views, missing: [], last: isAll ? undefined : page.at(-1)?.serial }
        })

      return {
        processes: Effect.map(
          Effect.suspend(() => liveCounts(traffic.things())),
          (counts) => ({
            found: [processView(counters.process, traffic.isDraining(), counts)],
            missing: [],
          }),
        ),
        live,
        find: (id) =>
          Effect.sync(() => {
            const serial = serialOf(id)
            const found = traffic.things().find((one) => one.serial === serial)
            return Option.map(Option.fromNullable(found), shown)
          }),
        end: (id, close) =>
          Effect.sync(() => {
            const serial = serialOf(id)
            const ended = serial === undefined ? undefined : traffic.closeNow(serial, close)
            return Option.map(Option.fromNullable(ended), ({ session }) => session?.id ?? "")
          }),
        errors: (query) => Effect.sync(() => ({ found: ring.find(query), missing: [] })),
        liveCounts: Effect.suspend(() => liveCounts(traffic.things())),
      }
    }),
  )
}

const fits = (one: LiveTraffic, query: LiveQuery, now: number): boolean => {
  const { after, client, kind, olderThan, session, silentFor } = query
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

const liveCounts = (things: ReadonlyArray<LiveTraffic>): Effect.Effect<ReadonlyMap<string, TrafficCounts>> => {
  const counts = new Map<string, TrafficCounts>()
  return Effect.as(
    eachSliced(things, (one) => {
      const id = one.session?.id ?? ""
      counts.set(id, oneMore(counts.get(id) ?? nothing, one))
    }),
    counts,
  )
}

const sumOf = (counts: Iterable<TrafficCounts>): TrafficCounts => {
  let [requests, streams, websockets] = [0, 0, 0]
  for (const one of counts) {
    requests += one.requests
    streams += one.streams
    websockets += one.websockets
  }
  return { requests, streams, websockets }
}

const processView = (
  name: string,
  draining: boolean,
  counts: ReadonlyMap<string, TrafficCounts>,
): typeof ProcessView.Type => {
  const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
  return {
    process: name,
    pid: process.pid,
    started_at: timestamp(performance.timeOrigin),
    uptime_seconds: Math.floor(performance.now() / 1_000),
    draining,
    live: sumOf(counts.values()),
    memory: { rss, heap_used: heapUsed, heap_total: heapTotal, external },
    loop_utilization: performance.eventLoopUtilization().utilization,
  }
}
