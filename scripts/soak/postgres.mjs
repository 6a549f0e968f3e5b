// `npm run soak:postgres`: see `--help`.
import { mkdtempSync, chmodSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { here, pause } from "./Lab.mjs"
import { Cluster, programs } from "./postgres/Cluster.mjs"
import { outages } from "./postgres/Outages.mjs"
import { ask, processorTime, serverNamed, startProxy, stopProxy } from "./postgres/Proxies.mjs"

const usage = `Proxies over a PostgreSQL of their own, which is started for this:
  force     how long after a commit it is in force on three proxies: p99 at most 50 ms
  unrelated what commits on other rows cost a busy proxy, per GET: at most 10 %, in rounds with commits and rounds without
  outage    what clients see while the database is stopped, killed, cut off, or fails over; in force again within 2 s
  start     twenty proxies that start at once on an empty database

It exits with 1 where one of them is not kept.

usage: npm run soak:postgres -- [--parts force,unrelated,outage,start] [--commits 150] [--rounds 6] [--seconds 10] [--away 6] [--bin FILE]

  --parts LIST   which of them; all by default
  --commits N    commits of the first part
  --rounds N     pairs of rounds of the second
  --seconds N    how long a round takes
  --away N       how long the database is away, in seconds
  --bin FILE     the program; default: dist/bin.js
  --help         this text
`

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    parts: { type: "string", default: "force,unrelated,outage,start" },
    commits: { type: "string", default: "150" },
    rounds: { type: "string", default: "6" },
    seconds: { type: "string", default: "10" },
    away: { type: "string", default: "6" },
    bin: { type: "string", default: join(here, "../../dist/bin.js") },
  },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit()
}
if (programs === undefined) {
  process.stderr.write("PostgreSQL is not installed\n")
  process.exit(2)
}
const say = (line) => process.stdout.write(`${line}\n`)
const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
const insert =
  "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) SELECT $1 || n, $2, 'active' FROM generate_series(1, $3) n"

const untilText = async (proxy, text) => {
  while ((await ask(proxy, "alice1")).text !== text) await pause(1)
  return performance.now()
}

/** From the moment when the commit has returned until each proxy has answered by it. */
async function force({ bin, one, other, primary, url }) {
  const proxies = await Promise.all([1, 2, 3].map(() => startProxy(bin, url)))
  const client = await primary.client()
  await client.query(insert, ["alice", one.url, 1])
  await Promise.all(proxies.map((proxy) => untilText(proxy, "one")))
  // What the server and this machine need for it alone: a listener of our own.
  const listener = await primary.client()
  await listener.query("LISTEN ss_proxy_public")
  let heardAt = 0
  listener.on("notification", () => (heardAt = performance.now()))
  const [slowest, notices] = [[], []]
  for (let count = 0; count < Number(values.commits); count++) {
    const [next, name] = count % 2 === 0 ? [other, "other"] : [one, "one"]
    await client.query("UPDATE sessions SET downstream_server_url = $1 WHERE session_id = 'alice1'", [next.url])
    const committedAt = performance.now()
    const times = await Promise.all(proxies.map((proxy) => untilText(proxy, name)))
    slowest.push(Math.max(...times) - committedAt)
    notices.push(Math.max(0, heardAt - committedAt))
    await pause(30 + (count % 7) * 5)
  }
  await Promise.all([client.end(), listener.end(), ...proxies.map(stopProxy)])
  for (const times of [slowest, notices]) times.sort((a, b) => a - b)
  const shown = (times) => {
    const [p50, p99, most] = [0.5, 0.99, 1].map((part) => quantile(times, part).toFixed(1))
    return `p50 ${p50} ms, p99 ${p99} ms, at most ${most} ms`
  }
  say(`in force on the slowest of three proxies after ${shown(slowest)}`)
  say(`the notice alone, at a client: ${shown(notices)}`)
  return quantile(slowest, 0.99) <= 50
}

const busySessions = 1_000

/** Requests of sessions that are known, one after another on each of eight connections. Gives the processor time of one, in µs. */
async function round(proxy, seconds) {
  const [began, endsAt] = [processorTime(proxy), performance.now() + seconds * 1_000]
  let count = 0
  const loop = async () => {
    while (performance.now() < endsAt) await ask(proxy, `busy${1 + (count++ % busySessions)}`)
  }
  await Promise.all(Array.from({ length: 8 }, loop))
  return (processorTime(proxy) - began) / count
}

const median = (numbers) =>
  quantile(
    numbers.toSorted((a, b) => a - b),
    0.5,
  )

async function unrelated({ bin, one, primary, url }) {
  const proxy = await startProxy(bin, url)
  const client = await primary.client()
  await client.query(insert, ["busy", one.url, busySessions])
  await client.query(insert, ["quiet", one.url, 1_000])
  const seconds = Number(values.seconds)
  await round(proxy, seconds)
  const [without, withCommits] = [[], []]
  let commits = 0
  for (let count = 0; count < Number(values.rounds); count++) {
    without.push(await round(proxy, seconds))
    const writer = { goesOn: true }
    const writing = (async () => {
      while (writer.goesOn) {
        const [status, id] = [`s${commits}`, `quiet${1 + (commits++ % 1_000)}`]
        await client.query("UPDATE sessions SET downstream_server_status = $1 WHERE session_id = $2", [status, id])
        await pause(55)
      }
    })()
    withCommits.push(await round(proxy, seconds))
    writer.goesOn = false
    await writing
  }
  await client.end()
  await stopProxy(proxy)
  const growth = median(withCommits.map((cost, index) => cost / without[index]))
  const shown = (costs) => costs.map((cost) => cost.toFixed(0)).join(" ")
  say(`${commits} commits on other rows in ${Number(values.rounds) * seconds} s; processor time of a GET in µs:`)
  say(`  without ${shown(without)}\n  with    ${shown(withCommits)}\n  median of the pairs ${growth.toFixed(3)}`)
  return growth <= 1.1
}

async function start({ bin, primary }) {
  await primary.run("CREATE DATABASE empty")
  const url = `postgres://tester@127.0.0.1:${primary.port}/empty`
  const startedAt = performance.now()
  const proxies = await Promise.allSettled(Array.from({ length: 20 }, () => startProxy(bin, url)))
  const up = proxies.flatMap(({ value }) => (value === undefined ? [] : [value]))
  for (const { reason } of proxies) if (reason !== undefined) say(String(reason))
  say(
    `${up.length} of 20 proxies came up on an empty database, the last after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`,
  )
  await Promise.all(up.map(stopProxy))
  return up.length === 20
}

const folder = mkdtempSync(join(tmpdir(), "ss-proxy-soak-"))
chmodSync(folder, 0o755)
const primary = await Cluster.make(join(folder, "primary"))
const [one, other] = await Promise.all(["one", "other"].map(serverNamed))
const url = `postgres://tester@127.0.0.1:${primary.port}/postgres`
const lab = { bin: values.bin, folder, one, other, primary, seconds: Number(values.away), url }
// The last ends the server.
const parts = { force, unrelated, start, outage: outages }
try {
  for (const [name, part] of Object.entries(parts))
    if (values.parts.split(",").includes(name) && !(await part(lab))) {
      say(`NOT KEPT: ${name}`)
      process.exitCode = 1
    }
} finally {
  await primary.end("SIGQUIT")
  one.close()
  other.close()
  rmSync(folder, { recursive: true, force: true })
}
