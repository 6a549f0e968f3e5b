// `npm run soak:workers`: see `--help`.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { request } from "node:http"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { answerOf, freePort, pause } from "./Lab.mjs"
import { builtProgram, optionsOf, soakWith, withDatabase } from "./restart/Beginning.mjs"

const usage = `Reloads a proxy with workers under load, and kills its processes. Says which requests fail. The load is that of
soak:restart. A WebSocket that is told 1001 has not failed.

  reload      two reloads in a row: nothing may fail
  kill        one worker is killed: its own connections fail
  all         all workers are killed at once: the same, and who connects meanwhile is served
  supervisor  the supervisor is killed: its workers serve what they have for the grace, then nobody does

Exits with 1 where a request fails in "reload", or where one takes longer than --longest anywhere.

usage: npm run soak:workers -- [--workers 2] [--rounds 3] [--seconds 3] [--longest 15] [--bin FILE] [--node FILE]

  --workers N    of the proxy
  --rounds N     of reloads, and of kills
  --seconds N    how long the proxy is left alone between two of them
  --longest N    the longest time that a request may take, in seconds; streams take 2
  --bin FILE     the program; default: dist/bin.js
  --node FILE    the node that runs it
  --help         this text
`

const values = optionsOf(usage, {
  workers: "2",
  rounds: "3",
  seconds: "3",
  longest: "15",
  bin: builtProgram,
  node: process.execPath,
})

const grace = 10
const longestStream = 2

const childrenOf = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)

const mebibytes = (pid, field) =>
  Math.round(
    Number(new RegExp(`^${field}: +(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024,
  )

/** The proxy, which has come up. */
async function startProxy(folder, port) {
  const flags = [
    "-H",
    "127.0.0.1",
    "-p",
    String(port),
    "-d",
    join(folder, "sessions.db"),
    "--grace",
    String(grace),
    "--admin-socket",
    join(folder, "admin.sock"),
  ]
  const child = spawn(values.node, [values.bin, "run", "--workers", values.workers, ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  })
  const proxy = { child, log: "", ended: once(child, "close") }
  await new Promise((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text) => {
      proxy.log += text
      if (proxy.log.includes("listening on http")) resolve()
    })
    child.once("close", () => reject(new Error(`the proxy ended: ${proxy.log}`)))
  })
  return proxy
}

const says = async (proxy, words, times) => {
  while (proxy.log.split(words).length <= times) await pause(20)
}

/** Starts the workers anew. */
const reload = (folder) =>
  new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(folder, "admin.sock"), method: "POST", path: "/v1/reload" }, (answer) => {
      answer.resume()
      if (answer.statusCode === 200) answer.on("end", resolve)
      else reject(new Error(`a reload was answered with ${answer.statusCode}`))
    })
    asked.on("error", reject)
    asked.end()
  })

/** What has come of the load since this was asked last. */
function account(clients) {
  const seen = {}
  return async () => {
    const told = await answerOf(clients)
    return Object.entries(told).map(([kind, { count, failures, longest }]) => {
      const before = seen[kind] ?? { count: 0, failures: 0 }
      seen[kind] = { count, failures: failures.length }
      return { kind, count: count - before.count, failures: failures.slice(before.failures), longest }
    })
  }
}

const report = (scene, told) => {
  process.stdout.write(`${scene}\n`)
  for (const { kind, count, failures, longest } of told) {
    const problems = Array.from(new Set(failures.map(({ problem }) => problem))).join(", ")
    const failed = `${failures.length} failed${problems === "" ? "" : ` (${problems})`}`
    process.stdout.write(`  ${kind}: ${count} succeeded, ${failed}; longest so far ${(longest / 1_000).toFixed(1)} s\n`)
  }
  return told.reduce((sum, { failures }) => sum + failures.length, 0)
}

const serving = () => pause(Number(values.seconds) * 1_000)

/** Waits until so many generations of workers are left, for a proxy refuses reloads while many still finish. */
const untilFew = async (pid, generations) => {
  while (childrenOf(pid).length > generations * Number(values.workers)) await pause(100)
}

async function reloads({ folder, pid }) {
  for (let round = 1; round <= Number(values.rounds); round++) {
    await untilFew(pid, 2)
    await Promise.all([reload(folder), pause(200).then(() => reload(folder))])
    await serving()
  }
}

/** Kills workers, one after another and then all at once. Gives what the clients saw of the last. */
async function kills({ pid, proxy, since }) {
  let dead = 0
  for (let round = 1; round <= Number(values.rounds); round++) {
    process.kill(childrenOf(pid)[0], "SIGKILL")
    await says(proxy, "was ended by SIGKILL", ++dead)
    await serving()
  }
  report(`kill: ${values.rounds} workers`, await since())
  const all = childrenOf(pid)
  for (const worker of all) process.kill(worker, "SIGKILL")
  await says(proxy, "was ended by SIGKILL", (dead += all.length))
  await serving()
  const told = await since()
  report("all: all workers", told)
  return told
}

const soak = (url) =>
  withDatabase({ bin: values.bin, node: values.node, url }, async ({ folder, keep, startClients }) => {
    const port = await freePort()
    const proxy = await startProxy(folder, port)
    keep(proxy.child)
    const since = account(startClients(port, longestStream))
    await serving()
    const { pid } = proxy.child
    const processes = [pid, ...childrenOf(pid)]
    process.stdout.write(
      `memory under load, MiB (private, shared with others counted in part): ${processes.map((one) => `${mebibytes(one, "Private_Dirty")}, ${mebibytes(one, "Pss")}`).join("; ")}\n`,
    )
    report("before", await since())
    await reloads({ folder, pid })
    const failed = report(`reload: ${proxy.log.split("reloaded:").length - 1} reloads`, await since())
    // Those from before are gone by then: a worker that is killed is one that works.
    await untilFew(pid, 1)
    const told = await kills({ pid, proxy, since })
    proxy.child.kill("SIGKILL")
    await pause((grace + 2) * 1_000)
    report("supervisor: it was killed, and its workers end within the grace", await since())
    const isOver = await Promise.race([proxy.ended.then(() => true), pause(5_000)])
    if (isOver !== true) throw new Error("a worker has not ended")
    const slowest = Math.max(...told.filter(({ kind }) => kind !== "WebSockets").map(({ longest }) => longest))
    if (slowest > Number(values.longest) * 1_000) throw new Error(`a request took ${slowest / 1_000} s`)
    if (failed > 0) throw new Error(`${failed} requests failed in reloads`)
  })

await soakWith("soak:workers", soak)
