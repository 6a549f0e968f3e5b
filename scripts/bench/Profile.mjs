// Profiles small requests: runs ss-proxy under Node's sampling profiler, and groups the samples by their purpose.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { requests } from "./load/Requests.mjs"
import { postBody } from "./origin/Answers.mjs"
import { startOrigin } from "./origin/Origin.mjs"
import { makeSessions } from "./peers/Sessions.mjs"
import { flags } from "./peers/ss-proxy.mjs"
import { Child, freePort, untilListening } from "./process/Child.mjs"
import { machine } from "./process/Machine.mjs"
import { profileChart } from "./report/ProfileChart.mjs"

const usage = `Says where ss-proxy's CPU time goes: GETs of 118 bytes over 64 connections, sampled for 10 s.

usage: npm run bench:profile -- [--post] [--svg FILE]

  --post      POSTs of 1 KiB instead
  --svg FILE  draw it, too
  --help      this text
`

const program = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))
const seconds = 10

/**
 * The place of a sample: a function, and its file in the build.
 *
 * @typedef {{ functionName: string, url: string, lineNumber: number }} Frame
 */

/**
 * @typedef {{ nodes: Array<{ id: number, callFrame: Frame }>, samples: number[], timeDeltas: number[], startTime:
 * number }} CpuProfile
 */

/** The names of the shares, in the order of the chart. */
const writes = "system calls that write"
const engine = "system calls that read and wait, and the engine"
const collector = "garbage collection"
const nodes = "node's sockets and streams"
const parts = /** @type {Array<[folder: string, name: string]>} */ ([
  ["src/wire/", "parsing and writing HTTP"],
  ["src/http/", "exchanges"],
  ["src/server/", "clients' connections"],
  ["src/downstream/", "connections to servers"],
  ["src/socket/", "connections to servers"],
  ["src/clock/", "deadlines"],
  ["src/traffic/", "accounting"],
  ["src/sessions/", "looking up the session"],
  ["node_modules/", "Effect and other packages"],
])

/** The lines of a built file at which a source module begins. */
const modulesOf = (() => {
  const known = new Map()
  /** @type {(file: string) => Array<{ line: number, module: string }>} */
  return (file) => {
    if (!known.has(file)) {
      const lines = readFileSync(file, "utf8").split("\n")
      known.set(
        file,
        lines.flatMap((text, line) => {
          const [, module] = /^\/\/ ((?:src|node_modules)\/\S+)$/.exec(text) ?? []
          return module === undefined ? [] : [{ line, module }]
        }),
      )
    }
    return known.get(file)
  }
})()

/** @param {Frame} frame */
const shareOf = ({ functionName, url, lineNumber }) => {
  if (functionName === "(garbage collector)") return collector
  if (/^write(?:Latin1String|Utf8String|Buffer|v)$/.test(functionName) && url === "") return writes
  if (url === "") return engine
  if (url.startsWith("node:")) return nodes
  const module = modulesOf(fileURLToPath(url)).findLast(({ line }) => line <= lineNumber)?.module ?? ""
  return parts.find(([folder]) => module.startsWith(folder))?.[1] ?? "the rest"
}

/**
 * The shares of the busy time between two moments, in microseconds of the monotonic clock.
 *
 * @param {CpuProfile} profile
 * @param {number} from
 * @param {number} until
 * @returns {Array<{ name: string, share: number }>}
 */
const sharesOf = ({ nodes: known, samples, timeDeltas, startTime }, from, until) => {
  const frames = new Map(known.map(({ id, callFrame }) => [id, callFrame]))
  const sums = /** @type {Map<string, number>} */ (new Map())
  let [at, busy] = [startTime, 0]
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)
    const took = timeDeltas[index] ?? 0
    at += took
    if (frame === undefined || frame.functionName === "(idle)" || at < from || at > until) continue
    busy += took
    const name = shareOf(frame)
    sums.set(name, (sums.get(name) ?? 0) + took)
  }
  return [...sums].map(([name, sum]) => ({ name, share: sum / busy })).toSorted((one, other) => other.share - one.share)
}

const monotonicMicros = () => Number(process.hrtime.bigint() / 1000n)

/**
 * @param {string} folder
 * @param {boolean} isPost
 */
const measure = async (folder, isPost) => {
  const origin = await startOrigin("plain", folder)
  const [port, database] = [await freePort(), join(folder, "sessions.db")]
  makeSessions(database, `http://127.0.0.1:${origin.port}`, 1)
  const profiler = ["--cpu-prof", "--cpu-prof-interval", "200", `--cpu-prof-dir=${folder}`]
  const place = { port, origin: `http://127.0.0.1:${origin.port}`, folder, database }
  const proxy = new Child([process.execPath, ...profiler, program, "run", ...flags(place)], "proxy")
  try {
    await untilListening(proxy, port, 10_000)
    const asking = isPost ? { path: "/s0/small", body: postBody } : { path: "/s0/small" }
    await requests(port, [proxy.pid], asking, 2)
    const from = monotonicMicros()
    await requests(port, [proxy.pid], asking, seconds)
    const until = monotonicMicros()
    process.kill(proxy.pid, "SIGTERM")
    await proxy.ended
    const file = readdirSync(folder).find((name) => name.endsWith(".cpuprofile"))
    if (file === undefined) throw new Error("the profiler wrote nothing")
    return sharesOf(JSON.parse(readFileSync(join(folder, file), "utf8")), from, until)
  } finally {
    proxy.kill()
    await origin.child.stop()
  }
}

/** @param {string[]} words */
const parse = (words) => {
  const { values } = parseArgs({
    args: words,
    options: { post: { type: "boolean" }, svg: { type: "string" }, help: { type: "boolean" } },
  })
  return { isPost: values.post === true, svg: values.svg, help: values.help === true }
}

/**
 * @param {{ isPost: boolean, svg?: string | undefined }} options
 */
const run = async ({ isPost, svg }) => {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-profile-"))
  try {
    const shares = await measure(folder, isPost)
    for (const { name, share } of shares) process.stdout.write(`${(share * 100).toFixed(1).padStart(5)} %  ${name}\n`)
    if (svg === undefined) return
    mkdirSync(dirname(resolve(svg)), { recursive: true })
    writeFileSync(svg, profileChart(isPost ? "POST of 1 KiB" : "GET of 118 bytes", shares, machine()))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string[]} words */
export const profile = async (words) => {
  try {
    const options = parse(words)
    if (options.help) process.stdout.write(usage)
    else await run(options)
  } catch (error) {
    process.stderr.write(`bench:profile: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
