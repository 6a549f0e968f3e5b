// The whole benchmark, from the options to the report.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseOptions, usage, UsageError } from "./Options.mjs"
import { besidePeer, loadPeer, peerNames } from "./peers/Peers.mjs"
import { machine, spreadOut } from "./process/Machine.mjs"
import { chart } from "./report/Chart.mjs"
import { section } from "./report/Figures.mjs"
import { neededFor } from "./report/Targets.mjs"
import { sectionText, verdictText } from "./report/TextTable.mjs"
import { verdicts } from "./report/Verdicts.mjs"
import { runWorkload } from "./workloads/Runner.mjs"
import { workloads } from "./workloads/Workloads.mjs"

const out = fileURLToPath(new URL("out/", import.meta.url))

/** The workloads of the quick run: those with the most important targets. */
const quickWorkloads = ["get", "post", "large", "events", "ws-many", "commit", "start"]

/** Reports the progress on standard error. */
const say = (/** @type {string} */ text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

/**
 * @param {string} file
 * @param {string} text
 */
const write = (file, text) => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** @param {ReturnType<typeof parseOptions>} options */
const run = async (options) => {
  const names = options.only ?? peerNames
  const peers = [
    ...(await Promise.all(["direct", ...names].map(loadPeer))),
    ...options.beside.map(({ name, binary }) => besidePeer(name, resolve(binary))),
  ]
  const chosen = options.workloads ?? (options.isQuick ? quickWorkloads : workloads.map(({ name }) => name))
  const isNarrow = options.isQuick && options.only === undefined
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-bench-"))
  // nginx reads its files as another user, so the folder must be readable for all.
  chmodSync(folder, 0o755)
  const started = Date.now()
  if (options.isSpread) spreadOut()
  const about = machine()
  process.stdout.write(
    `${about.cpu}, ${about.cores} cores, ${about.system}, Node ${about.node}\n` +
      `load: ${about.load}; origin: ${about.origin}; pinning: ${about.pinning}\n`,
  )
  const sections = []
  try {
    for (const workload of workloads.filter(({ name }) => chosen.includes(name))) {
      const needed = neededFor(workload.name)
      const some = peers.filter(
        ({ name }) => !isNarrow || needed.includes(name) || options.beside.some((one) => one.name === name),
      )
      const results = await runWorkload(workload, some, { ...options, warmUp: options.isQuick ? 1 : 5, folder, say })
      const done = section(workload, results)
      say("")
      process.stdout.write(sectionText(done))
      sections.push(done)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const judged = verdicts(sections)
  const [json, svg] = [options.json ?? join(out, "bench.json"), options.svg ?? join(out, "bench.svg")].map((file) =>
    resolve(file),
  )
  process.stdout.write(verdictText(judged))
  const { rounds, seconds, isQuick } = options
  const report = {
    machine: about,
    run: { at: new Date(started).toISOString(), rounds, seconds, isQuick },
    proxies: peers.map(({ name, about }) => ({ name, about })),
    sections,
    targets: judged,
  }
  write(json ?? "", `${JSON.stringify(report, null, 2)}\n`)
  write(svg ?? "", chart(sections, about))
  process.stdout.write(`\n${Math.round((Date.now() - started) / 1000)} s; figures in ${json}, chart in ${svg}\n`)
}

/** @param {string[]} words */
export const benchmark = async (words) => {
  try {
    const options = parseOptions(words)
    if (options.help) process.stdout.write(usage)
    else await run(options)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`bench: ${error.message}\n`)
    process.exitCode = 2
  }
}
