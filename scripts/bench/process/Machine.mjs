// The cores of this machine, and the programs that the benchmark can use.
import { accessSync, constants, readFileSync } from "node:fs"
import { availableParallelism, constants as system, cpus, platform, release, setPriority, totalmem } from "node:os"
import { delimiter, join } from "node:path"

/**
 * The path of a program, or undefined if it is not installed.
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

/** Programs that are used if they are installed. */
export const programs = {
  taskset: platform() === "linux" ? findProgram("taskset") : undefined,
  wrk: findProgram("wrk"),
  nginx: findProgram("nginx"),
  haproxy: findProgram("haproxy"),
  caddy: findProgram("caddy"),
  strace: platform() === "linux" ? findProgram("strace") : undefined,
}

const cores = availableParallelism()

/**
 * Proxies run on one core and everything else on another, so that neither takes time from the other, unless `--spread`
 * is given. This variable tells the processes of a run of that.
 */
const spread = "BENCH_SPREAD"
const pins = () => process.env[spread] === undefined && programs.taskset !== undefined && cores >= 2

/** From now on every process may use every core. */
export const spreadOut = () => {
  process.env[spread] = "1"
}

/**
 * From now on this process and its children have a higher priority than other processes.
 *
 * @returns {boolean} false if the system does not permit it
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
 * The words to put before a command, to pin it to its side's core.
 *
 * @param {Side} side
 * @returns {string[]}
 */
export const pinned = (side) =>
  pins() && programs.taskset !== undefined ? [programs.taskset, "-c", side === "proxy" ? "0" : String(cores - 1)] : []

/** The machine, for the reader of the figures. */
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

/** The total time of all cores and the stolen time in it (/proc/stat), in hundredths of a second. */
const coreTimes = () => {
  const [, ...times] = readFileSync("/proc/stat", "utf8").split("\n")[0]?.split(/\s+/) ?? []
  // The last two of the ten numbers (guest time) are included in others.
  return { all: times.slice(0, 8).reduce((sum, time) => sum + Number(time), 0), stolen: Number(times[7] ?? 0) }
}

/**
 * Starts to measure stolen time. The returned function gives its share of the cores' time since then.
 *
 * @returns {() => number | undefined} undefined if the system does not report it
 */
export const watchStolen = () => {
  if (platform() !== "linux") return () => undefined
  const before = coreTimes()
  return () => {
    const after = coreTimes()
    return (after.stolen - before.stolen) / (after.all - before.all)
  }
}
