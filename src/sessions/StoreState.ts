import type { StoreFeed } from "./SessionRepo.js"

/** How the store does, by what came of asking it and by what it tells. Times are those of `performance.now()`. */
export class StoreState {
  /** How often it could not be read. */
  failures = 0
  /** Whether rows could be read when somebody last tried, and the version was told since. */
  canRead = true
  private failsSince = Number.POSITIVE_INFINITY
  /** When it told its version last. */
  private toldAt = Number.NEGATIVE_INFINITY
  /** When it was last heard of, where it is away. */
  private lostAt: number | undefined

  constructor(
    private readonly feed: StoreFeed | undefined,
    /** For how long what is known stands without it, in milliseconds; Infinity for ever. */
    private readonly maxStale: number,
  ) {
    this.heard()
  }

  /** Whether it can be read, as far as anybody knows. */
  get isReadable(): boolean {
    return this.canRead && (this.feed?.isUp() ?? true)
  }

  /** What is known stands while it is away. Otherwise what cannot be read is an error at once. */
  get maybeAway(): boolean {
    return this.feed !== undefined
  }

  /** How long ago it was last heard of, in milliseconds. */
  age(now: number): number {
    return now - (this.feed?.heardAt() ?? this.toldAt)
  }

  /** Whether nothing that is known may be gone by any more. */
  isStale(now: number): boolean {
    return now - this.failsSince > this.maxStale || this.age(now) > this.maxStale
  }

  /** It has told its version. */
  told(at: number): void {
    this.toldAt = at
  }

  /** Rows were read. */
  succeeded(): void {
    this.canRead = true
    this.failsSince = Number.POSITIVE_INFINITY
  }

  /** Rows could not be read, or the version not be told. */
  failed(): void {
    this.failures++
    this.failsSince = Math.min(this.failsSince, performance.now())
    this.canRead = false
  }

  /** It tells something. Where it was away, it is worth reading again; what is known stands no longer for that. */
  heard(): void {
    if (this.feed === undefined || this.feed.isUp() === (this.lostAt === undefined)) return
    if (this.lostAt === undefined) {
      this.lostAt = this.feed.heardAt()
      return
    }
    this.failsSince = Math.min(this.failsSince, this.lostAt)
    this.lostAt = undefined
    this.canRead = true
  }
}
