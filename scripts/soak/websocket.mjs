// Opens and closes WebSockets through the built proxy in every order, ends many from both sides at about the same
// moment, kills their servers, and stalls many with a sender that never stops. Then checks that the proxy has released
// sockets, memory and WebSocket slots (its limit is the number that is open at a time), and that it stops when it gets
// a signal. Prints what it did, and exits with 1 if something was not released. Linux only: it reads /proc.
//
//   node scripts/soak/websocket.mjs [--cycles 5000] [--endings 20000] [--stalled 1000]
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { freePort } from "./Lab.mjs"

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "5000" },
    endings: { type: "string", default: "20000" },
    stalled: { type: "string", default: "1000" },
  },
})
const cycles = Number(values.cycles)
const endings = Number(values.endings)
const stalled = Number(values.stalled)
/** Number of WebSockets that both sides end at a time. */
const atATime = 64
/** The proxy's limit of WebSockets. */
const places = Math.max(200, stalled)

const bin = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "dist", "bin.js")
const folder = mkdtempSync(join(tmpdir(), "ss-proxy-soak-"))
const database = join(folder, "sessions.db")

const accept = (key) => createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
const closing = Buffer.from([0x88, 0x02, 0x03, 0xe8])
const maskedClosing = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
const masked = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
const block = Buffer.concat([Buffer.from([0x82, 126, 0xff, 0xff]), Buffer.alloc(0xffff)])

/** A server whose behaviour depends on the path of the handshake. */
const serve = (socket) => {
  socket.on("error", () => {})
  socket.once("data", (data) => {
    const head = data.toString("latin1")
    const [, way = ""] = /^GET \/(\S*)/.exec(head) ?? []
    if (way === "reset-before") return socket.resetAndDestroy()
    if (way === "silent") return
    const key = /sec-websocket-key: *(\S+)/i.exec(head)?.[1]
    const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}`)
    if (way === "reset-after") return socket.resetAndDestroy()
    if (way === "server-first" || way === "both") socket.end(closing)
    if (way === "flood") flood(socket)
    if (way.startsWith("end/")) return endWhenTold(socket, way.slice(4))
    socket.on("data", (frames) => {
      if (way === "client-first" && frames[0] === 0x88) socket.end(closing)
    })
  })
}

/** Ways to end a WebSocket. `closing`: a close frame; `half`: half a frame. */
const endingsOf = {
  "close+FIN": (socket, closing) => socket.end(closing),
  FIN: (socket) => socket.end(),
  RST: (socket) => socket.resetAndDestroy(),
  "close+RST": (socket, closing) => {
    socket.write(closing)
    socket.resetAndDestroy()
  },
  "close+destroy": (socket, closing) => {
    socket.pause()
    socket.write(closing)
    socket.destroy()
  },
  destroy: (socket) => socket.destroy(),
  "half+FIN": (socket, _, half) => socket.end(half),
  close: (socket, closing) => socket.write(closing),
}
const endingNames = Object.keys(endingsOf)

/** Begins the end at the client's first frame, and destroys the socket soon after. */
const endWhenTold = (socket, way) => {
  socket.once("data", () => {
    endingsOf[way](socket, closing, block.subarray(0, 9))
    setTimeout(() => socket.destroy(), 50)
  })
}

const flood = (socket) => {
  const more = () => {
    while (socket.writable && socket.write(block));
  }
  socket.on("drain", more)
  more()
}

async function startServer() {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    env: { ...process.env, SOAK_SERVE: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [port] = await once(child.stdout, "data")
  return { child, port: Number(String(port)) }
}

const session = (id, port) =>
  spawnSync(process.execPath, [bin, "sessions", "add", id, `http://127.0.0.1:${port}`, "--replace", "-d", database])

const openSockets = (pid) => {
  let count = 0
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:")) count++
    } catch {
      // Closed meanwhile.
    }
  }
  return count
}

const memory = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]) / 1024

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Opens a WebSocket, ends it in this way, and waits until it is closed. */
const cycle = (port, id, way) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    const late = setTimeout(() => reject(new Error(`${way}: not closed within 5 s`)), 5_000)
    socket.on("error", () => {})
    socket.on("close", () => resolve(clearTimeout(late)))
    const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    socket.write(`GET /${id}/${way} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}`)
    if (way === "silent") setTimeout(() => socket.resetAndDestroy(), 5)
    let head = ""
    socket.on("data", (data) => {
      if (head.includes("\r\n\r\n")) return
      head += data.toString("latin1")
      if (!head.includes("\r\n\r\n") || !head.startsWith("HTTP/1.1 101")) return
      if (way === "client-first") socket.write(maskedClosing)
      if (way === "both") socket.end(maskedClosing)
      if (way === "client-reset") socket.resetAndDestroy()
      if (way === "half-frame") socket.write(masked.subarray(0, 4), () => socket.resetAndDestroy())
    })
  })

const ways = [
  "client-first",
  "server-first",
  "both",
  "client-reset",
  "half-frame",
  "reset-before",
  "reset-after",
  "silent",
]

