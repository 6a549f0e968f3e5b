import { Context, Effect, Layer } from "effect"
import type { SessionActivity } from "../../sessions/SessionActivity.js"
import { SessionDirectory } from "../../sessions/SessionDirectory.js"
import { ErrorRing } from "../../telemetry/ErrorRing.js"
import { quantileOf } from "../../telemetry/Quantile.js"
import type { RecordSink } from "../../telemetry/RecordSink.js"
import { type RecordTaps, Taps } from "../../telemetry/RecordTaps.js"
import { durationBounds } from "../../telemetry/Totals.js"
import type { TrafficRecord } from "../../telemetry/TrafficRecord.js"
import type { LiveTraffic } from "../../traffic/Traffic.js"
import type { LiveView } from "../api/LiveGroup.js"
import type { LiveCounts } from "../api/SessionGroup.js"
import { type LookListener, Sampler, type SecondSampler } from "../Sampler.js"
import type { TrafficCounts } from "./Fleet.js"
import { kindOf, rounded, roundedOrNull } from "./Shapes.js"

/** So long after the last look the rates of a session are kept, in milliseconds. */
const keptFor = 10_000

/** Of so many sessions rates are kept at a time; of others that are looked at none are known. */
const mostKept = 4_000

const liveNames = { request: "requests", stream: "streams", websocket: "websockets" } as const satisfies {
  readonly [Kind in (typeof LiveView.Type)["kind"]]: keyof TrafficCounts
}

type Rates = Omit<typeof LiveCounts.Type, keyof TrafficCounts | "last_error">

const unknown: Rates = {
  requests_per_second: null,
  errors_per_second: null,
  bytes_in_per_second: null,
  bytes_out_per_second: null,
  p50_ms: null,
  p99_ms: null,
}

const noneLive: TrafficCounts = { requests: 0, streams: 0, websockets: 0 }

/** Bytes of a session: they only grow. */
interface SessionBytes {
  bytesIn: number
  bytesOut: number
}

const bytesOf = (activity: SessionActivity | undefined): SessionBytes => ({
  bytesIn: activity?.bytesIn ?? 0,
  bytesOut: activity?.bytesOut ?? 0,
})

/** A session that somebody looks at. */
class WatchedSession {
  rates = unknown
  /** What was under way at the last look. */
  live = noneLive
  private seen = { ...noneLive }
  /** When this look, and the one before, began; 0 for none. */
  private at = 0
  private before = 0
  private activity: SessionActivity | undefined
  private bytes = bytesOf(undefined)
  private last = this.bytes
  /** What has ended since the look before. */
  private requests = 0
  private errors = 0
  private readonly latencies = new Float64Array(durationBounds.length + 1)

  constructor(public lookedAt: number) {}

  /** Counts also what was refused before a server was asked: the numbers of the proxy as a whole have it, too. */
  wasOver({ error, kind, milliseconds }: TrafficRecord): void {
    if (error !== undefined && error.fault !== "client") this.errors++
    if (kind !== "request") return
    this.requests++
    let bucket = 0
    while (bucket < durationBounds.length && milliseconds > (durationBounds[bucket] ?? 0) * 1_000) bucket++
    this.latencies[bucket] = (this.latencies[bucket] ?? 0) + 1
  }

  /** What is over by now is in `activity`. Another one than before is that of a session that was removed and added again. */
  began(now: number, activity: SessionActivity | undefined): void {
    this.before = this.at
    this.at = now
    this.last = activity === this.activity ? this.bytes : bytesOf(undefined)
    this.activity = activity
    this.bytes = bytesOf(activity)
    this.seen = { ...noneLive }
  }

  saw(now: number, traffic: LiveTraffic): void {
    if (this.at !== now) return
    this.bytes.bytesIn += traffic.bytesIn
    this.bytes.bytesOut += traffic.bytesOut
    this.seen[liveNames[kindOf(traffic)]]++
  }

