/**
 * The signals of a worker. A terminal sends SIGINT and SIGHUP to all processes that run on it, and the supervisor takes care of
 * them. SIGTERM was sent to this one alone. It imports nothing of the program, so that it can be there before the program is loaded.
 */
export class WorkerSignals {
  private came = false
  private taker: (() => void) | undefined

  /** Catches from now on. */
  constructor() {
    process.on("SIGINT", () => {})
    process.on("SIGHUP", () => {})
    process.on("SIGTERM", () => {
      this.came = true
      this.taker?.()
    })
  }

  /** Calls `taker` for every SIGTERM, and at once if one has come. */
  handTo(taker: () => void): void {
    this.taker = taker
    if (this.came) taker()
  }
}
