// Two builds of ss-proxy, before and after a change, on this machine at the same time: so what else goes on meets both.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { built } from "../peers/ss-proxy.mjs"
import { goFirst, machine, watchStolen } from "../process/Machine.mjs"
import { section } from "../report/Figures.mjs"
import { columns } from "../report/TextTable.mjs"
import { measureSteady } from "../steady/SteadyFigures.mjs"
import { steadyWorks } from "../steady/Works.mjs"
import { runWorkload } from "../workloads/Runner.mjs"
import { workloads } from "../workloads/Workloads.mjs"
import { buildOf } from "./Builds.mjs"
import { intervalOf } from "./Interval.mjs"
import { judgedFigures } from "./Judged.mjs"
import { parseOptions, usage, UsageError } from "./Options.mjs"
import { verdictOf } from "./Verdict.mjs"

/** Says on standard error what is going on, where somebody may be looking. */
const say = (/** @type {string} */ text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

/** How many programs wanted a core at a time, on average over the last minute. */
const load = () => loadavg()[0] ?? 0
const loadText = () =>
  loadavg()
    .map((average) => average.toFixed(1))
    .join(" ")

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

/**
 * A pair: both builds are started anew, for one process may be faster than another of the same build as long as it
 * lives; and then measured twice in turn, A B B A, so that what drifts meanwhile meets both alike.
 *
 * @param {import("../workloads/Workload.mjs").Workload} workload
 * @param {import("../peers/Peers.mjs").NamedPeer[]} peers
 * @param {number} seconds
 * @param {string} folder
 * @returns {Promise<Pair>}
 */
const runPair = async (workload, peers, seconds, folder) => {
  const extent = { rounds: 2, seconds, warmUp: 1, isQuick: true, folder, say: () => {} }
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

/** @param {number} value */
const short = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

/**
 * @param {Compared} compared
 * @returns {{ ratios: number[], interval: import("./Interval.mjs").Interval }}
 */
const ratioOf = ({ before, after }) => {
  const ratios = after.map((value, at) => value / (before[at] ?? Number.NaN)).filter(Number.isFinite)
  return { ratios, interval: intervalOf(ratios) }
}

const headings = ["", "before", "after", "ratio", "95 % interval", "load", "verdict"]

/**
 * @param {Compared} compared
 * @param {number} load
 * @returns {string[]}
 */
const rowOf = (compared, load) => {
  const { interval } = ratioOf(compared)
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
 * @param {ReturnType<typeof parseOptions>} options
 * @param {import("../peers/Peers.mjs").NamedPeer[]} peers
 * @param {string} folder
 */
const compareTimes = async ({ workloads: chosen, pairs: count, seconds }, peers, folder) => {
  const all = /** @type {Compared[]} */ ([])
  const rows = [headings]
  for (const workload of workloads.filter(({ name }) => chosen.includes(name))) {
    const pairs = /** @type {Pair[]} */ ([])
    for (let pair = 1; pair <= count; pair += 1) {
      say(`${workload.title}: pair ${pair} of ${count}`)
      const order = pair % 2 === 1 ? peers : peers.toReversed()
      pairs.push(await runPair(workload, order, seconds, join(folder, `pair-${pair}`)))
    }
    const meanLoad = pairs.reduce((sum, pair) => sum + pair.load, 0) / count
    for (const { key, title } of judgedFigures(workload.name)) {
      const [before = [], after = []] = ["before", "after"].map((build) => valuesOf(pairs, build, key))
      const compared = { workload: workload.name, title, before, after }
      all.push(compared)
      rows.push(rowOf(compared, meanLoad))
    }
  }
  say("")
  process.stdout.write(columns(rows))
  return all
}

/** @param {import("../steady/SystemCalls.mjs").Calls | { leftOut: string }} calls */
const callsText = (calls) => ("count" in calls ? String(calls.count) : "-")

/**
 * What is counted: for each kind of work once, for it is the same each time.
 *
 * @param {readonly { name: string, program: string }[]} builds
 * @param {string} folder
 */
const compareCounts = async (builds, folder) => {
  const rows = [["", "bytes before", "after", "ratio", "calls before", "after"]]
  const notes = /** @type {Set<string>} */ (new Set())
  for (const work of steadyWorks) {
    const found = []
    for (const { name, program } of builds) {
      say(`${work.title}: what is counted of ${name}`)
      found.push(await measureSteady(work, program, join(folder, `${work.name}-${name}`)))
    }
    const [before, after] = found
    if (before === undefined || after === undefined) continue
    for (const { calls } of found) if ("leftOut" in calls) notes.add(`System calls are left out: ${calls.leftOut}.\n`)
    rows.push([
      `${work.name}: ${work.title}`,
      before.bytes.toFixed(0),
      after.bytes.toFixed(0),
      (after.bytes / before.bytes).toFixed(3),
      callsText(before.calls),
      callsText(after.calls),
    ])
  }
  say("")
  process.stdout.write(`\nAllocated, and system calls of the main thread, for each; counted once\n${columns(rows)}`)
  for (const note of notes) process.stdout.write(note)
}

/** @param {readonly Compared[]} compared */
const conclude = (compared) => {
  const worse = compared.filter((one) => verdictOf(ratioOf(one).interval) === "worse")
  const undecided = compared.filter((one) => verdictOf(ratioOf(one).interval) === "undecided")
  if (worse.length > 0) process.exitCode = 1
  const open =
    undecided.length === 0 ? "" : `; ${undecided.length} undecided: more pairs, or a quieter machine, would tell`
  process.stdout.write(`\n${worse.length} of ${compared.length} figures worse by more than 3 %${open}.\n`)
}

/** @param {ReturnType<typeof parseOptions>} options */
const run = async (options) => {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-compare-"))
  // nginx reads its files as another user.
  chmodSync(folder, 0o755)
  try {
    const builds = ["before", "after"].map((name) => {
      say(`building what is ${name}`)
      const word = name === "before" ? options.before : options.after
      const build = buildOf(word, join(folder, `build-${name}`))
      if (build === undefined) throw new UsageError(`--${name} is ${word}, which is no commit and holds no dist/bin.js`)
      say("")
      process.stdout.write(`${name}: ${build.about}\n${build.notes.map((note) => `  (${note})\n`).join("")}`)
      return { name, ...build }
    })
    const isFirst = options.isFirst && goFirst()
    if (options.isFirst && !isFirst) throw new UsageError("--first: the system does not let this user")
    const about = machine()
    const started = Date.now()
    const stolen = watchStolen()
    process.stdout.write(
      `${about.cpu}, ${about.cores} cores, Node ${about.node}; load: ${about.load}; origin: ${about.origin}; ` +
        `pinning: ${about.pinning}${isFirst ? ", before everything else" : ""}\nload average at the start: ${loadText()}\n\n` +
        `After over before: the median of ${options.pairs} pairs, and its interval by the sign test\n`,
    )
    const peers = builds.map(({ name, program, about: from }) => ({ name, ...built(program, from) }))
    const compared = await compareTimes(options, peers, folder)
    if (options.isSteady) await compareCounts(builds, folder)
    conclude(compared)
    const share = stolen()
    const taken = share === undefined ? "" : `; taken by the hypervisor: ${(share * 100).toFixed(1)} % of the time`
    process.stdout.write(
      `${Math.round((Date.now() - started) / 1000)} s; load average at the end: ${loadText()}${taken}\n`,
    )
    const report = { machine: about, builds, options, compared }
    if (options.json !== undefined) writeFileSync(resolve(options.json), `${JSON.stringify(report, null, 2)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string[]} words */
export const compare = async (words) => {
  try {
    const options = parseOptions(words)
    if (options.help) process.stdout.write(usage)
    else await run(options)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`bench:compare: ${error.message}\n`)
    process.exitCode = 2
  }
}