  ended(): void {
    const { bytes, errors, last, latencies, requests } = this
    this.live = this.seen
    const perSecond = (count: number): number => rounded((Math.max(0, count) * 1_000) / (this.at - this.before))
    if (this.before > 0)
      this.rates = {
        requests_per_second: perSecond(requests),
        errors_per_second: perSecond(errors),
        bytes_in_per_second: perSecond(bytes.bytesIn - last.bytesIn),
        bytes_out_per_second: perSecond(bytes.bytesOut - last.bytesOut),
        p50_ms: roundedOrNull(quantileOf(durationBounds, latencies, 0, 0.5) * 1_000),
        p99_ms: roundedOrNull(quantileOf(durationBounds, latencies, 0, 0.99) * 1_000),
      }
    latencies.fill(0)
    this.requests = 0
    this.errors = 0
  }
}

/** What is shown of a session: how much is under way, and what the last second brought. */
export type ShowLive = (id: string, counts: TrafficCounts) => typeof LiveCounts.Type

/**
 * Rates and latencies of single sessions, for as long as somebody looks at them. While nobody does, this wants no record and
 * hears of no second.
 */
export class WatchedSessions implements LookListener, RecordSink {
  readonly readsAtOnce = true
  private readonly watched = new Map<string, WatchedSession>()
  private now = 0
  private leave: (() => void) | undefined

  constructor(
    private readonly directory: Pick<typeof SessionDirectory.Service, "activityOf">,
    private readonly ring: Pick<typeof ErrorRing.Service, "find">,
    private readonly taps: Pick<RecordTaps, "attach">,
    private readonly sampler: Pick<SecondSampler, "listen">,
  ) {}

  /** Somebody looks at these sessions. Gives what shows them. */
  look(ids: ReadonlyArray<string>): ShowLive {
    const at = performance.now()
    for (const id of ids) {
      const known = this.watched.get(id)
      if (known !== undefined) known.lookedAt = at
      else if (this.watched.size < mostKept) this.watched.set(id, new WatchedSession(at))
    }
    if (this.watched.size > 0) this.leave ??= this.begin()
    const errors = this.lastErrors()
    return (id, counts) => ({
      ...counts,
      ...(this.watched.get(id)?.rates ?? unknown),
      last_error: errors.get(id) ?? null,
    })
  }

  /** The same with what was under way when all of it was looked at last. */
  lookAtLast(ids: ReadonlyArray<string>): (id: string) => typeof LiveCounts.Type {
    const show = this.look(ids)
    return (id) => show(id, this.watched.get(id)?.live ?? noneLive)
  }

  private lastErrors(): ReadonlyMap<string, string> {
    const errors = new Map<string, string>()
    for (const { code, session } of this.ring.find())
      if (session !== undefined && !errors.has(session)) errors.set(session, code)
    return errors
  }

  private begin(): () => void {
    const [stop, detach] = [this.sampler.listen(this), this.taps.attach(this)]
    return () => {
      stop()
      detach()
    }
  }

  wants(sessionId: string | undefined): boolean {
    return sessionId !== undefined && this.watched.has(sessionId)
  }

  write(record: TrafficRecord): void {
    this.watched.get(record.sessionId ?? "")?.wasOver(record)
  }

  began(now: number): void {
    this.now = now
    for (const [id, session] of this.watched) {
      if (now - session.lookedAt > keptFor) this.watched.delete(id)
      else session.began(now, this.directory.activityOf(id))
    }
    if (this.watched.size > 0) return
    this.leave?.()
    this.leave = undefined
  }

  saw(traffic: LiveTraffic): void {
    const { session } = traffic
    if (session !== undefined) this.watched.get(session.id)?.saw(this.now, traffic)
  }

  ended(): void {
    for (const session of this.watched.values()) session.ended()
  }
}

/** The rates that the admin API shows. */
export class SessionRates extends Context.Tag("@ss-proxy/SessionRates")<SessionRates, WatchedSessions>() {
  static readonly layer: Layer.Layer<SessionRates, never, SessionDirectory | ErrorRing | Sampler> = Layer.effect(
    SessionRates,
    Effect.gen(function* () {
      return new WatchedSessions(yield* SessionDirectory, yield* ErrorRing, yield* Taps, yield* Sampler)
    }),
  )
}
