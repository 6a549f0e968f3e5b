// Requests over 64 connections; each connection sends its next request when it has its answer.
import { fileURLToPath } from "node:url"
import { Child } from "../process/Child.mjs"
import { programs } from "../process/Machine.mjs"
import { openWindow } from "./Window.mjs"

/**
 * The requests to send.
 *
 * @typedef {object} Asking
 * @property {string} path
 * @property {string} [body] makes it a POST of JSON
 * @property {boolean} [isRefused] every answer must have an error status, instead of none
 * @property {number} [sessions] requests `/s0/small`, `/s1/small`, … for this number of sessions instead of `path`
 */

const connections = 64

/** @param {string} name */
const beside = (name) => fileURLToPath(new URL(name, import.meta.url))

/**
 * @param {Asking} asking
 * @returns {[script: string, args: string[]]}
 */
const wrkScript = ({ body, sessions }) => {
  if (sessions !== undefined) return [beside("sessions.lua"), [String(sessions)]]
  return body === undefined ? [beside("report.lua"), []] : [beside("post.lua"), [body]]
}

/**
 * @param {string} wrk
 * @param {number} port
 * @param {Asking} asking
 * @param {number} seconds whole ones
 */
const wrkCommand = (wrk, port, asking, seconds) => {
  const [script, args] = wrkScript(asking)
  const url = `http://127.0.0.1:${port}${asking.path}`
  return [
    wrk,
    "-t1",
    `-c${connections}`,
    `-d${Math.max(1, Math.round(seconds))}s`,
    "--timeout",
    "10s",
    "-s",
    script,
    url,
    "--",
    ...args,
  ]
}

/**
 * One run against one proxy.
 *
 * @param {number} port
 * @param {readonly number[]} pids
 * @param {Asking} asking
 * @param {number} seconds
 * @returns {Promise<import("./Window.mjs").Sample>}
 */
export const requests = async (port, pids, asking, seconds) => {
  const command =
    programs.wrk === undefined
      ? [process.execPath, beside("Autocannon.mjs"), JSON.stringify({ port, connections, seconds, ...asking })]
      : wrkCommand(programs.wrk, port, asking, seconds)
  const close = openWindow(pids)
  const child = new Child(command, "rest")
  try {
    const { count, micros, p50, p99, ...found } = JSON.parse(await child.line("RESULT", (seconds + 20) * 1000))
    const { cpu, memory } = close()
    const errors = found.errors + (asking.isRefused === true ? count - found.refused : found.refused)
    return { count, seconds: micros / 1e6, cpu, memory, errors, p50: p50 / 1000, p99: p99 / 1000 }
  } finally {
    child.kill()
  }
}
