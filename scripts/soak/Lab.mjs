// What soak scripts of one proxy and many sessions share: a folder, a database, a server, the proxy, and WebSockets.
import { fork, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import Sqlite from "better-sqlite3"

export const here = dirname(fileURLToPath(import.meta.url))

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A port that is free at this moment. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address()
  server.close()
  await once(server, "close")
  return port
}

/** Asks a forked process for its result since it was asked last (IPC channel). */
export async function answerOf(child) {
  child.send("tell")
  const [answer] = await once(child, "message")
  return answer
}

/** Opens a WebSocket of a session; `hear` gets the first close frame that comes, and the socket. */
export const openWebSocket = (port, id, hear) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", reject)
    const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    socket.write(`GET /${id}/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}`)
    socket.once("data", (head) => {
      if (!head.toString("latin1").startsWith("HTTP/1.1 101")) return reject(new Error(head.toString("latin1")))
      socket.on("data", (data) => {
        if (data[0] === 0x88) hear(data, socket)
      })
      resolve(socket)
    })
  })

/** Makes the database: the session `first` by the program itself, which makes the tables, and the others by SQL. */
function makeDatabase(bin, database, url, first, others) {
  spawnSync(process.execPath, [bin, "sessions", "add", first, url, "-d", database])
  const db = new Sqlite(database, { timeout: 5_000 })
  const columns = "session_id, downstream_server_url, downstream_server_status"
  const add = db.prepare(`INSERT INTO sessions (${columns}) VALUES (?, ?, 'active')`)
  db.transaction(() => {
    for (const id of others) add.run(id, url)
  })()
  return db
}

const untilUp = async (port) => {
  while ((await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)) === undefined) await pause(50)
}

/**
 * Starts a server and a proxy whose event loop is timed, runs `work`, and ends and removes everything. The open sockets of
 * `work` do not keep this process alive. `bin`: the program; the build of this checkout where there is none.
 */
export async function withProxy({ bin, logLevel, first, others }, work) {
  const program = bin ?? join(dirname(dirname(here)), "dist", "bin.js")
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-soak-"))
  const database = join(folder, "sessions.db")
  const server = fork(join(here, "removal", "Server.mjs"))
  const [serverPort] = await once(server, "message")
  const db = makeDatabase(program, database, `http://127.0.0.1:${serverPort}`, first, others)
  const port = await freePort()
  const turns = ["--import", join(here, "removal", "Turns.mjs")]
  const flags = ["-H", "127.0.0.1", "-p", String(port), "-d", database, "-l", logLevel]
  const proxy = spawn(process.execPath, [...turns, program, ...flags], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  })
  const children = [server, proxy]
  /** Starts a script of this folder that ends with the rest. */
  const start = (script, ...args) => {
    const child = fork(join(here, script), args.map(String))
    children.push(child)
    return child
  }
  try {
    await untilUp(port)
    await work({ db, port, proxy, start })
  } finally {
    db.close()
    for (const child of children) child.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  }
  process.exit()
}
