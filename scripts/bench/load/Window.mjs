// The part of a run that is measured.
import { usageOf } from "../process/ProcessUsage.mjs"

/**
 * The result of one run against one proxy.
 *
 * @typedef {object} Sample
 * @property {number} count units of work done: requests, events, messages, bytes
 * @property {number} seconds
 * @property {number} cpu of the proxy's processes, microseconds
 * @property {number} errors
 * @property {number} [p50] of the latency, milliseconds
 * @property {number} [p99]
 * @property {number} [memory] resident at the end, bytes
 */

/**
 * Starts to measure. The returned function ends the measurement.
 *
 * @param {readonly number[]} pids of the proxy
 */
export const openWindow = (pids) => {
  const before = usageOf(pids)
  const since = process.hrtime.bigint()
  return () => {
    const seconds = Number(process.hrtime.bigint() - since) / 1e9
    const after = usageOf(pids)
    return { seconds, cpu: after.cpu - before.cpu, memory: after.memory }
  }
}

/**
 * @param {number[]} values
 * @param {number} share 0.5 is the median
 * @returns {number | undefined} undefined if there is no value
 */
export const percentile = (values, share) => {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
