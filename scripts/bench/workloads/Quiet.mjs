// The latency of requests when nothing is saturated, and the time that a start takes.
import { execFileSync } from "node:child_process"
import { get } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { nodeLoad } from "../load/NodeLoad.mjs"
import { answers } from "../origin/Answers.mjs"
import { startPeer } from "../peers/Peers.mjs"
import { pinned } from "../process/Machine.mjs"
import { usageOf } from "../process/ProcessUsage.mjs"
import { checkAnswer, common, cpuPer } from "./Workload.mjs"

/**
 * @param {number} port
 * @param {string} path
 * @returns {Promise<number | undefined>} the status; undefined if there was no answer
 */
const statusOf = (port, path) =>
  new Promise((resolve) => {
    get({ port, host: "127.0.0.1", path, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on("error", () => resolve(undefined))
  })

/**
 * The time that a command takes from start to end, in milliseconds.
 *
 * @param {string[]} command
 */
const wallOf = (command) => {
  const [file = "", ...args] = [...pinned("proxy"), ...command]
  const since = performance.now()
  execFileSync(file, args, { stdio: "ignore", timeout: 20_000 })
  return performance.now() - since
}

/** @type {import("./Workload.mjs").Workload[]} */
export const quiet = [
  {
    name: "rate",
    title: "1,000 requests a second",
    origin: "plain",
    needs: "any",
    beside: true,
    figures: [common.p50, common.p99, cpuPer("request"), common.perSecond, common.errors],
    check: ({ port }) => checkAnswer(port, "/bench/small", { length: answers.small.length }),
    measure: ({ port, pids }, { seconds, warmUp }) =>
      nodeLoad("FixedRate", { port, pids, seconds, path: "/bench/small", rate: 1000, warmUp: Math.min(1, warmUp) }),
  },
  {
    name: "start",
    title: "Start-up, and memory at rest",
    origin: "plain",
    needs: "any",
    figures: [
      { key: "run", title: "run to first 200, ms", digits: 0, of: ({ run }) => run },
      { key: "version", title: "--version, ms", digits: 0, of: ({ version }) => version },
      { ...common.memory, title: "idle memory MiB" },
    ],
    start: async (peer, originPort, folder, { isQuick }) => {
      const version = peer.version === undefined ? undefined : wallOf(peer.version)
      const path = peer.sessions === true ? "/health" : "/bench/small"
      const running = await startPeer(peer, originPort, folder)
      try {
        while ((await statusOf(running.port, path)) !== 200) await sleep(2)
        const run = performance.now() - running.since
        await sleep(isQuick ? 300 : 1500)
        const { cpu, memory } = usageOf(running.pids)
        return { count: 1, seconds: run / 1000, cpu, errors: 0, memory, run, version }
      } finally {
        await running.stop()
      }
    },
    warmUp: false,
  },
]
