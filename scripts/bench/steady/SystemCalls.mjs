// Counts the system calls of a process with strace (a Debian package).
import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { Child } from "../process/Child.mjs"
import { programs } from "../process/Machine.mjs"
import { median } from "../report/Figures.mjs"

/**
 * @typedef {object} Calls
 * @property {number} count in a step
 * @property {string} names of the calls in the first step with that count, such as `read 2, write 2`
 */

/** Time limit for the start of strace, in milliseconds. */
const patience = 10_000

/** The present time in the format of strace, in seconds. */
const moment = () => (performance.timeOrigin + performance.now()) / 1000

/** @param {number} pid */
const isTraced = (pid) => /^TracerPid:\s+[1-9]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))

/**
 * The names of the calls of each step.
 *
 * @param {string} log that strace wrote
 * @param {readonly number[]} starts of the steps, and the end of the last step
 * @returns {string[][]}
 */
const stepsOf = (log, starts) => {
  const calls = log.split("\n").flatMap((line) => {
    const [, at, name] = /^([\d.]+) (\w+)\(/.exec(line) ?? []
    return at === undefined || name === undefined ? [] : [{ at: Number(at), name }]
  })
  return starts
    .slice(0, -1)
    .map((start, step) =>
      calls.filter(({ at }) => at >= start && at < (starts[step + 1] ?? start)).map(({ name }) => name),
    )
}

/** @param {readonly string[]} names */
const tally = (names) =>
  [...new Set(names)]
    .toSorted()
    .map((name) => `${name} ${names.filter((one) => one === name).length}`)
    .join(", ")

/**
 * Repeats a step while strace traces the main thread of a process. Returns the median of the steps, so that a timer
 * that fires in some of them does not count.
 *
 * @param {number} pid
 * @param {string} file for the output of strace
 * @param {number} steps
 * @param {() => Promise<unknown>} step after which the process is idle
 * @returns {Promise<Calls | { leftOut: string }>}
 */
export const callsOf = async (pid, file, steps, step) => {
  if (programs.strace === undefined) return { leftOut: "strace is not installed" }
  const strace = new Child([programs.strace, "-ttt", "-o", file, "-p", String(pid)], "rest")
  try {
    for (const until = performance.now() + patience; !isTraced(pid); await sleep(5))
      if (strace.hasEnded || performance.now() > until)
        return { leftOut: `strace may not look at another process: ${strace.output.split("\n")[0]}` }
    const starts = /** @type {number[]} */ ([])
    for (let at = 0; at < steps; at += 1) {
      starts.push(moment())
      await step()
    }
    starts.push(moment())
    process.kill(strace.pid, "SIGINT")
    await strace.ended
    const found = stepsOf(readFileSync(file, "utf8"), starts)
    const count = median(found.map(({ length }) => length))
    return { count, names: tally(found.find(({ length }) => length === count) ?? []) }
  } finally {
    strace.kill()
  }
}
