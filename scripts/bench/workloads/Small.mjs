// Small requests and answers, over 64 connections.
import { answers, postBody } from "../origin/Answers.mjs"
import { requests } from "../load/Requests.mjs"
import { checkAnswer, common, cpuPer } from "./Workload.mjs"

const figures = [cpuPer("request"), common.perSecond, common.p50, common.p99, common.memory, common.errors]

/**
 * @param {string} path
 * @param {number} length of the answer
 * @param {string} [body]
 * @returns {Pick<import("./Workload.mjs").Workload, "origin" | "needs" | "figures" | "check" | "measure">}
 */
const asking = (path, length, body) => ({
  origin: "plain",
  needs: "any",
  figures,
  check: ({ port }) => checkAnswer(port, path, body === undefined ? { length } : { length, body }),
  measure: ({ port, pids }, { seconds }) =>
    requests(port, pids, body === undefined ? { path } : { path, body }, seconds),
})

/** @type {import("./Workload.mjs").Workload[]} */
export const small = [
  { name: "get", title: "GET, 118 bytes", ...asking("/bench/small", answers.small.length) },
  { name: "post", title: "POST, 1 KiB of JSON", ...asking("/bench/small", answers.small.length, postBody) },
  { name: "large", title: "GET, 64 KiB", ...asking("/bench/large", answers.large.length) },
]
