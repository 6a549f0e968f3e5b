import type { Writable } from "node:stream"

/** How many bytes of lines may wait for the reader of the log. */
const mostWaiting = 1_048_576

/**
 * Where the lines of the log go. Their reader may be slow, or stopped: what waits for it has a bound. Lines beyond it are
 * dropped, and `gap` is the line that tells how many, once the reader has taken what waited.
 */
export class LogOutput {
  private dropped = 0

  constructor(
    private readonly stream: Writable,
    private readonly gap: (dropped: number) => string,
  ) {}

  /** Writes a line, without its line break. */
  write(line: string): void {
    if (this.dropped === 0 && this.stream.writableLength < mostWaiting) {
      this.stream.write(`${line}\n`)
      return
    }
    if (this.dropped === 0) this.stream.once("drain", this.resume)
    this.dropped++
  }

  private readonly resume = (): void => {
    const { dropped } = this
    this.dropped = 0
    this.write(this.gap(dropped))
  }
}
