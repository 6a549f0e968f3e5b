// Removes sessions with very many WebSockets in one commit. Measures when each WebSocket gets its close frame, how long
// the turns of the proxy's event loop are meanwhile, and how long another session waits for its answers. Linux only.
//
//   node scripts/soak/removal.mjs [--sockets 10000] [--sessions 1]
//
// The proxy needs two descriptors for each WebSocket (ulimit -n). If there are too few, there are fewer WebSockets.
import { fork, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import Sqlite from "better-sqlite3"

/** The proxy's promises, in milliseconds: time until every client has its close frame, and length of a turn. */
const toldWithin = 1_000
const longestTurn = 10

const { values } = parseArgs({
  options: {
    sockets: { type: "string", default: "10000" },
    sessions: { type: "string", default: "1" },
    bin: { type: "string" },
  },
})
const files = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync("/proc/self/limits", "latin1"))?.[1])
const sockets = Math.min(Number(values.sockets), Math.floor((files - 100) / 2))
const sessions = Number(values.sessions)

const here = dirname(fileURLToPath(import.meta.url))
const bin = values.bin ?? join(dirname(dirname(here)), "dist", "bin.js")
const folder = mkdtempSync(join(tmpdir(), "ss-proxy-soak-"))
const database = join(folder, "sessions.db")

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A port that is free at this moment. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address()
  server.close()
  await once(server, "close")
  return port
}

/** Asks a forked process for its result (IPC channel). */
async function answerOf(child) {
  child.send("tell")
  const [answer] = await once(child, "message")
  return answer
}

const maskedClosing = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9])

/** Opens a WebSocket; `hear` is called when a close frame comes, and the client answers it. */
const open = (port, id, hear) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", reject)
    const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    socket.write(`GET /${id}/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}`)
    socket.once("data", (head) => {
      if (!head.toString("latin1").startsWith("HTTP/1.1 101")) return reject(new Error(head.toString("latin1")))
      socket.on("data", (data) => {
        if (data[0] !== 0x88) return
        hear()
        socket.end(maskedClosing)
      })
      resolve(socket)
    })
  })

async function openAll(port, hear) {
  let next = 0
  const worker = async () => {
    while (next < sockets) {
      const index = next++
      await open(port, `busy-${index % sessions}`, hear)
    }
  }
  await Promise.all(Array.from({ length: 50 }, worker))
}

/** Makes the database, with the session whose answers are timed and the sessions to remove. */
function makeSessions(serverPort) {
  const url = `http://127.0.0.1:${serverPort}`
  spawnSync(process.execPath, [bin, "sessions", "add", "calm", url, "-d", database])
  const db = new Sqlite(database)
  const columns = "session_id, downstream_server_url, downstream_server_status"
  const add = db.prepare(`INSERT INTO sessions (${columns}) VALUES (?, ?, 'active')`)
  db.transaction(() => {
    for (let index = 0; index < sessions; index++) add.run(`busy-${index}`, url)
  })()
  return db
}

async function soak() {
  const server = fork(join(here, "removal", "Server.mjs"))
  const [serverPort] = await once(server, "message")
  const db = makeSessions(serverPort)
  const port = await freePort()
  const flags = [
    "--import",
    join(here, "removal", "Turns.mjs"),
    bin,
    "-H",
    "127.0.0.1",
    "-p",
    String(port),
    "-d",
    database,
  ]
  const proxy = spawn(process.execPath, [...flags, "-l", "info"], { stdio: ["ignore", "inherit", "inherit", "ipc"] })
  let probe
  try {
    while ((await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)) === undefined) await pause(50)
    const told = { count: 0, last: 0 }
    await openAll(port, () => {
      told.count++
      told.last = performance.now()
    })
    probe = fork(join(here, "removal", "Probe.mjs"), [String(port)])
    await pause(3_000)
    const calmTurns = await answerOf(proxy)
    const calm = await answerOf(probe)
    const removedAt = performance.now()
    db.exec("DELETE FROM sessions WHERE session_id LIKE 'busy-%'")
    while (told.count < sockets && performance.now() - removedAt < 30_000) await pause(20)
    const turns = await answerOf(proxy)
    const meanwhile = await answerOf(probe)
    await pause(5_000)
    const after = await answerOf(proxy)
    const show = (name, { count, median, p99, longest }) =>
      console.log(
        `${name}: ${count} answers, ms: median ${median.toFixed(2)}, p99 ${p99.toFixed(2)}, longest ${longest.toFixed(1)}`,
      )
    const turn = (name, { wall, cpu }) =>
      console.log(`${name}: longest turn ${wall.toFixed(1)} ms, of the CPU ${cpu.toFixed(1)} ms`)
    console.log(
      `${told.count} of ${sockets} WebSockets of ${sessions} sessions: the last close frame after ${(told.last - removedAt).toFixed(0)} ms`,
    )
    show("before", calm)
    show("meanwhile", meanwhile)
    turn("before", calmTurns)
    turn("until all were told", turns)
    turn("after that", after)
    if (told.count < sockets || told.last - removedAt > toldWithin) throw new Error("not all were told in time")
    if (Math.max(turns.cpu, after.cpu) > longestTurn) throw new Error("a turn of the event loop was too long")
  } finally {
    db.close()
    proxy.kill("SIGKILL")
    server.kill("SIGKILL")
    probe?.kill("SIGKILL")
  }
}

await soak().finally(() => rmSync(folder, { recursive: true, force: true }))
// Exit now: the open sockets of the WebSockets would keep this process alive until they are closed.
process.exit()
