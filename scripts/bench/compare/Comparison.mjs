// Compares two builds of ss-proxy, before and after a change, at the same time, so that other load affects both alike.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { built } from "../peers/ss-proxy.mjs"
import { goFirst, machine, watchStolen } from "../process/Machine.mjs"
import { buildOf } from "./Builds.mjs"
import { compareCounts } from "./Counts.mjs"
import { parseOptions, usage, UsageError } from "./Options.mjs"
import { compareTimes, ratioOf } from "./Times.mjs"
import { verdictOf } from "./Verdict.mjs"

/** Reports the progress on standard error. */
const say = (/** @type {string} */ text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

/** The load averages over one, five and fifteen minutes. */
const loadText = () =>
  loadavg()
    .map((average) => average.toFixed(1))
    .join(" ")

/** @param {readonly import("./Times.mjs").Compared[]} compared */
const conclude = (compared) => {
  const worse = compared.filter((one) => verdictOf(ratioOf(one)) === "worse")
  const undecided = compared.filter((one) => verdictOf(ratioOf(one)) === "undecided")
  if (worse.length > 0) process.exitCode = 1
  const open =
    undecided.length === 0 ? "" : `; ${undecided.length} undecided: more pairs, or a quieter machine, would tell`
  process.stdout.write(`\n${worse.length} of ${compared.length} figures worse by more than 3 %${open}.\n`)
}

/**
 * @param {ReturnType<typeof parseOptions>} options
 * @param {string} folder
 */
const buildBoth = (options, folder) =>
  /** @type {const} */ (["before", "after"]).map((name) => {
    say(`building what is ${name}`)
    const word = name === "before" ? options.before : options.after
    const build = buildOf(word, join(folder, `build-${name}`))
    if (build === undefined) throw new UsageError(`--${name} is ${word}, which is no commit and holds no dist/bin.js`)
    say("")
    const variables = options.variables[name]
    const about = [build.about, ...variables].join(" ")
    process.stdout.write(`${name}: ${about}\n${build.notes.map((note) => `  (${note})\n`).join("")}`)
    return { name, ...build, about, variables }
  })

/** @param {ReturnType<typeof parseOptions>} options */
const introduce = ({ isFirst, pairs }) => {
  const { cpu, cores, node, load, origin, pinning } = machine()
  process.stdout.write(
    `${cpu}, ${cores} cores, Node ${node}; load: ${load}; origin: ${origin}; ` +
      `pinning: ${pinning}${isFirst ? ", before everything else" : ""}\nload average at the start: ${loadText()}\n\n` +
      `After over before: the median of ${pairs} pairs, and its interval by the sign test\n`,
  )
}

/**
 * @param {ReturnType<typeof parseOptions>} options
 * @param {string} folder
 */
const run = async (options, folder) => {
  const builds = buildBoth(options, folder)
  if (options.isFirst && !goFirst()) throw new UsageError("--first: the system does not let this user")
  const started = Date.now()
  const stolen = watchStolen()
  introduce(options)
  const peers = builds.map(({ name, program, about, variables }, index) => ({
    name,
    ...built(program, about, variables, index === 0 ? [] : options.afterFlags),
  }))
  const compared = await compareTimes(options, peers, folder, say)
  if (options.isSteady) await compareCounts(builds, folder, say)
  conclude(compared)
  const share = stolen()
  const taken = share === undefined ? "" : `; taken by the hypervisor: ${(share * 100).toFixed(1)} % of the time`
  process.stdout.write(
    `${Math.round((Date.now() - started) / 1000)} s; load average at the end: ${loadText()}${taken}\n`,
  )
  const report = { machine: machine(), builds, options, compared }
  if (options.json !== undefined) writeFileSync(resolve(options.json), `${JSON.stringify(report, null, 2)}\n`)
}

/** @param {string[]} words */
export const compare = async (words) => {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-compare-"))
  // nginx reads its files as another user, so the folder must be readable for all.
  chmodSync(folder, 0o755)
  try {
    const options = parseOptions(words)
    if (options.help) process.stdout.write(usage)
    else await run(options, folder)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`bench:compare: ${error.message}\n`)
    process.exitCode = 2
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
