// CPU time and memory of a program and all its child processes, by the kernel's accounting.
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs"

/**
 * @typedef {object} Usage
 * @property {number} cpu user and system time since the start, microseconds
 * @property {number} memory resident, bytes
 */

/**
 * @typedef {object} ProcessRow
 * @property {number} pid
 * @property {number} parent
 * @property {number} cpu microseconds, with that of children that have ended
 * @property {number} memory bytes
 */

const hasProc = existsSync("/proc/self/stat")
/** The unit of times in /proc/PID/stat is a hundredth of a second (USER_HZ), whatever the kernel's own tick is. */
const tickMicros = 10_000

/**
 * A figure of /proc/PID/status, in bytes.
 *
 * @param {number} pid
 * @param {"VmRSS" | "VmHWM"} name memory now, or the highest seen
 */
const readMemory = (pid, name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024

/**
 * The CPU time of a process's threads until now, in microseconds; undefined if the kernel does not record it. It is the
 * time of /proc/PID/stat with a resolution of nanoseconds: in that file a round of a second has only a hundred ticks.
 *
 * @param {number} pid
 * @returns {number | undefined}
 */
const readRunTime = (pid) => {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
      const [ran = ""] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")
      return sum + Number(ran) / 1000
    }, 0)
  } catch {
    return undefined
  }
}

/**
 * @param {number} pid
 * @returns {ProcessRow | undefined}
 */
const readProc = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name, in parentheses, may hold spaces; after it come state, parent, ….
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number)
    const [user = 0, system = 0, userOfChildren = 0, systemOfChildren = 0] = fields.slice(11, 15)
    const own = readRunTime(pid) ?? (user + system) * tickMicros
    const cpu = own + (userOfChildren + systemOfChildren) * tickMicros
    return { pid, parent: fields[1] ?? 0, cpu, memory: readMemory(pid, "VmRSS") }
  } catch {
    return undefined
  }
}

/** @param {string} time `[days-][hours:]minutes:seconds[.hundredths]` */
const clockMicros = (time) => {
  const [clock = "", days = "0"] = time.split("-").toReversed()
  const seconds = clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0)
  return (Number(days) * 86_400 + seconds) * 1e6
}

/** @returns {ProcessRow[]} */
const readPs = () =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,time=,rss="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => {
      const [pid, parent, time = "0", kib] = line.trim().split(/\s+/)
      return { pid: Number(pid), parent: Number(parent), cpu: clockMicros(time), memory: Number(kib) * 1024 }
    })

const everyProcess = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProc(Number(name)) ?? [])

/**
 * A process and all its descendants.
 *
 * @param {number} root
 * @returns {number[]}
 */
export const processTree = (root) => {
  const rows = hasProc ? everyProcess() : readPs()
  const found = [root]
  for (const pid of found) found.push(...rows.filter((row) => row.parent === pid).map((row) => row.pid))
  return found
}

/**
 * The sum of what these processes have used until now.
 *
 * @param {readonly number[]} pids
 * @returns {Usage}
 */
export const usageOf = (pids) => {
  const rows = hasProc ? pids.flatMap((pid) => readProc(pid) ?? []) : readPs().filter((row) => pids.includes(row.pid))
  return {
    cpu: rows.reduce((sum, row) => sum + row.cpu, 0),
    memory: rows.reduce((sum, row) => sum + row.memory, 0),
  }
}

/**
 * Resets the peak memory, so that `peakMemory` gives the peak from now on.
 *
 * @param {readonly number[]} pids
 */
export const resetPeakMemory = (pids) => {
  for (const pid of pids) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5")
    } catch {
      // Not every kernel permits this. Then the peak is that since the start.
    }
  }
}

/**
 * The peak memory of these processes, in bytes; their present memory if the kernel does not report the peak.
 *
 * @param {readonly number[]} pids
 * @returns {number}
 */
export const peakMemory = (pids) => {
  if (!hasProc) return usageOf(pids).memory
  return pids.reduce((sum, pid) => sum + readMemory(pid, "VmHWM"), 0)
}
