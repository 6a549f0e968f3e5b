// Checks whether ss-proxy has become slower. Allocated bytes and system calls are counted and compared with the record.
// CPU time is compared as the ratio to that of a peer in the same run, so that neither the machine nor its load
// matters.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadPeer } from "./peers/Peers.mjs"
import { logged, traced } from "./peers/ss-proxy.mjs"
import { ratio, section } from "./report/Figures.mjs"
import { checkCounts, recordCounts } from "./steady/SteadyCheck.mjs"
import { runWorkload } from "./workloads/Runner.mjs"
import { workloads } from "./workloads/Workloads.mjs"

/** Tolerance above the recorded ratio. Half as much again exceeds it; the noise of a busy machine does not. */
const tolerance = 1.4
/**
 * Number of measurements of a ratio beyond the tolerance. The best counts, because load passes and a regression does
 * not.
 */
const attempts = 3
/** Number of measurements for the record, of which the median counts. */
const recordings = 3

/**
 * A kind of work for each path through the code, with the shortest useful round. `watched`: this build with something
 * that is off by default, beside itself.
 *
 * @type {Array<{ name?: string, workload: string, against: string, watched?: import("./peers/Peer.mjs").Peer, rounds:
 * number, seconds: number, warmUp: number }>}
 */
const comparisons = [
  { workload: "get", against: "floor", rounds: 3, seconds: 1, warmUp: 1 },
  { name: "get-logged", workload: "get", against: "ss-proxy", watched: logged, rounds: 3, seconds: 1, warmUp: 1 },
  { name: "get-traced", workload: "get", against: "ss-proxy", watched: traced, rounds: 3, seconds: 1, warmUp: 1 },
  { workload: "post", against: "http-proxy", rounds: 3, seconds: 1, warmUp: 1 },
  { workload: "download", against: "http-proxy", rounds: 5, seconds: 0.2, warmUp: 0.1 },
  { workload: "events", against: "http-proxy", rounds: 3, seconds: 0.6, warmUp: 0.4 },
  { workload: "ws-many", against: "http-proxy", rounds: 3, seconds: 0.4, warmUp: 0.5 },
]

const usage = `Compares what ss-proxy costs with what it cost: the bytes it allocates and the system calls it makes, which
are counted; and its CPU time beside a peer's.

usage: npm run bench:check [-- --record | --counts | --record --counts]

Ends with 0 if every count keeps to the one in scripts/bench/counts.json, and every ratio of CPU times is at most
${tolerance} times the one in scripts/bench/ratios.json; with 1 if one does not.
--counts leaves out the ratios. --record writes what is measured there instead; do that on a quiet machine, but for the
counts any machine will do.
`

const file = new URL("ratios.json", import.meta.url)

/** @returns {Record<string, number>} */
const readRecord = () => JSON.parse(readFileSync(file, "utf8"))

/**
 * @param {typeof comparisons[number]} comparison
 * @param {string} folder
 * @returns {Promise<number>}
 */
const measure = async ({ workload: name, against, watched, rounds, seconds, warmUp }, folder) => {
  const workload = workloads.find((one) => one.name === name)
  if (workload === undefined) throw new Error(`there is no workload ${name}`)
  const own = watched === undefined ? await loadPeer("ss-proxy") : { name: "watched", ...watched }
  const peers = [own, await loadPeer(against)]
  const extent = { rounds, seconds, warmUp, isQuick: true, folder, say: () => {} }
  const results = await runWorkload(workload, peers, extent)
  const missing = results.find(({ leftOut }) => leftOut !== undefined)
  if (missing !== undefined) throw new Error(`${name}: ${missing.name} ${missing.leftOut}`)
  const errors = results.find((result) => result.name === own.name)?.samples.reduce((sum, one) => sum + one.errors, 0)
  if (errors !== 0) throw new Error(`${name}: ss-proxy made ${errors} errors`)
  const measured = ratio(section(workload, results), "cpu", own.name, against)
  if (measured === undefined) throw new Error(`${name}: there is nothing to compare`)
  return measured
}

/**
 * @param {typeof comparisons[number]} comparison
 * @param {number} allowed
 * @param {string} folder
 */
const measureBest = async (comparison, allowed, folder) => {
  let best = Number.POSITIVE_INFINITY
  for (let attempt = 1; attempt <= attempts && best > allowed; attempt += 1)
    best = Math.min(best, await measure(comparison, join(folder, String(attempt))))
  return best
}

/** @param {string} folder */
const compareRatios = async (folder) => {
  const record = readRecord()
  let isWorse = false
  for (const comparison of comparisons) {
    const { workload, against, name = workload } = comparison
    const known = record[name] ?? Number.POSITIVE_INFINITY
    const allowed = known * tolerance
    const measured = await measureBest(comparison, allowed, join(folder, name))
    const verdict = measured <= allowed ? "kept" : "SLOWER"
    if (measured > allowed) isWorse = true
    process.stdout.write(
      `${name.padEnd(10)} CPU is ${measured.toFixed(2)} of ${against.padEnd(10)} on record ${known.toFixed(2)}, ` +
        `allowed ${allowed.toFixed(2)}  ${verdict}\n`,
    )
  }
  return !isWorse
}

/** @param {string} folder */
const recordRatios = async (folder) => {
  const measured = /** @type {Array<[string, number]>} */ ([])
  for (const comparison of comparisons) {
    const { workload, name = workload } = comparison
    const found = []
    for (let turn = 1; turn <= recordings; turn += 1)
      found.push(await measure(comparison, join(folder, name, String(turn))))
    const median = found.toSorted((one, other) => one - other)[Math.floor(recordings / 2)] ?? Number.NaN
    measured.push([name, Number(median.toFixed(2))])
  }
  const text = JSON.stringify(Object.fromEntries(measured), null, 2)
  writeFileSync(file, `${text}\n`)
  process.stdout.write(`${text}\n`)
}

/** @param {string[]} words */
export const check = async (words) => {
  const unknown = words.find((word) => !["--record", "--counts", "--help"].includes(word))
  if (unknown !== undefined) {
    process.stderr.write(`bench:check: does not know ${unknown}\n`)
    process.exitCode = 2
    return
  }
  if (words.includes("--help")) {
    process.stdout.write(usage)
    return
  }
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-check-"))
  try {
    const [isRecording, isOnlyCounting] = [words.includes("--record"), words.includes("--counts")]
    if (isRecording) {
      await recordCounts(folder)
      if (!isOnlyCounting) await recordRatios(folder)
    } else {
      const areCountsKept = await checkCounts(folder)
      const areRatiosKept = isOnlyCounting || (await compareRatios(folder))
      if (!areCountsKept || !areRatiosKept) process.exitCode = 1
    }
  } catch (error) {
    process.stderr.write(`bench:check: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
