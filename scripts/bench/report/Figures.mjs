// Turns the samples of the rounds into the figures of the report.
import { percentile } from "../load/Window.mjs"

/**
 * The median.
 *
 * @param {readonly number[]} values
 * @returns {number}
 */
export const median = (values) => {
  const upper = percentile([...values], 0.5) ?? Number.NaN
  const lower =
    percentile(
      values.map((value) => -value),
      0.5,
    ) ?? Number.NaN
  return (upper - lower) / 2
}

/**
 * @typedef {object} Row
 * @property {string} name of the proxy
 * @property {Record<string, number>} figures over all rounds, by key
 * @property {Record<string, number[]>} rounds the figures of each
 * @property {string} [leftOut] why there are none
 */

/**
 * @typedef {object} Section
 * @property {string} name of the workload
 * @property {string} title
 * @property {Array<{ key: string, title: string, digits: number }>} columns
 * @property {Row[]} rows
 */

const overRounds = {
  median,
  /** @param {number[]} values */
  max: (values) => Math.max(...values),
  /** @param {number[]} values */
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
}

/**
 * @param {import("../workloads/Workload.mjs").Workload} workload
 * @param {import("../workloads/Runner.mjs").Result} result
 * @returns {Row}
 */
const row = (workload, { name, samples, leftOut }) => {
  const rounds = workload.figures.flatMap(({ key, of }) => {
    const values = samples.map(of)
    return values.length > 0 && values.every((value) => value !== undefined && Number.isFinite(value))
      ? [/** @type {const} */ ([key, /** @type {number[]} */ (values)])]
      : []
  })
  const figures = rounds.map(([key, values]) => {
    const over = workload.figures.find((figure) => figure.key === key)?.over ?? "median"
    return /** @type {const} */ ([key, overRounds[over](values)])
  })
  return {
    name,
    figures: Object.fromEntries(figures),
    rounds: Object.fromEntries(rounds),
    ...(leftOut === undefined ? {} : { leftOut }),
  }
}

/** The latency that a proxy adds to that of the origin, if the origin was measured too. */
const added = /** @type {const} */ ([
  { key: "p50Added", title: "p50 added", digits: 2, from: "p50" },
  { key: "p99Added", title: "p99 added", digits: 2, from: "p99" },
])

/**
 * @param {Row} row
 * @param {Row} direct
 * @returns {Row}
 */
const withAdded = (row, direct) => {
  const figures = added.flatMap(({ key, from }) => {
    const [through, without] = [row.rounds[from], direct.rounds[from]]
    if (row === direct || through === undefined || without === undefined) return []
    return [[key, median(through.map((value, round) => value - (without[round] ?? Number.NaN)))]]
  })
  return { ...row, figures: { ...row.figures, ...Object.fromEntries(figures) } }
}

/**
 * @param {import("../workloads/Workload.mjs").Workload} workload
 * @param {readonly import("../workloads/Runner.mjs").Result[]} results
 * @returns {Section}
 */
export const section = (workload, results) => {
  const { name, title, figures } = workload
  const columns = figures.map(({ key, title, digits }) => ({ key, title, digits }))
  const rows = results.map((result) => row(workload, result))
  const direct = rows.find((row) => row.name === "direct")
  if (direct === undefined) return { name, title, columns, rows }
  const more = added.map(({ key, title, digits }) => ({ key, title, digits }))
  return { name, title, columns: [...columns, ...more], rows: rows.map((row) => withAdded(row, direct)) }
}

/**
 * The median over all rounds of the ratio of one proxy's figure to another's. Drift between rounds cancels out.
 *
 * @param {Section} section
 * @param {string} figure
 * @param {string} name
 * @param {string} against
 * @returns {number | undefined} undefined if one of them has no figure
 */
export const ratio = ({ rows }, figure, name, against) => {
  const [mine, theirs] = [name, against].map((proxy) => rows.find((row) => row.name === proxy)?.rounds[figure])
  if (mine === undefined || theirs === undefined) return undefined
  return median(mine.map((value, round) => value / (theirs[round] ?? Number.NaN)).filter(Number.isFinite))
}
