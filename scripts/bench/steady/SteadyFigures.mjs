// Figures of a build that are counted instead of timed, so that a busy machine does not change them: the bytes
// allocated for a request, and the system calls.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { makeSessions } from "../peers/Sessions.mjs"
import { flags } from "../peers/ss-proxy.mjs"
import { Child, freePort, untilListening } from "../process/Child.mjs"
import { ScriptedOrigin } from "./Ends.mjs"
import { callsOf } from "./SystemCalls.mjs"

const preload = fileURLToPath(new URL("StillProxy.mjs", import.meta.url))

/**
 * A heap with room for all allocations of a measurement: without a collection, its growth is exactly the number of
 * bytes allocated.
 */
const nodeFlags = ["--expose-gc", "--max-semi-space-size=256", "--min-semi-space-size=256", "--import", preload]

/** Number of steps after which V8 has compiled nearly everything. */
const warmUpSteps = 10_000
/**
 * Windows of counting. Compilations and other rare work fall into some windows, so the least count applies. Steps with
 * a rest take other code paths that V8 has not compiled yet, so they have more windows.
 */
const extents = { fast: { windows: 20, steps: 500 }, rested: { windows: 40, steps: 100 } }
const tracedSteps = 200
/** Pause before the next hop of a traced step, so that the proxy becomes idle, in milliseconds. */
const pause = 2
/** Time limit, in milliseconds. */
const longest = 120_000

/**
 * @typedef {object} Steady
 * @property {number} bytes allocated in a step, in V8's heap and in buffers
 * @property {import("./SystemCalls.mjs").Calls | { leftOut: string }} calls of the main thread in a step
 */

/**
 * @param {readonly import("./Works.mjs").Hop[]} hops
 * @param {number} [rest] before each hop, in milliseconds
 */
const takeStep = async (hops, rest = 0) => {
  for (const { from, bytes, arrival } of hops) {
    if (rest > 0) await sleep(rest)
    from.socket.write(bytes)
    await arrival()
  }
}

/**
 * @param {readonly import("./Works.mjs").Hop[]} hops
 * @param {number} count
 * @param {number} [rest]
 */
const takeSteps = async (hops, count, rest) => {
  for (let step = 0; step < count; step += 1) await takeStep(hops, rest)
}

/**
 * @param {Child} proxy
 * @param {"stop-time" | "collect" | "count"} word
 * @returns {Promise<{ bytes: number, collections: number }>}
 */
const heap = async (proxy, word) => {
  proxy.write(`${word}\n`)
  return JSON.parse(await proxy.line("HEAP", 10_000))
}

/**
 * @param {Child} proxy
 * @param {readonly import("./Works.mjs").Hop[]} hops
 * @param {number} [rest]
 * @returns {Promise<number>} bytes in a step
 */
const bytesOf = async (proxy, hops, rest) => {
  const { windows, steps } = rest === undefined ? extents.fast : extents.rested
  await takeSteps(hops, warmUpSteps)
  await heap(proxy, "stop-time")
  await heap(proxy, "collect")
  const found = []
  for (let window = 0; window < windows; window += 1) {
    const before = await heap(proxy, "count")
    await takeSteps(hops, steps, rest)
    const after = await heap(proxy, "count")
    if (after.collections === before.collections) found.push((after.bytes - before.bytes) / steps)
  }
  if (found.length === 0) throw new Error("garbage was collected in every window")
  return Math.min(...found)
}

/**
 * @param {import("./Works.mjs").SteadyWork} work
 * @param {string} program the build's `dist/bin.js`
 * @param {string} folder for files
 * @returns {Promise<Steady>}
 */
const measure = async (work, program, folder) => {
  mkdirSync(folder, { recursive: true })
  const origin = new ScriptedOrigin()
  const [originPort, port, database] = [await origin.listen(), await freePort(), join(folder, "sessions.db")]
  const url = `http://127.0.0.1:${originPort}`
  makeSessions(database, url, 0)
  const place = { port, origin: url, folder, database }
  const { flags: more = () => [], variables = [] } = work
  const command = [process.execPath, ...nodeFlags, program, "run", ...flags(place), ...more(folder)]
  const proxy = new Child(["env", ...variables, ...command], "proxy")
  try {
    await untilListening(proxy, port, 20_000)
    const hops = await work.open(port, origin)
    const bytes = await bytesOf(proxy, hops, work.rest)
    const calls = await callsOf(proxy.pid, join(folder, "calls"), tracedSteps, () => takeStep(hops, pause))
    for (const { from } of hops) from.socket.destroy()
    return { bytes, calls }
  } finally {
    proxy.kill()
    origin.close()
  }
}

/**
 * The counted figures of a build under one workload. Fails after two minutes.
 *
 * @param {import("./Works.mjs").SteadyWork} work
 * @param {string} program the build's `dist/bin.js`
 * @param {string} folder for files
 * @returns {Promise<Steady>}
 */
export const measureSteady = async (work, program, folder) => {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${work.name} did not end within ${longest / 1000} s`)), longest)
  })
  const measured = measure(work, program, folder)
  return /** @type {Promise<Steady>} */ (Promise.race([measured, late])).finally(() => clearTimeout(timer))
}
