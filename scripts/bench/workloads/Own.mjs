// Answers of ss-proxy itself, without a server.
import { requests } from "../load/Requests.mjs"
import { common, cpuPer } from "./Workload.mjs"

const figures = [cpuPer("request"), common.perSecond, common.p50, common.p99, common.errors]

/**
 * @param {string} name
 * @param {string} title
 * @param {import("../load/Requests.mjs").Asking} asking
 * @returns {import("./Workload.mjs").Workload}
 */
const own = (name, title, asking) => ({
  name,
  title,
  origin: "plain",
  needs: "sessions",
  figures,
  measure: ({ port, pids }, { seconds }) => requests(port, pids, asking, seconds),
})

/** @type {import("./Workload.mjs").Workload[]} */
export const answeredAlone = [
  own("unknown", "404 of an unknown session", { path: "/nobody/small", isRefused: true }),
  own("health", "/health", { path: "/health" }),
]
