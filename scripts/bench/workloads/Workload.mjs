// The types of the workloads, which the files in this folder describe.
import { request } from "node:http"

/** @typedef {import("../load/Window.mjs").Sample & Record<string, number | undefined>} AnySample */

/**
 * @typedef {import("../peers/Peers.mjs").Running & { readonly baseline: number, readonly originPort: number }} Subject
 */

/**
 * A figure of the report: its title, and how it is computed from a sample.
 *
 * @typedef {object} Figure
 * @property {string} key
 * @property {string} title with its unit
 * @property {number} digits behind the point
 * @property {(sample: AnySample) => number | undefined} of
 * @property {"median" | "max" | "sum"} [over] how the rounds are combined; default: median
 */

/**
 * The length of a round.
 *
 * @typedef {object} Span
 * @property {number} seconds that are measured
 * @property {number} warmUp seconds that are not
 * @property {number} round 0 for the warm-up, then 1, 2, …
 * @property {boolean} isQuick
 */

/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} title
 * @property {import("../origin/Origin.mjs").OriginKind} origin
 * @property {"any" | "webSockets" | "sessions"} needs what a proxy must support
 * @property {boolean} [beside] whether the origin itself is measured too
 * @property {Figure[]} figures
 * @property {number} [sessions] rows that the table has beside `bench`
 * @property {(folder: string, originPort: number) => string} [database] makes a database with which all proxies start
 * @property {(subject: Subject) => Promise<string | undefined>} [check] the problem with the answers, if there is one
 * @property {(subject: Subject, span: Span) => Promise<AnySample>} [measure] one round against a running proxy
 * @property {(peer: import("../peers/Peers.mjs").NamedPeer, originPort: number, folder: string, span: Span) => Promise<AnySample>} [start]
 *   one round that starts the proxy itself
 * @property {number} [rounds] replaces the number of rounds of the run
 * @property {boolean} [warmUp] false if there is nothing to warm up
 */

const mebibyte = 2 ** 20

/** @type {Record<"perSecond" | "p50" | "p99" | "memory" | "errors", Figure>} */
export const common = {
  perSecond: { key: "perSecond", title: "per second", digits: 0, of: ({ count, seconds }) => count / seconds },
  p50: { key: "p50", title: "p50 ms", digits: 2, of: ({ p50 }) => p50 },
  p99: { key: "p99", title: "p99 ms", digits: 2, of: ({ p99 }) => p99 },
  memory: { key: "memory", title: "memory MiB", digits: 0, of: ({ memory = 0 }) => memory / mebibyte },
  errors: { key: "errors", title: "errors", digits: 0, of: ({ errors }) => errors, over: "sum" },
}

/**
 * CPU time for each unit of work.
 *
 * @param {string} unit
 * @returns {Figure}
 */
export const cpuPer = (unit) => ({
  key: "cpu",
  title: `CPU us/${unit}`,
  digits: 1,
  // 0: `direct` has no process, or the time is below the resolution of the kernel's clock.
  of: ({ cpu, count }) => (cpu === 0 ? undefined : cpu / count),
})

/** @type {Figure} */
export const growth = {
  key: "growth",
  title: "memory growth MiB",
  digits: 0,
  of: ({ growth = 0 }) => growth / mebibyte,
  over: "max",
}

/**
 * Sends one request. Returns the problem with its answer, if there is one.
 *
 * @param {number} port
 * @param {string} path
 * @param {{ length: number, body?: string }} expected length of the answer; and a body to POST
 * @returns {Promise<string | undefined>}
 */
export const checkAnswer = (port, path, { length, body }) =>
  new Promise((resolve) => {
    const asked = request(
      {
        port,
        host: "127.0.0.1",
        path,
        agent: false,
        timeout: 10_000,
        ...(body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" } }),
      },
      (response) => {
        let bytes = 0
        response.on("data", (chunk) => (bytes += chunk.length))
        response.on("error", (error) => resolve(error.message))
        response.on("end", () => {
          if (response.statusCode !== 200) resolve(`answers ${response.statusCode}`)
          else resolve(bytes === length ? undefined : `answers ${bytes} bytes instead of ${length}`)
        })
      },
    )
    asked.on("timeout", () => asked.destroy(new Error("does not answer within 10 s")))
    asked.on("error", (error) => resolve(error.message))
    asked.end(body)
  })
