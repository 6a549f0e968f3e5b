import type { SessionActivity } from "../../sessions/SessionActivity.js"
import type { SessionDirectory } from "../../sessions/SessionDirectory.js"
import type { ErrorRing } from "../../telemetry/ErrorRing.js"
import type { RecordSink } from "../../telemetry/RecordSink.js"
import type { RecordTaps } from "../../telemetry/RecordTaps.js"
import { durationBounds } from "../../telemetry/Totals.js"
import type { TrafficRecord } from "../../telemetry/TrafficRecord.js"
import type { LiveTraffic } from "../../traffic/Traffic.js"
import type { LiveView } from "../api/LiveView.js"
import type { TrafficCounts, WatchedNumbers } from "../fleet/Questions.js"
import { kindOf } from "../fleet/Shapes.js"
import type { LookListener, Looks } from "./Looks.js"

/** So long after the last look the rates of a session are kept, in milliseconds. */
const keptFor = 10_000

/** Of so many sessions rates are kept at a time; of others that are looked at none are known. */
const mostKept = 4_000

const liveNames = { request: "requests", stream: "streams", websocket: "websockets" } as const satisfies {
  readonly [Kind in (typeof LiveView.Type)["kind"]]: keyof TrafficCounts
}

type Rates = WatchedNumbers["rates"]

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
  rates: Rates = null
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
    const perSecond = (count: number): number => (Math.max(0, count) * 1_000) / (this.at - this.before)
    if (this.before > 0)
      this.rates = {
        requests: perSecond(requests),
        errors: perSecond(errors),
        bytesIn: perSecond(bytes.bytesIn - last.bytesIn),
        bytesOut: perSecond(bytes.bytesOut - last.bytesOut),
        latencies: latencies.some((count) => count > 0) ? Array.from(latencies) : [],
      }
    latencies.fill(0)
    this.requests = 0
    this.errors = 0
  }
}

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
    private readonly looks: Pick<Looks, "listen">,
  ) {}

  /** Somebody looks at these sessions. Gives what is known of each. */
  look(ids: ReadonlyArray<string>): ReadonlyArray<readonly [string, WatchedNumbers]> {
    const at = performance.now()
    for (const id of ids) {
      const known = this.watched.get(id)
      if (known !== undefined) known.lookedAt = at
      else if (this.watched.size < mostKept) this.watched.set(id, new WatchedSession(at))
    }
    if (this.watched.size > 0) this.leave ??= this.begin()
    const errors = this.lastErrors()
    return ids.map((id) => {
      const { live = noneLive, rates = null } = this.watched.get(id) ?? {}
      return [id, { live, rates, lastError: errors.get(id) ?? null }]
    })
  }

  private lastErrors(): ReadonlyMap<string, WatchedNumbers["lastError"]> {
    const errors = new Map<string, WatchedNumbers["lastError"]>()
    for (const { code, session, time } of this.ring.find())
      if (session !== undefined && !errors.has(session)) errors.set(session, { code, time })
    return errors
  }

  private begin(): () => void {
    const [stop, detach] = [this.looks.listen(this), this.taps.attach(this)]
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
