/** Has a deadline. */
export interface Expirable {
  /** Its time has come. Must not throw. */
  readonly expire: () => void
}

/** A list node of `Deadlines`. Its owner has one for life, and starts and stops it. */
export class Deadline {
  /** Neighbours in order of expiry; `undefined` while it is not running. */
  before: Deadline | undefined
  after: Deadline | undefined
  expiry = 0

  constructor(readonly item: Expirable) {}

  get isRunning(): boolean {
    return this.after !== undefined
  }
}

/**
 * Deadlines of one length, served by one timer: a list in order of expiry, because a timer for each request would cost
 * several microseconds. It is a linked list and not a Map: as entries come and go, a Map leaves tables behind that keep
 * its former entries reachable from V8's old generation, and collecting those took a quarter of the proxy's time. For
 * the same reason a stopped deadline is unlinked on both sides.
 */
export class Deadlines {
  private readonly ends = new Deadline({ expire: () => {} })
  private timer: NodeJS.Timeout | undefined

  /** `milliseconds`: time from `start` to expiry; 0 for never. Expiry may be a few milliseconds late. */
  constructor(readonly milliseconds: number) {
    this.ends.before = this.ends
    this.ends.after = this.ends
  }

  /**
   * Starts a deadline, or restarts it. `now`: by `performance.now()`, of a caller that has looked at the clock in this turn of the
   * event loop.
   */
  start(deadline: Deadline, now = performance.now()): void {
    if (this.milliseconds === 0) return
    if (deadline.after !== undefined) this.stop(deadline)
    deadline.expiry = now + this.milliseconds
    const last = this.ends.before ?? this.ends
    deadline.before = last
    deadline.after = this.ends
    last.after = deadline
    this.ends.before = deadline
    if (this.timer === undefined) this.arm(this.milliseconds)
  }

  /** Stops a deadline, if it is running. */
  stop(deadline: Deadline): void {
    const { before, after } = deadline
    if (before === undefined || after === undefined) return
    before.after = after
    after.before = before
    deadline.before = undefined
    deadline.after = undefined
  }

  /** Stops every deadline. */
  clear(): void {
    for (let first = this.first; first !== undefined; first = this.first) this.stop(first)
    clearTimeout(this.timer)
    this.timer = undefined
  }

  /** Whether any deadline is running. */
  get anyRunning(): boolean {
    return this.first !== undefined
  }

  private get first(): Deadline | undefined {
    return this.ends.after === this.ends ? undefined : this.ends.after
  }

  private arm(milliseconds: number): void {
    this.timer = setTimeout(this.sweep, Math.max(5, milliseconds))
    this.timer.unref()
  }

  /** `timer` stays set during the sweep, so that a `start` from within `expire` does not arm a second timer. */
  private readonly sweep = (): void => {
    const now = performance.now()
    for (let first = this.first; first !== undefined; first = this.first) {
      if (first.expiry > now) return this.arm(first.expiry - now)
      this.stop(first)
      first.item.expire()
    }
    this.timer = undefined
  }
}
