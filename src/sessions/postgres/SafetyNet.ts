/** After so long, in milliseconds, any row that was written counts as one of which no notice came. */
const longestTrust = 60_000

/**
 * Finds changes of which no notice came, by how many rows were ever written. The server's count is late by up to some seconds,
 * so it may be short of what was told, and that proves nothing; but what it has more than ever before was not told. While
 * notices come without end the count may be short all the time: so once in a minute it is enough that it has moved.
 */
export class SafetyNet {
  /** Ids that were told on this connection. */
  private told = 0
  /** The most that was ever written beyond what was told. */
  private untold: number
  private trusted: { readonly written: number; readonly at: number }

  /** `written`: rows that were written before this connection, which does not know of them. `now`: by `performance.now()`. */
  constructor(written: number, now: number) {
    this.untold = written
    this.trusted = { written, at: now }
  }

  /** A notice named so many ids. */
  named(count: number): void {
    this.told += count
  }

  /** Whether something may have changed that was not told. */
  isTorn(written: number, now: number): boolean {
    const isLong = now - this.trusted.at >= longestTrust
    const hasMoved = isLong && written !== this.trusted.written
    if (isLong) this.trusted = { written, at: now }
    const untold = written - this.told
    // Fewer than there ever were: the server has lost its count, in a crash.
    const isTorn = hasMoved || untold > this.untold || written < this.trusted.written
    if (isTorn) {
      this.untold = untold
      this.trusted = { written, at: now }
    }
    return isTorn
  }
}
