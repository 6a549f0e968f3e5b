import { Deadlines } from "./Deadlines.js"

/** Rounds that nothing runs in are let go beyond so many. */
const fewRounds = 64

/** Deadlines of several lengths: those of one length share one timer. */
export class DeadlineRounds {
  private readonly rounds = new Map<number, Deadlines>()

  /** The deadlines of this length, in milliseconds; 0 is never. To be asked anew for each use. */
  of(milliseconds: number): Deadlines {
    const known = this.rounds.get(milliseconds)
    if (known !== undefined) return known
    if (this.rounds.size >= fewRounds) this.dropIdle()
    const round = new Deadlines(milliseconds)
    this.rounds.set(milliseconds, round)
    return round
  }

  /** How many lengths are known. */
  get size(): number {
    return this.rounds.size
  }

  /** Stops every deadline. */
  clear(): void {
    for (const round of this.rounds.values()) round.clear()
    this.rounds.clear()
  }

  /**
   * Lengths may come from rows of sessions, of which there is no end. A deadline is stopped without its round, whose timer is
   * still set then: it would stay for its whole time, which may be days.
   */
  private dropIdle(): void {
    for (const [milliseconds, round] of this.rounds) {
      if (round.anyRunning) continue
      round.clear()
      this.rounds.delete(milliseconds)
    }
  }
}
