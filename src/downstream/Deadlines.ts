/**
 * Deadlines of one length, kept by one timer: a Map in order of expiry instead of a timer for each request, which would
 * cost several microseconds each.
 */
export class Deadlines<Item extends object> {
  private readonly expiries = new Map<Item, number>()
  private timer: NodeJS.Timeout | undefined

  /**
   * `milliseconds`: how long after `start` an item expires; 0 for never. `expired` is told once, up to a few
   * milliseconds late, and must not throw.
   */
  constructor(
    private readonly milliseconds: number,
    private readonly expired: (item: Item) => void,
  ) {}

  /** Starts the deadline of an item, or starts it anew. */
  start(item: Item): void {
    if (this.milliseconds === 0) return
    this.expiries.delete(item)
    this.expiries.set(item, performance.now() + this.milliseconds)
    if (this.timer === undefined) this.arm(this.milliseconds)
  }

  /** Forgets an item. */
  stop(item: Item): void {
    this.expiries.delete(item)
  }

  /** Forgets everything. */
  clear(): void {
    this.expiries.clear()
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private arm(milliseconds: number): void {
    this.timer = setTimeout(this.sweep, Math.max(5, milliseconds))
    this.timer.unref()
  }

  /** `timer` stays set while the sweep runs, so that a `start` from within `expired` does not arm a second one. */
  private readonly sweep = (): void => {
    const now = performance.now()
    for (const [item, expiry] of this.expiries) {
      if (expiry > now) return this.arm(expiry - now)
      this.expiries.delete(item)
      this.expired(item)
    }
    this.timer = undefined
  }
}
