import type { ActivityTimesView } from "../../admin/api/SessionGroup.js"
import type { Rates } from "./Snapshot.js"

type Counts = typeof ActivityTimesView.Type

/** No number is known. */
const unknown: Rates = {
  requestsPerSecond: undefined,
  errorsPerSecond: undefined,
  bytesInPerSecond: undefined,
  bytesOutPerSecond: undefined,
  p50: undefined,
  p99: undefined,
}

/** Makes rates of the counts of one process, by what they were the last time. */
export class RateMemory {
  private before = new Map<string, { readonly counts: Counts; readonly time: number }>()
  private now = new Map<string, { readonly counts: Counts; readonly time: number }>()
  private total: Rates = unknown

  /** `time`: in milliseconds. */
  ratesOf(id: string, counts: Counts | undefined, time: number): Rates {
    if (counts === undefined) return unknown
    this.now.set(id, { counts, time })
    const last = this.before.get(id)
    const seconds = last === undefined ? 0 : (time - last.time) / 1_000
    // Counts that have fallen are those of a process that began anew.
    if (last === undefined || seconds <= 0 || counts.requests < last.counts.requests) return unknown
    const rate = (name: "requests" | "errors" | "bytes_in" | "bytes_out") =>
      Math.max(0, counts[name] - last.counts[name]) / seconds
    const rates = {
      requestsPerSecond: rate("requests"),
      errorsPerSecond: rate("errors"),
      bytesInPerSecond: rate("bytes_in"),
      bytesOutPerSecond: rate("bytes_out"),
      p50: undefined,
      p99: undefined,
    }
    this.total = {
      ...unknown,
      requestsPerSecond: (this.total.requestsPerSecond ?? 0) + rates.requestsPerSecond,
      errorsPerSecond: (this.total.errorsPerSecond ?? 0) + rates.errorsPerSecond,
      bytesInPerSecond: (this.total.bytesInPerSecond ?? 0) + rates.bytesInPerSecond,
      bytesOutPerSecond: (this.total.bytesOutPerSecond ?? 0) + rates.bytesOutPerSecond,
    }
    return rates
  }

  /** The rates of all that were asked for since the last time. Those that were not are forgotten. */
  endLook(): Rates {
    const { total } = this
    this.before = this.now
    this.now = new Map()
    this.total = unknown
    return total
  }
}
