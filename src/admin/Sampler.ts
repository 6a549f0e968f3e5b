import { Context, Effect, Schedule } from "effect"
import { catalogue } from "../telemetry/Catalogue.js"
import { Cells } from "../telemetry/Cells.js"
import { History, type Sample } from "../telemetry/History.js"
import { Totals } from "../telemetry/Totals.js"
import type { Look } from "./fleet/Questions.js"

/** Between two samples, in milliseconds. */
const interval = 1_000

/**
 * Takes a sample of what the proxy does, once a second for all who want to know. Rates are differences of what is counted anyway.
 */
export class SecondSampler {
  readonly history = new History()
  private listeners: ReadonlyArray<() => void> = []
  private last = new Totals()
  private current = new Totals()
  private lastAt = performance.now()

  /** `look`: at all processes. */
  constructor(private readonly look: Effect.Effect<Look>) {}

  /** Calls `taken` after each sample, until what this returns is called. */
  listen(taken: () => void): () => void {
    this.listeners = [...this.listeners, taken]
    return () => {
      this.listeners = this.listeners.filter((one) => one !== taken)
    }
  }

  /** The last sample. In the first second, one that knows of no rates. */
  get latest(): Sample {
    const { history } = this
    return history.size > 0 ? history.before(0) : { ...history.before(0), time: Date.now() }
  }

  /** Takes a sample a second. Never ends. */
  get run(): Effect.Effect<never> {
    const rounds = Effect.repeat(this.sample, Schedule.fixed(interval))
    return Effect.zipRight(this.begin, Effect.zipRight(Effect.sleep(interval), Effect.zipRight(rounds, Effect.never)))
  }

  /** What was counted before is in no sample. */
  private get begin(): Effect.Effect<void> {
    return Effect.map(this.look, ({ counted }) => {
      this.last.read(new Cells(counted))
      this.lastAt = performance.now()
    })
  }

  private get sample(): Effect.Effect<void> {
    return Effect.map(this.look, (look) => this.take(look))
  }

  private take({ counted, loop, streams }: Look): void {
    const now = performance.now()
    this.current.read(new Cells(counted))
    this.history.add(this.last, this.current, now - this.lastAt, Date.now(), {
      requests: Math.max(0, (counted[catalogue.requestsInFlight.offset] ?? 0) - streams),
      streams,
      websockets: counted[catalogue.webSocketsOpen.offset] ?? 0,
      connections: counted[catalogue.connections.offset] ?? 0,
      loopUtilization: loop,
    })
    const unused = this.last
    this.last = this.current
    this.current = unused
    this.lastAt = now
    for (const taken of this.listeners) taken()
  }
}

/** The sampler of the admin listener. */
export class Sampler extends Context.Tag("@ss-proxy/Sampler")<Sampler, SecondSampler>() {}
