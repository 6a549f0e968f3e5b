/** How many places there are: in all, and for each who has some; Infinity for any number. */
export interface PlaceLimits {
  readonly all: number
  readonly own: number
  /** Which of the two is told where both are reached. */
  readonly toldFirst: Full
}

/** Which limit leaves no place: that of all, or the own one of who wants it. */
export type Full = "all" | "own"

/** Counts who has how many places of one kind. */
export class PlaceCount<Owner> {
  private taken = 0
  private readonly takenBy = new Map<Owner, number>()

  constructor(private readonly limits: PlaceLimits) {}

  /** Takes a place, or says which limit leaves none. `isExempt`: there is no own limit for this one. */
  take(owner: Owner, isExempt = false): Full | undefined {
    const full = this.full(owner, isExempt)
    if (full === undefined) this.count(owner, 1)
    return full
  }

  /** Gives back a place that was taken. */
  give(owner: Owner): void {
    this.count(owner, -1)
  }

  /** How many are taken. */
  get inAll(): number {
    return this.taken
  }

  /** How many one has. */
  of(owner: Owner): number {
    return this.takenBy.get(owner) ?? 0
  }

  private full(owner: Owner, isExempt: boolean): Full | undefined {
    const { all, own, toldFirst } = this.limits
    const allTaken = this.taken >= all
    if (allTaken && toldFirst === "all") return "all"
    if (!isExempt && own < Infinity && this.of(owner) >= own) return "own"
    return allTaken ? "all" : undefined
  }

  private count(owner: Owner, by: 1 | -1): void {
    this.taken += by
    const left = this.of(owner) + by
    if (left === 0) this.takenBy.delete(owner)
    else this.takenBy.set(owner, left)
  }
}
