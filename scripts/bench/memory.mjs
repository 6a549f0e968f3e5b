// `npm run bench:memory`: see `--help`.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { Agent, createServer, request } from "node:http"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import Sqlite from "better-sqlite3"
import { WebSocketServer } from "ws"
import { openWebSocket, pause } from "../soak/Lab.mjs"

const usage = `What one proxy holds for each session that it knows, each idle connection of a client, each idle connection to a server, and
each idle WebSocket: heap and buffers after a collection of garbage, and file descriptors; and the processor time that it takes to
get there, with one request for each. Linux only.

usage: npm run bench:memory -- [--sessions 20000] [--connections 4000] [--bin FILE] [--json]

  --sessions N     sessions that are known
  --connections N  idle ones of clients; WebSockets are half as many, idle connections to servers an eighth
  --bin FILE       the program; default: dist/bin.js
  --json           prints one JSON value
  --help           this text
`
const scripts = dirname(dirname(fileURLToPath(import.meta.url)))
const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    sessions: { type: "string", default: "20000" },
    connections: { type: "string", default: "4000" },
    bin: { type: "string", default: join(dirname(scripts), "dist", "bin.js") },
  },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit()
}
const [sessions, connections] = [Number(values.sessions), Number(values.connections)]

/** The server of all sessions: it keeps the connection only where the path asks for that. */
const server = createServer((incoming, response) => {
  if (!incoming.url.startsWith("/keep")) response.setHeader("Connection", "close")
  response.end("hello")
})
server.keepAliveTimeout = 3_600_000
const webSockets = new WebSocketServer({ server })
webSockets.on("connection", (socket) => socket.on("error", () => {}))
server.listen(0, "127.0.0.1", 4_096)
await once(server, "listening")

const folder = mkdtempSync(join(tmpdir(), "ss-proxy-memory-"))
const database = join(folder, "sessions.db")
const flags = ["-H", "127.0.0.1", "-p", "0", "-d", database, "--admin-socket", "off", "--keep-alive-timeout", "3600"]
const proxy = spawn(process.execPath, [values.bin, "run", ...flags], {
  stdio: ["ignore", "ignore", "pipe"],
  env: { ...process.env, NODE_OPTIONS: `--import=${join(scripts, "soak", "mixed", "Gauge.mjs")}`, SOAK_GAUGE: folder },
})
process.on("exit", () => proxy.kill("SIGKILL"))
let said = ""
const port = await new Promise((resolve, reject) => {
  proxy.stderr.setEncoding("utf8").on("data", (text) => {
    said += text
    const [, found] = / port=(\d+)/.exec(said) ?? []
    if (found !== undefined) resolve(Number(found))
  })
  proxy.once("close", () => reject(new Error(`the proxy ended: ${said}`)))
})

const db = new Sqlite(database)
const columns = "session_id, downstream_server_url, downstream_server_status"
const add = db.prepare(`INSERT INTO sessions (${columns}) VALUES (?, ?, 'active')`)
const url = `http://127.0.0.1:${server.address().port}`
db.transaction(() => {
  for (let index = 0; index < sessions; index++) add.run(`session-${index}`, url)
})()
db.close()

const get = (path, agent) =>
  new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, agent }, (incoming) => {
      if (incoming.statusCode !== 200) reject(new Error(`${path}: ${incoming.statusCode}`))
      incoming.resume().on("end", resolve)
    })
    outgoing.on("error", reject)
    outgoing.end()
  })

/** Does something for each number, so many at a time. */
async function each(count, task) {
  let next = 0
  const worker = async () => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

/** Milliseconds of processor time that the proxy has used: ticks of 10 ms (proc(5)). */
function cpuTime() {
  const fields = readFileSync(`/proc/${proxy.pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 10
}

let asked = 0

/** What the proxy holds after a collection of garbage. */
async function held() {
  const cpu = cpuTime()
  asked++
  writeFileSync(join(folder, "ask.part"), String(asked))
  renameSync(join(folder, "ask.part"), join(folder, "ask"))
  const file = join(folder, `${asked}-${proxy.pid}.json`)
  while (!existsSync(file)) await pause(50)
  const { external, heapUsed } = JSON.parse(readFileSync(file, "utf8"))
  return { heap: heapUsed + external, cpu, descriptors: readdirSync(`/proc/${proxy.pid}/fd`).length }
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 })

/** A connection that is kept, after one request. */
const idleConnection = async () => {
  const socket = connect(port, "127.0.0.1")
  socket.write("GET /session-0/x HTTP/1.1\r\nHost: h\r\n\r\n")
  await once(socket, "data")
}

const steps = [
  ["session that is known", sessions, (index) => get(`/session-${index}/x`, agent)],
  // Few, for the proxy keeps these for some seconds only.
  ["idle connection to a server", connections / 8, (index) => get(`/session-${index}/keep`, agent)],
  ["idle connection of a client", connections, idleConnection],
  ["idle WebSocket", connections / 2, () => openWebSocket(port, "session-0", () => {})],
]

// What is made once, at the first of a kind, is not to count.
for (const [, , task] of steps) await each(100, (index) => task(sessions - 1 - index))
const rows = []
for (const [name, count, task] of steps) {
  const before = await held()
  const cpu = cpuTime()
  await each(count, task)
  const after = await held()
  const of = (number) => Number((number / count / 1024).toFixed(1))
  rows.push({
    name,
    count,
    heap_kib: of(after.heap - before.heap),
    descriptors: Number(((after.descriptors - before.descriptors) / count).toFixed(1)),
    cpu_us: Math.round(((after.cpu - cpu) * 1_000) / count),
  })
}
if (values.json) console.log(JSON.stringify(rows))
else
  for (const { count, cpu_us: cpu, descriptors, heap_kib: heap, name } of rows)
    console.log(
      `${name}: ${heap} KiB of heap and buffers, ${descriptors} descriptors, ${cpu} µs to get there (${count})`,
    )
proxy.kill("SIGKILL")
rmSync(folder, { recursive: true, force: true })
process.exit()
