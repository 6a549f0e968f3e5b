// The figures by which two builds are compared. Less is better for each of them. Requests a second and the latencies
// under full load are not among them, because they follow from the CPU time and vary more.

/** @typedef {{ key: string, title: string }} JudgedFigure */

/** @type {Record<string, JudgedFigure[]>} */
const judged = {
  get: [
    { key: "cpu", title: "CPU of a GET" },
    { key: "memory", title: "memory after GETs" },
  ],
  post: [{ key: "cpu", title: "CPU of a POST of 1 KiB" }],
  large: [{ key: "cpu", title: "CPU of 64 KiB down" }],
  events: [{ key: "cpu", title: "CPU of an event" }],
  "ws-single": [{ key: "cpu", title: "CPU of an echo, 1 in flight" }],
  "ws-many": [{ key: "cpu", title: "CPU of an echo, 16 in flight" }],
  "ws-large": [{ key: "cpu", title: "CPU of an echo of 16 KiB" }],
  "ws-idle": [{ key: "each", title: "memory of an idle WebSocket" }],
  download: [{ key: "cpu", title: "CPU of a GiB down" }],
  upload: [{ key: "cpu", title: "CPU of a GiB up" }],
  unknown: [{ key: "cpu", title: "CPU of a 404" }],
  health: [{ key: "cpu", title: "CPU of a /health" }],
  rate: [
    { key: "cpu", title: "CPU of a GET, 1,000 a second" },
    { key: "p50", title: "p50, 1,000 a second" },
    { key: "p99", title: "p99, 1,000 a second" },
  ],
  start: [
    { key: "run", title: "run to first 200" },
    { key: "version", title: "--version" },
    { key: "memory", title: "memory at rest" },
  ],
  sessions: [{ key: "cpu", title: "CPU of a GET, 10,000 sessions" }],
  million: [
    { key: "memory", title: "memory, 1,000,000 rows" },
    { key: "p50", title: "cold lookup p50" },
  ],
  commit: [{ key: "p50", title: "in force after a commit, p50" }],
}

export const judgedWorkloads = Object.keys(judged)

/** The workloads of a comparison that takes only minutes. */
export const mainWorkloads = ["get", "post", "large", "events", "ws-single", "ws-many"]

/**
 * @param {string} workload
 * @returns {JudgedFigure[]}
 */
export const judgedFigures = (workload) => judged[workload] ?? []
