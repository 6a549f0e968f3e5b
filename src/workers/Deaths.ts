/** How long the next worker waits behind the first death, the second, and so on; milliseconds. */
const delays = [0, 200, 500, 1_000]

/** Deaths that are longer ago do not count; milliseconds. */
const memory = 30_000

/**
 * The deaths of the workers in one place. What waits on a dead worker's socket waits until the next one listens, so it is
 * started at once; one that dies again and again is not started for ever.
 */
export class Deaths {
  private times: ReadonlyArray<number> = []

  /** Counts a death at this time, in milliseconds. Gives how long to wait before the next start; `undefined`: there is to be none. */
  add(now: number): number | undefined {
    this.times = [...this.times.filter((time) => now - time < memory), now]
    return delays[this.times.length - 1]
  }
}
