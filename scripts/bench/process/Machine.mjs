// What this machine offers to the benchmark: its cores, and the programs it can use.
import { accessSync, constants, readFileSync } from "node:fs"
import { availableParallelism, constants as system, cpus, platform, release, setPriority, totalmem } from "node:os"
import { delimiter, join } from "node:path"

/**
 * The path of a program, or undefined where there is none.
 *
 * @param {string} name
 * @returns {string | undefined}
 */
export const findProgram = (name) => {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Programs that are used where they are there. */
export const programs = {
  taskset: platform() === "linux" ? findProgram("taskset") : undefined,
  wrk: findProgram("wrk"),
  nginx: findProgram("nginx"),
  strace: platform() === "linux" ? findProgram("strace") : undefined,
}

const cores = availableParallelism()

/**
 * Proxies on one core, everything else on another, so that neither takes time from the other; unless `--spread` was said,
 * which the processes of a run hear of by this variable.
 */
const spread = "BENCH_SPREAD"
const pins = () => process.env[spread] === undefined && programs.taskset !== undefined && cores >= 2

/** From here on, every process may use every core. */
export const spreadOut = () => {
  process.env[spread] = "1"
}

/**
 * From here on, this process and those that it starts are scheduled before what else wants a core.
 *
 * @returns {boolean} false where the system does not let us
 */
export const goFirst = () => {
  try {
    setPriority(system.priority.PRIORITY_HIGHEST)
    return true
  } catch {
    return false
  }
}

/** @typedef {"proxy" | "rest"} Side */

/**
 * The words to put before a command, so that it stays on its side's core.
 *
 * @param {Side} side
 * @returns {string[]}
 */
export const pinned = (side) =>
  pins() && programs.taskset !== undefined ? [programs.taskset, "-c", side === "proxy" ? "0" : String(cores - 1)] : []

/** What a reader of the figures wants to know about the machine. */
export const machine = () => ({
  system: `${platform()} ${release()}`,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  pinning: pins() ? `proxy on core 0, load and origin on core ${cores - 1}` : "none",
  load: programs.wrk === undefined ? "autocannon" : "wrk",
  origin: programs.nginx === undefined ? "node" : "nginx",
})

/** The time that the cores have had, and what of it the hypervisor gave to others, in hundredths of a second. */
const coreTimes = () => {
  const [, ...times] = readFileSync("/proc/stat", "utf8").split("\n")[0]?.split(/\s+/) ?? []
  // The last two of the ten are parts of others.
  return { all: times.slice(0, 8).reduce((sum, time) => sum + Number(time), 0), stolen: Number(times[7] ?? 0) }
}

/**
 * Starts to look at what the hypervisor takes away; the function that it returns tells its share of the cores' time since.
 *
 * @returns {() => number | undefined} undefined where the system does not say
 */
export const watchStolen = () => {
  if (platform() !== "linux") return () => undefined
  const before = coreTimes()
  return () => {
    const after = coreTimes()
    return (after.stolen - before.stolen) / (after.all - before.all)
  }
}
