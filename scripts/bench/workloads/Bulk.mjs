// Large bodies, which no proxy should buffer.
import { answers, bulkBytes } from "../origin/Answers.mjs"
import { nodeLoad } from "../load/NodeLoad.mjs"
import { checkAnswer, common, cpuPer, growth } from "./Workload.mjs"

const perGibibyte = { ...cpuPer("GiB"), title: "CPU ms/GiB", of: gibibyteMillis }

/** @param {import("./Workload.mjs").AnySample} sample */
function gibibyteMillis({ cpu, count }) {
  return cpu / 1000 / count
}

const figures = [perGibibyte, { ...common.perSecond, title: "GiB/s", digits: 2 }, growth, common.errors]

/**
 * @param {"down" | "up"} way
 * @param {string} path
 * @returns {Pick<import("./Workload.mjs").Workload, "origin" | "needs" | "figures" | "measure">}
 */
const transfer = (way, path) => ({
  origin: "streams",
  needs: "any",
  figures,
  measure: ({ port, pids, baseline }, { seconds }) =>
    nodeLoad("Transfer", { port, pids, seconds, path, size: bulkBytes, way, baseline }),
})

/** @type {import("./Workload.mjs").Workload[]} */
export const bulk = [
  {
    name: "download",
    title: "64 MiB down",
    ...transfer("down", "/bench/bulk"),
    check: ({ port }) => checkAnswer(port, "/bench/bulk", { length: bulkBytes }),
  },
  {
    name: "upload",
    title: "64 MiB up",
    ...transfer("up", "/bench/upload"),
    check: ({ port }) =>
      checkAnswer(port, "/bench/upload", {
        length: JSON.stringify({ bytes: 7 }).length,
        body: answers.small.slice(0, 7),
      }),
  },
]
