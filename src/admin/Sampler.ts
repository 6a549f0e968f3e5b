import { Context, Effect } from "effect"
import { Slices } from "../clock/Slices.js"
import { catalogue } from "../telemetry/Catalogue.js"
import { History, type Sample } from "../telemetry/History.js"
import type { Counters } from "../telemetry/Telemetry.js"
import { Totals, totalPlaces } from "../telemetry/Totals.js"
import type { LiveTraffic } from "../traffic/Traffic.js"

/** Hears of each look at what is under way. Plain calls, which do not throw. */
export interface LookListener {
  /** It begins, at this time of `performance.now()`: what is over by now is counted. */
  began(now: number): void
  /** Something was under way when it began. */
  saw(traffic: LiveTraffic): void
  /** It is over, and a sample was taken. */
  ended(): void
}

/** Between two samples, in milliseconds. */
const interval = 1_000

/** How many things that are under way are looked at before anybody asks what time it is. */
const atOnce = 50

/**
 * Takes a sample of what the proxy does, once a second for all who want to know. Rates are differences of what is counted anyway.
 * What is under way is looked at in slices; those who listen see it with the same look.
 */
export class SecondSampler {
  readonly history = new History()
  private readonly slices = new Slices()
  private listeners: ReadonlyArray<LookListener> = []
  private last = new Totals()
  private current = new Totals()
  private lastAt = performance.now()
  private used = performance.eventLoopUtilization()
  private isUnderWay = false

  /** `things`: all that is under way, an array of the caller's own. */
  constructor(
    private readonly counters: Counters,
    private readonly things: () => ReadonlyArray<LiveTraffic>,
  ) {
    this.last.read(counters.counted)
  }

  /** Tells `listener` of each look, until what this returns is called. */
  listen(listener: LookListener): () => void {
    this.listeners = [...this.listeners, listener]
    return () => {
      this.listeners = this.listeners.filter((one) => one !== listener)
    }
  }

  /** The last sample. In the first second, one that knows of no rates. */
  get latest(): Sample {
    const { history } = this
    return history.size > 0 ? history.before(0) : { ...history.before(0), time: Date.now() }
  }

  /** Takes a sample a second. Never ends. */
  get run(): Effect.Effect<never> {
    return Effect.forever(Effect.zipRight(Effect.sleep(interval), Effect.sync(this.look)))
  }

  /** A look that is not over when the next is due takes its place. */
  readonly look = (): void => {
    if (this.isUnderWay) return
    this.isUnderWay = true
    const now = performance.now()
    const things = this.things()
    // What ends from here on is among the things, with at least the bytes that it has now: so no total ever falls.
    this.current.read(this.counters.counted)
    for (const listener of this.listeners) listener.began(now)
    let next = 0
    let streams = 0
    const step = (): boolean => {
      for (const end = Math.min(next + atOnce, things.length); next < end; next++) {
        const traffic = things[next]
        if (traffic === undefined) continue
        if (traffic.isStreaming) streams++
        this.see(traffic)
      }
      if (next < things.length) return true
      this.end(now, streams)
      return false
    }
    this.slices.add({ step })
  }

  private see(traffic: LiveTraffic): void {
    const { bytesIn, bytesOut, messagesIn, messagesOut } = traffic
    this.current.add(totalPlaces.bytesIn, bytesIn)
    this.current.add(totalPlaces.bytesOut, bytesOut)
    this.current.add(totalPlaces.messagesIn, messagesIn)
    this.current.add(totalPlaces.messagesOut, messagesOut)
    for (const listener of this.listeners) listener.saw(traffic)
  }

  private end(now: number, streams: number): void {
    const { values } = this.counters.counted
    const before = this.used
    this.used = performance.eventLoopUtilization()
    this.history.add(this.last, this.current, now - this.lastAt, Date.now(), {
      requests: Math.max(0, (values[catalogue.requestsInFlight.offset] ?? 0) - streams),
      streams,
      websockets: values[catalogue.webSocketsOpen.offset] ?? 0,
      connections: values[catalogue.connections.offset] ?? 0,
      loopUtilization: performance.eventLoopUtilization(this.used, before).utilization,
    })
    const unused = this.last
    this.last = this.current
    this.current = unused
    this.lastAt = now
    this.isUnderWay = false
    for (const listener of this.listeners) listener.ended()
  }
}

/** The sampler of the admin listener. */
export class Sampler extends Context.Tag("@ss-proxy/Sampler")<Sampler, SecondSampler>() {}
