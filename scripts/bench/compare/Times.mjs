// The timed figures of two builds, pair by pair.
import { loadavg } from "node:os"
import { join } from "node:path"
import { section } from "../report/Figures.mjs"
import { runWorkload } from "../workloads/Runner.mjs"
import { workloads } from "../workloads/Workloads.mjs"
import { intervalOf } from "./Interval.mjs"
import { judgedFigures } from "./Judged.mjs"
import { verdictOf } from "./Verdict.mjs"

/** The load average over the last minute. */
const load = () => loadavg()[0] ?? 0

/**
 * One figure of both builds, pair by pair.
 *
 * @typedef {object} Compared
 * @property {string} workload
 * @property {string} title
 * @property {number[]} before
 * @property {number[]} after
 */

/**
 * @typedef {object} Pair
 * @property {import("../report/Figures.mjs").Section} section
 * @property {number} load
 */

/** CPU time after which V8 has compiled nearly everything, in microseconds. */
const warmUpWork = 800_000

/**
 * Measures a pair. Both builds are started again for each pair, because processes of the same build differ in speed for
 * as long as they live. They are measured in the order A B B A, so that drift affects both alike.
 *
 * @param {import("../workloads/Workload.mjs").Workload} workload
 * @param {import("../peers/Peers.mjs").NamedPeer[]} peers
 * @param {number} seconds
 * @param {string} folder
 * @returns {Promise<Pair>}
 */
const runPair = async (workload, peers, seconds, folder) => {
  const extent = { rounds: 2, seconds, warmUp: 1, warmUpWork, isQuick: true, folder, say: () => {} }
  const results = await runWorkload(workload, peers, extent)
  for (const { name, samples, leftOut } of results) {
    if (leftOut !== undefined) throw new Error(`${workload.name}: the build ${name} ${leftOut}`)
    const errors = samples.reduce((sum, sample) => sum + sample.errors, 0)
    if (errors > 0) throw new Error(`${workload.name}: the build ${name} made ${errors} errors`)
  }
  return { section: section(workload, results), load: load() }
}

/**
 * @param {readonly Pair[]} pairs
 * @param {string} build
 * @param {string} key
 * @returns {number[]}
 */
const valuesOf = (pairs, build, key) =>
  pairs.map(({ section: { rows } }) => rows.find(({ name }) => name === build)?.figures[key] ?? Number.NaN)

/**
 * The ratios of a figure, after to before, pair by pair.
 *
 * @param {Compared} compared
 * @returns {import("./Interval.mjs").Interval}
 */
export const ratioOf = ({ before, after }) =>
  intervalOf(after.map((value, at) => value / (before[at] ?? Number.NaN)).filter(Number.isFinite))

/** @param {number} value */
const short = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

const headings = ["", "before", "after", "ratio", "95 % interval", "load", "verdict"]
const widths = [42, 8, 8, 7, 16, 6, 10]

/**
 * A line of the table. It is written as soon as it has been measured.
 *
 * @param {readonly string[]} cells
 */
const writeRow = (cells) => {
  const line = cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
  process.stdout.write(`  ${line.join("")}\n`)
}

/**
 * @param {Compared} compared
 * @param {number} load
 * @returns {string[]}
 */
const rowOf = (compared, load) => {
  const interval = ratioOf(compared)
  const [before, after] = [compared.before, compared.after].map((values) => short(intervalOf(values).median))
  return [
    `${compared.workload}: ${compared.title}`,
    before ?? "",
    after ?? "",
    interval.median.toFixed(3),
    Number.isFinite(interval.high) ? `${interval.low.toFixed(3)} to ${interval.high.toFixed(3)}` : "too few pairs",
    load.toFixed(1),
    verdictOf(interval),
  ]
}

/**
 * Measures the builds, and writes a line for each figure.
 *
 * @param {{ workloads: string[], pairs: number, seconds: number }} options
 * @param {import("../peers/Peers.mjs").NamedPeer[]} peers the builds `before` and `after`
 * @param {string} folder for files
 * @param {(text: string) => void} say reports the progress
 * @returns {Promise<Compared[]>}
 */
export const compareTimes = async ({ workloads: chosen, pairs: count, seconds }, peers, folder, say) => {
  const all = /** @type {Compared[]} */ ([])
  writeRow(headings)
  for (const workload of workloads.filter(({ name }) => chosen.includes(name))) {
    const pairs = /** @type {Pair[]} */ ([])
    for (let pair = 1; pair <= count; pair += 1) {
      say(`${workload.title}: pair ${pair} of ${count}`)
      const order = pair % 2 === 1 ? peers : peers.toReversed()
      pairs.push(await runPair(workload, order, seconds, join(folder, `pair-${pair}`)))
    }
    say("")
    const meanLoad = pairs.reduce((sum, pair) => sum + pair.load, 0) / count
    for (const { key, title } of judgedFigures(workload.name)) {
      const [before = [], after = []] = ["before", "after"].map((build) => valuesOf(pairs, build, key))
      const compared = { workload: workload.name, title, before, after }
      all.push(compared)
      writeRow(rowOf(compared, meanLoad))
    }
  }
  return all
}
