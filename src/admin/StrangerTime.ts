import { Effect } from "effect"

/** Part of the event loop's time that strangers may have. */
const share = 0.05
/** What they left of it earlier, they may take at once, in milliseconds: a page that loads, a scrape beside some probes. */
const burst = 50
/** What Node takes for a request beside its answer, in milliseconds. */
const overhead = 0.1
/** So long one may have to wait, in milliseconds. That is more than all connections of the listener make one wait. */
const longestWait = 5_000

/**
 * Shares out the time of the event loop among those who ask without a token, or need none: they may be anybody, and traffic has
 * to go on while they ask as often as they can. Who is within the share is answered at once.
 */
export class StrangerTime {
  /** When the next one may be answered, by `performance.now()`. */
  private nextAt = 0
  /** What an answer has taken lately, in milliseconds. */
  private usual = 1

  /** `fork` runs what is answered, at once up to where it has to wait. */
  constructor(private readonly fork: (effect: Effect.Effect<void>) => unknown) {}

  /** Runs `answer` in its turn. Gives `false` where too many wait for theirs. */
  run(answer: Effect.Effect<void>): boolean {
    const now = performance.now()
    const wait = this.nextAt - now
    if (wait > longestWait) return false
    this.nextAt = Math.max(this.nextAt, now - burst / share) + this.usual / share
    if (wait <= 0) this.measure(answer)
    else
      this.fork(
        Effect.delay(
          Effect.sync(() => this.measure(answer)),
          wait,
        ),
      )
    return true
  }

  private measure(answer: Effect.Effect<void>): void {
    const begun = performance.now()
    this.fork(answer)
    const taken = performance.now() - begun + overhead
    this.usual += (taken - this.usual) / 8
  }
}
