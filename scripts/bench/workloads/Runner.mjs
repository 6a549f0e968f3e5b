// Runs one workload against all proxies in turn. Every second round goes in the reverse order, so that drift of the
// machine affects all proxies alike.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { startOrigin } from "../origin/Origin.mjs"
import { startPeer } from "../peers/Peers.mjs"
import { processTree, resetPeakMemory, usageOf } from "../process/ProcessUsage.mjs"

/**
 * The size of a run.
 *
 * @typedef {object} Extent
 * @property {number} rounds
 * @property {number} seconds of each round
 * @property {number} warmUp seconds before the first
 * @property {number} [warmUpWork] microseconds of CPU time that a proxy must have had before the first, if it gets them in
 *   a few times `warmUp`: on a busy machine, time alone does not warm it up
 * @property {boolean} isQuick
 * @property {string} folder for files
 * @property {(text: string) => void} say reports the progress
 */

/**
 * The result of one proxy: a sample of each round, or the reason why it was left out.
 *
 * @typedef {object} Result
 * @property {string} name
 * @property {Array<import("./Workload.mjs").AnySample>} samples
 * @property {string} [leftOut]
 */

/** The longest warm-up, as a multiple of `warmUp`. */
const mostWarmUps = 6

/** Time limit of each step, in milliseconds. */
const longest = 120_000

/**
 * @template A
 * @param {Promise<A>} work
 * @returns {Promise<A>}
 */
const bounded = (work) => {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${longest / 1000} s`)), longest)
  })
  return /** @type {Promise<A>} */ (Promise.race([work, late])).finally(() => clearTimeout(timer))
}

/** @param {unknown} error */
const reasonOf = (error) => (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? ""

/**
 * One proxy under one workload, from its start to its stop.
 */
class Contender {
  samples = /** @type {Array<import("./Workload.mjs").AnySample>} */ ([])
  /** @type {string | undefined} */
  leftOut = undefined
  /** @type {import("./Workload.mjs").Subject | undefined} */
  #subject = undefined

  /**
   * @param {import("../peers/Peers.mjs").NamedPeer} peer
   * @param {import("./Workload.mjs").Workload} workload
   * @param {number} originPort
   * @param {string} folder
   */
  constructor(peer, workload, originPort, folder) {
    this.peer = peer
    this.workload = workload
    this.originPort = originPort
    this.folder = folder
  }

  /**
   * Runs a step, unless the proxy is left out already. A failure leaves the proxy out.
   *
   * @param {() => Promise<unknown>} work
   */
  async #attempt(work) {
    if (this.leftOut !== undefined) return
    try {
      await bounded(work())
    } catch (error) {
      this.leftOut = reasonOf(error)
      await this.stop()
    }
  }

  /**
   * Starts the proxy, and checks its answers.
   *
   * @param {string | undefined} database that all proxies share
   */
  prepare(database) {
    const { check, start, sessions = 0 } = this.workload
    if (start !== undefined) return Promise.resolve()
    return this.#attempt(async () => {
      const options = database === undefined ? { sessions } : { database }
      const running = await startPeer(this.peer, this.originPort, this.folder, options)
      this.#subject = { ...running, originPort: this.originPort, baseline: 0 }
      const wrong = await check?.(this.#subject)
      if (wrong !== undefined) throw new Error(wrong)
      // Some listen before their workers have been started.
      const pids = running.pids.flatMap((pid, index) => (index === 0 ? processTree(pid) : []))
      resetPeakMemory(pids)
      this.#subject = { ...this.#subject, pids, baseline: usageOf(pids).memory }
    })
  }

  /** @param {import("./Workload.mjs").Span} span */
  async #measure(span) {
    const { start, measure } = this.workload
    return start === undefined
      ? this.#subject && (await measure?.(this.#subject, span))
      : await start(this.peer, this.originPort, `${this.folder}-${span.round}`, span)
  }

  /**
   * @param {import("./Workload.mjs").Span} span
   * @param {number} work least CPU time of the warm-up, in microseconds
   */
  warmUp(span, work) {
    return this.#attempt(async () => {
      let done = 0
      for (let times = 0; times === 0 || (times < mostWarmUps && done < work); times += 1)
        done += (await this.#measure(span))?.cpu ?? 0
    })
  }

  /** @param {import("./Workload.mjs").Span} span */
  round(span) {
    return this.#attempt(async () => {
      const sample = await this.#measure(span)
      if (sample !== undefined) this.samples.push(sample)
    })
  }

  async stop() {
    await this.#subject?.stop()
  }
}

/**
 * @param {import("./Workload.mjs").Workload} workload
 * @param {readonly import("../peers/Peers.mjs").NamedPeer[]} peers
 */
const able = ({ needs, beside }, peers) =>
  peers.filter(
    (peer) =>
      (needs === "any" || (needs === "webSockets" ? peer.webSockets : peer.sessions === true)) &&
      (beside === true || peer.name !== "direct"),
  )

/**
 * @param {import("./Workload.mjs").Workload} workload
 * @param {readonly import("../peers/Peers.mjs").NamedPeer[]} peers
 * @param {Extent} extent
 * @returns {Promise<Result[]>}
 */
export const runWorkload = async (workload, peers, extent) => {
  const folder = join(extent.folder, workload.name)
  mkdirSync(folder, { recursive: true })
  const origin = await startOrigin(workload.origin, folder)
  const contenders = able(workload, peers).map(
    (peer) => new Contender(peer, workload, origin.port, join(folder, peer.name)),
  )
  try {
    const database = workload.database?.(folder, origin.port)
    for (const contender of contenders) await contender.prepare(database)
    const { seconds, warmUp, isQuick } = extent
    const rounds = workload.rounds ?? extent.rounds
    for (let round = workload.warmUp === false ? 1 : 0; round <= rounds; round += 1) {
      extent.say(`${workload.title}: ${round === 0 ? "warm-up" : `round ${round} of ${rounds}`}`)
      const turn = round % 2 === 1 ? contenders : contenders.toReversed()
      const span = { seconds: round === 0 ? warmUp : seconds, warmUp, round, isQuick }
      for (const contender of turn)
        await (round === 0 ? contender.warmUp(span, extent.warmUpWork ?? 0) : contender.round(span))
    }
    return contenders.map(({ peer, samples, leftOut }) =>
      leftOut === undefined ? { name: peer.name, samples } : { name: peer.name, samples: [], leftOut },
    )
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()))
    await origin.child.stop()
  }
}
