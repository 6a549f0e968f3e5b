import { Deadline, type Deadlines, type Expirable } from "../clock/Deadlines.js"

/** How fast content must come: so many bytes within each of the equal times that `windows` measures. */
export interface LeastPace {
  readonly bytes: number
  readonly windows: Deadlines
}

/** Watches that content comes fast enough, from a byte of it on, for as long as there is no pause. */
export class ContentPace implements Expirable {
  private readonly window = new Deadline(this)
  private isRunning = false
  private bytes = 0

  constructor(
    private readonly least: LeastPace,
    private readonly tooSlow: () => void,
  ) {}

  /** So many bytes have come. */
  count(bytes: number): void {
    if (!this.isRunning) this.begin()
    this.bytes += bytes
  }

  /** The client is not to blame for what follows: the proxy does not read, or there is no more to come. */
  stop(): void {
    this.isRunning = false
    this.least.windows.stop(this.window)
  }

  expire(): void {
    this.isRunning = false
    if (this.bytes < this.least.bytes) this.tooSlow()
    else this.begin()
  }

  private begin(): void {
    this.isRunning = true
    this.bytes = 0
    this.least.windows.start(this.window)
  }
}
