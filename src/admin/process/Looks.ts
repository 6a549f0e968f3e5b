import { Effect } from "effect"
import { Slices } from "../../clock/Slices.js"
import { Cells } from "../../telemetry/Cells.js"
import { layout } from "../../telemetry/Snapshot.js"
import type { Counters } from "../../telemetry/Telemetry.js"
import type { LiveTraffic } from "../../traffic/Traffic.js"
import type { Look } from "../fleet/Questions.js"

/** Hears of each look at what is under way. Plain calls, which do not throw. */
export interface LookListener {
  /** It begins, at this time of `performance.now()`: what is over by now is counted. */
  began(now: number): void
  /** Something was under way when it began. */
  saw(traffic: LiveTraffic): void
  /** It is over. */
  ended(): void
}

/** How many things that are under way are looked at before anybody asks what time it is. */
const atOnce = 50

/**
 * Looks at what a process has counted, and at what is under way in it, in slices. Those who listen see that with the same look. One
 * look at a time: who asks meanwhile gets the same.
 */
export class Looks {
  private readonly slices = new Slices()
  private readonly cells = new Cells()
  private listeners: ReadonlyArray<LookListener> = []
  private waiting: Array<(look: Look) => void> = []
  private used = performance.eventLoopUtilization()

  /** `things`: all that is under way, an array of the caller's own. */
  constructor(
    private readonly counters: Counters,
    private readonly things: () => ReadonlyArray<LiveTraffic>,
  ) {}

  /** Tells `listener` of each look, until what this returns is called. */
  listen(listener: LookListener): () => void {
    this.listeners = [...this.listeners, listener]
    return () => {
      this.listeners = this.listeners.filter((one) => one !== listener)
    }
  }

  get look(): Effect.Effect<Look> {
    return Effect.async<Look>((resume) => {
      const told = (look: Look): void => resume(Effect.succeed(look))
      if (this.waiting.push(told) === 1) this.begin()
      return Effect.sync(() => {
        // Somebody else may wait for the same look, which goes on.
        this.waiting = this.waiting.map((one) => (one === told ? () => {} : one))
      })
    })
  }

  private begin(): void {
    const now = performance.now()
    const things = this.things()
    // What ends from here on is among the things, with at least the bytes that it has now: so no total ever falls.
    this.cells.values.set(this.counters.counted.values)
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
      this.end(streams)
      return false
    }
    this.slices.add({ step })
  }

  private see(traffic: LiveTraffic): void {
    if (traffic.kind === "http") this.counters.bodyPassed(this.cells, traffic.bytesIn, traffic.bytesOut)
    else this.counters.framesPassed(this.cells, traffic)
    for (const listener of this.listeners) listener.saw(traffic)
  }

  private end(streams: number): void {
    const before = this.used
    this.used = performance.eventLoopUtilization()
    for (const listener of this.listeners) listener.ended()
    const look: Look = {
      layout,
      counted: this.cells.values,
      streams,
      loop: performance.eventLoopUtilization(this.used, before).utilization,
    }
    const told = this.waiting
    this.waiting = []
    for (const tell of told) tell(look)
  }
}
