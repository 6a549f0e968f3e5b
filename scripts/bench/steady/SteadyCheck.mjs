// Compares the counted figures of this build with the record.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { measureSteady } from "./SteadyFigures.mjs"
import { steadyWorks } from "./Works.mjs"

/** Tolerance of bytes above the record. Runs differ by less than a hundredth. */
const bytesTolerance = 1.05

const program = fileURLToPath(new URL("../../../dist/bin.js", import.meta.url))
const file = new URL("../counts.json", import.meta.url)

/** @typedef {{ bytes: number, calls: number }} Counts on record, of a step */
/**
 * @typedef {{ node: number, counts: Record<string, Counts> }} CountsRecord by the name of the work; of one version of
 * Node
 */

/** Allocations depend on the version of V8, and system calls on that of libuv. */
const nodeMajor = Number(process.versions.node.split(".")[0])

/** @returns {CountsRecord} */
const readRecord = () => JSON.parse(readFileSync(file, "utf8"))

/**
 * @param {string} title
 * @param {import("./SteadyFigures.mjs").Steady} measured
 * @param {Counts} known
 * @returns {{ text: string, isKept: boolean }}
 */
const judge = (title, { bytes, calls }, known) => {
  const allowed = known.bytes * bytesTolerance
  const hasFewBytes = bytes <= allowed
  const hasFewCalls = !("count" in calls) || calls.count <= known.calls
  const bytesText = `${bytes.toFixed(0)} bytes of ${known.bytes}, allowed ${allowed.toFixed(0)}`
  const callsText =
    "count" in calls ? `${calls.count} system calls of ${known.calls} (${calls.names})` : "system calls not counted"
  const verdict = hasFewBytes && hasFewCalls ? "kept" : hasFewBytes ? "MORE CALLS" : "MORE BYTES"
  return { text: `${title.padEnd(28)} ${bytesText}; ${callsText}  ${verdict}\n`, isKept: verdict === "kept" }
}

/**
 * Counts, and reports what has increased.
 *
 * @param {string} folder for files
 * @returns {Promise<boolean>} whether nothing exceeds the record, or cannot be compared
 */
export const checkCounts = async (folder) => {
  const { node, counts } = readRecord()
  if (node !== nodeMajor) {
    process.stdout.write(`counts are left out: those on record are of Node ${node}, and this is Node ${nodeMajor}\n`)
    return true
  }
  let isKept = true
  const reasons = /** @type {Set<string>} */ (new Set())
  for (const work of steadyWorks) {
    const known = counts[work.name]
    if (known === undefined) throw new Error(`${work.name} is not on record: --record --counts writes it there`)
    const measured = await measureSteady(work, program, join(folder, `count-${work.name}`))
    if ("leftOut" in measured.calls) reasons.add(measured.calls.leftOut)
    const judged = judge(work.title, measured, known)
    process.stdout.write(judged.text)
    isKept &&= judged.isKept
  }
  for (const reason of reasons) process.stdout.write(`system calls are left out: ${reason}\n`)
  return isKept
}

/**
 * Counts, and writes the record.
 *
 * @param {string} folder for files
 */
export const recordCounts = async (folder) => {
  const found = /** @type {Array<[string, Counts]>} */ ([])
  for (const work of steadyWorks) {
    const { bytes, calls } = await measureSteady(work, program, join(folder, `count-${work.name}`))
    if ("leftOut" in calls) throw new Error(`system calls cannot be put on record: ${calls.leftOut}`)
    found.push([work.name, { bytes: Math.round(bytes), calls: calls.count }])
  }
  const text = JSON.stringify({ node: nodeMajor, counts: Object.fromEntries(found) }, null, 2)
  writeFileSync(file, `${text}\n`)
  process.stdout.write(`${text}\n`)
}
