// `npm run soak:restart`: see `--help`.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import net from "node:net"
import { join } from "node:path"
import { answerOf, freePort, here, pause } from "./Lab.mjs"
import { builtProgram, optionsOf, soakWith, withDatabase } from "./restart/Beginning.mjs"

const usage = `Restarts the proxy under load, and counts the requests that fail. The load is made of new connections, busy and quiet
keep-alive connections, uploads, streams and WebSockets. A WebSocket that is told 1001 has not failed.

  held      this script holds the listening socket (as systemd does), and stops a proxy before it starts the next
  overlap   the same, but the next one listens before the last one is told to stop
  alone     a proxy on a port of its own is stopped: a request fails on a connection that it had accepted
  all       one after another

Exits with 1 where a request fails. What nobody has accepted is counted apart in "alone": nobody listens there for a while.

usage: npm run soak:restart -- [--mode all] [--restarts 10] [--seconds 3] [--grace 10] [--stream 4] [--bin FILE]

  --mode NAME    held, overlap, alone or all
  --restarts N   of each mode
  --seconds N    how long each proxy serves in between
  --grace N      of the proxies, in seconds
  --stream N     the longest stream, in seconds
  --bin FILE     the program; default: dist/bin.js
  --help         this text
`

const values = optionsOf(usage, {
  mode: "all",
  restarts: "10",
  seconds: "3",
  grace: "10",
  stream: "4",
  bin: builtProgram,
})

/** A socket that is bound and never accepts. Node makes one for its cluster by this function, which is not documented. */
function holdSocket() {
  const handle = net._createServerHandle("127.0.0.1", 0, 4, undefined, 0)
  if (typeof handle === "number") throw new Error(`cannot make a socket: ${handle}`)
  const address = {}
  handle.getsockname(address)
  return { fd: handle.fd, port: address.port }
}

/** A proxy: on the held socket, else on the port. */
function startProxy({ database, folder }, { fd, port }) {
  const accepted = join(folder, `accepted-${Math.random()}.json`)
  const flags = ["-H", "127.0.0.1", "-p", String(port), "-d", database, "--grace", values.grace]
  const words = ["--import", join(here, "restart", "Accepted.mjs"), values.bin, "run", ...flags]
  const handOver = fd === undefined ? "" : "LISTEN_FDS=1 LISTEN_PID=$$ "
  const child = spawn("sh", ["-c", `${handOver}exec "$0" "$@"`, process.execPath, ...words], {
    stdio: ["ignore", "ignore", "pipe", fd ?? "ignore"],
    env: { ...process.env, SOAK_ACCEPTED: accepted },
  })
  let log = ""
  const listens = new Promise((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log += text
      if (log.includes("listening on http")) resolve()
    })
    child.once("close", () => reject(new Error(`a proxy ended: ${log}`)))
  })
  listens.catch(() => {})
  const stop = async () => {
    const begun = performance.now()
    child.kill("SIGTERM")
    const [code] = await once(child, "close")
    if (code !== 0 || /not everything stopped|a defect/.test(log)) throw new Error(`a proxy ended with ${code}: ${log}`)
    return {
      took: performance.now() - begun,
      waitedFor: /draining: (.*)/.exec(log)?.[1] ?? "",
      cut: log.match(/WARN +cut/g)?.length ?? 0,
      accepted: JSON.parse(readFileSync(accepted, "utf8")),
    }
  }
  return { child, listens, stop }
}

/** Until the proxy has served for a while, and each kind of request has succeeded. */
async function serving(clients) {
  clients.send("start over")
  await Promise.all([once(clients, "message"), pause(Number(values.seconds) * 1_000)])
}

/** How one proxy follows another. */
const successions = {
  async held(proxy, startNext) {
    const stop = await proxy.stop()
    return { stop, next: await startNext() }
  },
  async overlap(proxy, startNext) {
    const next = await startNext()
    return { stop: await proxy.stop(), next }
  },
}
successions.alone = successions.held

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0)
const seconds = (milliseconds) => (milliseconds / 1_000).toFixed(1)

/** Clocks of two processes and their turns may differ by so much, in milliseconds. */
const tolerance = 20

/** Whether a request failed on a connection that a proxy had accepted; wherever somebody always listens, each counts. */
function acceptedBy(mode, stops) {
  if (mode !== "alone") return () => true
  const times = new Map()
  for (const [port, at] of stops.flatMap(({ accepted }) => accepted)) times.set(port, [...(times.get(port) ?? []), at])
  return ({ localPort, connectedAt, failedAt }) =>
    (times.get(localPort) ?? []).some((at) => at > connectedAt - tolerance && at < failedAt + tolerance)
}

/** Says what has come of a mode. Gives how many have failed. */
function report(mode, told, stops) {
  const isOurs = acceptedBy(mode, stops)
  const took = stops.map((stop) => stop.took)
  console.log(
    `${mode}: ${stops.length} stops took ${seconds(Math.min(...took))} to ${seconds(Math.max(...took))} s, ${sum(stops.map(({ cut }) => cut))} cut; the last waited for ${stops.at(-1)?.waitedFor}`,
  )
  for (const [kind, { count, failures, longest }] of Object.entries(told)) {
    const failed = failures.filter(isOurs)
    const others = failures.length - failed.length
    const problems = Array.from(new Set(failed.map(({ problem }) => problem))).slice(0, 3)
    console.log(
      `  ${kind}: ${count} succeeded, ${failed.length} failed${problems.length === 0 ? "" : ` (${problems.join(", ")})`}${others === 0 ? "" : `, ${others} that nobody accepted`}; the longest took ${seconds(longest)} s`,
    )
  }
  return sum(Object.values(told).map(({ failures }) => failures.filter(isOurs).length))
}

const soak = (mode, url) =>
  withDatabase({ bin: values.bin, node: process.execPath, url }, async ({ database, folder, keep, startClients }) => {
    const socket = mode === "alone" ? { port: await freePort() } : holdSocket()
    const start = async () => {
      const proxy = startProxy({ database, folder }, socket)
      keep(proxy.child)
      await proxy.listens
      return proxy
    }
    let proxy = await start()
    const clients = startClients(socket.port, values.stream)
    const stops = []
    for (let restart = 0; restart < Number(values.restarts); restart++) {
      await serving(clients)
      const { stop, next } = await successions[mode](proxy, start)
      stops.push(stop)
      proxy = next
    }
    await serving(clients)
    return report(mode, await answerOf(clients), stops)
  })

await soakWith("soak:restart", async (url) => {
  const failed = []
  for (const mode of values.mode === "all" ? Object.keys(successions) : [values.mode])
    failed.push(await soak(mode, url))
  if (sum(failed) > 0) throw new Error(`${sum(failed)} requests failed`)
})
