// The counted figures of two builds: allocated bytes and system calls.
import { join } from "node:path"
import { columns } from "../report/TextTable.mjs"
import { measureSteady } from "../steady/SteadyFigures.mjs"
import { steadyWorks } from "../steady/Works.mjs"

/** @param {import("../steady/SystemCalls.mjs").Calls | { leftOut: string }} calls */
const callsText = (calls) => ("count" in calls ? String(calls.count) : "-")

/**
 * Counts once for each workload, because the counts are the same each time.
 *
 * @param {readonly { name: string, program: string }[]} builds
 * @param {string} folder for files
 * @param {(text: string) => void} say reports the progress
 */
export const compareCounts = async (builds, folder, say) => {
  const rows = [["", "bytes before", "after", "ratio", "calls before", "after"]]
  const notes = /** @type {Set<string>} */ (new Set())
  // An earlier build may not know a flag.
  for (const work of steadyWorks.filter(({ flags }) => flags === undefined)) {
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
