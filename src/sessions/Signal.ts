import { Effect } from "effect"

/** A flag that plain code raises and lowers, and that a fiber can wait for. One waits at a time. */
export class Signal {
  private isRaised = false
  private waiting: (() => void) | undefined

  raise(): void {
    this.isRaised = true
    this.waiting?.()
  }

  lower(): void {
    this.isRaised = false
  }

  /** Completes once the flag is up; at once where it is. */
  readonly raised: Effect.Effect<void> = Effect.async<void>((resume) => {
    if (this.isRaised) return resume(Effect.void)
    this.waiting = () => resume(Effect.void)
    return Effect.sync(() => {
      this.waiting = undefined
    })
  })
}