/** Opens a WebSocket that the server ends in one way at the client's first frame, and the client in another way. */
const endedByBoth = (port, client, server, delay) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    const what = `client ${client}, server ${server}, ${delay} ms later`
    const late = setTimeout(() => reject(new Error(`${what}: not closed within 10 s`)), 10_000)
    socket.on("error", () => {})
    socket.on("close", () => resolve(clearTimeout(late)))
    const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    socket.write(`GET /app/end/${server} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}`)
    let head = ""
    const end = () => {
      if (!socket.destroyed) endingsOf[client](socket, maskedClosing, masked.subarray(0, 4))
      setTimeout(() => socket.destroy(), 50)
    }
    socket.on("data", (data) => {
      if (head.includes("\r\n\r\n")) return
      head += data.toString("latin1")
      if (!head.includes("\r\n\r\n")) return
      if (!head.startsWith("HTTP/1.1 101")) return reject(new Error(`${what}: ${head.split("\r\n", 1)[0]}`))
      socket.write(masked)
      if (delay === 0) end()
      else setTimeout(end, delay)
    })
  })

/** Every pair of endings; the client's comes 0 to 2 milliseconds after the frame that starts the server's. */
async function manyEndings(port, count) {
  for (let done = 0; done < count; done += atATime) {
    const delay = (done / atATime) % 3
    const pairs = endingNames.flatMap((client) => endingNames.map((server) => [client, server]))
    await Promise.all(pairs.map(([client, server]) => endedByBoth(port, client, server, delay)))
  }
}

async function manyCycles(port, count) {
  let next = 0
  const worker = async () => {
    while (next < count) await cycle(port, "app", ways[next++ % ways.length])
  }
  await Promise.all(Array.from({ length: 50 }, worker))
}

/** Waits until the number of sockets is back at `baseline`; fails if it is not in time. */
async function settled(pid, baseline, what) {
  for (let tries = 0; openSockets(pid) > baseline; tries++) {
    if (tries > 100) throw new Error(`${what}: ${openSockets(pid)} sockets are open, and ${baseline} were before`)
    await pause(100)
  }
  console.log(`${what}: sockets ${openSockets(pid)}, memory ${memory(pid).toFixed(0)} MiB`)
}

async function killedServers(port) {
  for (let round = 0; round < 5; round++) {
    const server = await startServer()
    session("mortal", server.port)
    const open = Array.from({ length: 100 }, () => cycle(port, "mortal", "stay"))
    await pause(500)
    server.child.kill("SIGKILL")
    await Promise.all(open)
  }
}

async function stalledReaders(port, pid) {
  const before = memory(pid)
  const sockets = []
  for (let index = 0; index < stalled; index++) {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => {})
    const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    socket.write(`GET /app/flood HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}`)
    sockets.push(socket)
    if (index % 50 === 49) await pause(100)
  }
  await pause(5_000)
  const each = ((memory(pid) - before) * 1024) / stalled
  console.log(`stalled: ${each.toFixed(0)} KiB each for ${stalled}`)
  for (const socket of sockets) socket.destroy()
  if (each > 512) throw new Error(`a stalled WebSocket holds ${each.toFixed(0)} KiB`)
}

/** Checks that the proxy stops within a second after its grace period. */
async function stopped(proxy) {
  const ended = once(proxy, "exit").then(([code]) => code)
  proxy.kill("SIGTERM")
  const code = await Promise.race([ended, pause(3_500).then(() => "not stopped after 3.5 s")])
  if (code !== 0) throw new Error(`told to stop, the proxy ended with: ${code}`)
  console.log("told to stop: stopped, exit code 0")
}

async function soak() {
  const server = await startServer()
  const port = await freePort()
  session("app", server.port)
  const limits = ["--max-websockets", String(places), "--grace", "2"]
  const args = [bin, "-H", "127.0.0.1", "-p", String(port), "-d", database, "-l", "error", ...limits]
  const proxy = spawn(process.execPath, args, { stdio: "inherit" })
  try {
    while ((await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined)) === undefined) await pause(50)
    await manyCycles(port, Math.min(1_000, cycles))
    await pause(1_000)
    const baseline = openSockets(proxy.pid)
    const before = memory(proxy.pid)
    await manyCycles(port, cycles)
    await settled(proxy.pid, baseline, `${cycles} cycles in every order`)
    const grown = memory(proxy.pid) - before
    if (grown > 48) throw new Error(`memory has grown by ${grown.toFixed(0)} MiB`)
    await manyEndings(port, endings)
    await settled(proxy.pid, baseline, `${endings} endings of both sides, ${endingNames.length ** 2} pairs of them`)
    await killedServers(port)
    await settled(proxy.pid, baseline, "5 killed servers with 100 WebSockets each")
    if (stalled > 0) await stalledReaders(port, proxy.pid)
    await settled(proxy.pid, baseline, "after all")
    await stopped(proxy)
  } finally {
    proxy.kill("SIGKILL")
    server.child.kill("SIGKILL")
  }
}

if (process.env.SOAK_SERVE === "1") {
  const server = createServer(serve).listen(0, "127.0.0.1", () => console.log(server.address().port))
} else {
  await soak().finally(() => rmSync(folder, { recursive: true, force: true }))
}
