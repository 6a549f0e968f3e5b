import { performance } from "node:perf_hooks"

/** How often the event loop is looked at, in milliseconds: rarely enough to leave an idle process alone. */
const interval = 500

/** Measures how late the event loop comes to a timer, and how much of its time it works. */
export class EventLoopWatch {
  private readonly timer: NodeJS.Timeout
  private due = performance.now() + interval
  private used = performance.eventLoopUtilization()

  /** `late`: told of each delay, in milliseconds. */
  constructor(private readonly late: (milliseconds: number) => void) {
    this.timer = setInterval(this.look, interval)
    this.timer.unref()
  }

  /** Part of the time since the last call, or since the beginning, in which the loop was at work: 0 to 1. */
  utilization(): number {
    const before = this.used
    this.used = performance.eventLoopUtilization()
    return performance.eventLoopUtilization(this.used, before).utilization
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private readonly look = (): void => {
    const now = performance.now()
    // Node's clock of timers has whole milliseconds, and may be early by one.
    this.late(Math.max(0, now - this.due))
    this.due = now + interval
  }
}
