import { createHash } from "node:crypto"
import { cellCount, firstOfEach, type Metric, metrics } from "./Catalogue.js"

/** What each process keeps to itself. */
export interface ProcessNumbers {
  /** Tells processes apart that count together. */
  readonly worker: string
  /** Versions of ss-proxy and of Node. */
  readonly version: string
  readonly node: string
  /** The cells from `firstOfEach` on. */
  readonly values: Float64Array
}

/** All numbers at one moment, of one process or of several: plain data, which may be sent to another process. */
export interface Snapshot {
  /** Which catalogue the numbers belong to: those of another cannot be read. */
  readonly layout: string
  /** In milliseconds since the epoch. */
  readonly takenAt: number
  /** The cells up to `firstOfEach`. NaN: not known. */
  readonly values: Float64Array
  readonly processes: ReadonlyArray<ProcessNumbers>
}

/** Names the catalogue of this program. */
export const layout: string = createHash("sha256")
  .update(JSON.stringify(metrics.map(({ name, dimensions, bounds }) => [name, dimensions, bounds])))
  .digest("base64url")
  .slice(0, 12)

/** Metrics that are told once, however many processes there are. */
const sharedMetrics = metrics.filter(({ merge }) => merge !== "each")

/** A snapshot of one process. `values`: all of its cells, which are the snapshot's from here on. */
export const snapshotOf = (
  values: Float64Array,
  process: Omit<ProcessNumbers, "values">,
  takenAt: number,
): Snapshot => ({
  layout,
  takenAt,
  values: values.slice(0, firstOfEach),
  processes: [{ ...process, values: values.slice(firstOfEach, cellCount) }],
})

/** Whether two can be merged: both belong to one catalogue. */
export const isMergeable = (one: Snapshot, other: Snapshot): boolean => one.layout === other.layout

/** What nobody knows adds nothing. */
const merged = (merge: Metric["merge"], one: number, other: number): number => {
  if (Number.isNaN(one)) return other
  if (Number.isNaN(other)) return one
  return merge === "max" ? Math.max(one, other) : one + other
}

/** The numbers of both, by the rules of the catalogue. To be asked of such as are mergeable. */
export const merge = (one: Snapshot, other: Snapshot): Snapshot => {
  const values = one.values.slice()
  for (const metric of metrics) {
    const end = Math.min(metric.offset + metric.series * metric.width, values.length)
    for (let cell = metric.offset; cell < end; cell++)
      values[cell] = merged(metric.merge, values[cell] ?? Number.NaN, other.values[cell] ?? Number.NaN)
  }
  return {
    layout: one.layout,
    takenAt: Math.max(one.takenAt, other.takenAt),
    values,
    processes: [...one.processes, ...other.processes],
  }
}

/** The same with other numbers of what is counted, all processes together; gauges are as they were. */
export const withCounters = (snapshot: Snapshot, counted: Float64Array): Snapshot => {
  if (counted === snapshot.values) return snapshot
  const values = snapshot.values.slice()
  for (const { offset, series, type, width } of sharedMetrics) {
    if (type === "gauge") continue
    for (let cell = offset; cell < offset + series * width; cell++) values[cell] = counted[cell] ?? 0
  }
  return { ...snapshot, values }
}
