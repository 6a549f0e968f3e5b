// The processes of a soak: the proxy, the servers of its sessions, and its clients.
import { fork, spawn } from "node:child_process"
import { once } from "node:events"
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import Sqlite from "better-sqlite3"
import { freePort, pause } from "../Lab.mjs"

const here = dirname(fileURLToPath(import.meta.url))
const builtProgram = join(here, "..", "..", "..", "dist", "bin.js")

/** The longest wait of the proxy for the head of an answer, in seconds. */
export const timeout = 4
/** Its time for what is under way when it stops or loads its program anew, in seconds. */
export const grace = 3

/** A server of sessions that can die and come back on its port. */
class Server {
  constructor(keepAlive) {
    this.keepAlive = keepAlive
    this.port = 0
  }

  async start() {
    this.child = fork(join(here, "Server.mjs"), [String(this.port), String(this.keepAlive)])
    ;[this.port] = await once(this.child, "message")
    return this
  }

  async kill() {
    const ended = once(this.child, "exit")
    this.child.kill("SIGKILL")
    await ended
  }
}

export class World {
  constructor({ bin = builtProgram, workers }) {
    this.bin = bin
    this.workers = workers
    this.folder = mkdtempSync(join(tmpdir(), "ss-proxy-soak-"))
    this.database = join(this.folder, "sessions.db")
    this.accessLog = join(this.folder, "access.log")
    this.adminSocket = join(this.folder, "admin.sock")
    this.log = join(this.folder, "proxy.log")
    this.asked = 0
    this.rotations = 0
    this.servers = []
    /** One at a time may use the database's file. */
    this.turn = Promise.resolve()
  }

  async start(serverCount) {
    // Some servers close idle connections soon, others never.
    for (let index = 0; index < serverCount; index++)
      this.servers.push(await new Server(index % 2 === 0 ? 5_000 : 0).start())
    this.port = await freePort()
    const log = openSync(this.log, "a")
    this.proxy = spawn(process.execPath, [this.bin, ...this.flags], {
      stdio: ["ignore", log, log],
      env: { ...process.env, NODE_OPTIONS: `--import=${join(here, "Gauge.mjs")}`, SOAK_GAUGE: this.folder },
    })
    closeSync(log)
    this.ended = once(this.proxy, "exit")
    const asking = { headers: { Connection: "close" } }
    while ((await fetch(`http://127.0.0.1:${this.port}/health`, asking).catch(() => undefined))?.status !== 200) {
      if (this.proxy.exitCode !== null) throw new Error(`the proxy ended: ${readFileSync(this.log, "utf8")}`)
      await pause(50)
    }
  }

  get flags() {
    const flags = ["run", "-H", "127.0.0.1", "-p", this.port, "-d", this.database, "-l", "info"]
    flags.push("--access-log", this.accessLog, "--admin-socket", this.adminSocket, "--activity-interval", "5")
    flags.push("--timeout", timeout, "--grace", grace)
    if (this.workers > 1) flags.push("--workers", this.workers)
    return flags.map(String)
  }

  startClients(seed, count, sessions) {
    this.clients = fork(join(here, "Clients.mjs"), [this.port, seed, count, ...sessions].map(String))
    return this.clients
  }

  /** Runs a command of the program. Fails where it fails. */
  async cli(...args) {
    const child = spawn(process.execPath, [this.bin, ...args, "-d", this.database], {
      stdio: ["ignore", "ignore", "pipe"],
    })
    let said = ""
    child.stderr.on("data", (data) => (said += data))
    const [code] = await once(child, "close")
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${said.trim()}`)
  }

  /** Loads the program anew. */
  reload() {
    return this.cli("reload", "--admin", this.adminSocket)
  }

  /** Changes the database as another program would. */
  sql(...statements) {
    const db = new Sqlite(this.database, { timeout: 5_000 })
    try {
      for (const [statement, ...values] of statements) db.prepare(statement).run(...values)
    } finally {
      db.close()
    }
  }

  /** Asks the admin API. Fails where it does not answer with 2xx. */
  api(method, path, body) {
    return new Promise((resolve, reject) => {
      const headers =
        body === undefined
          ? {}
          : { "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json" }
      const call = request({ socketPath: this.adminSocket, method, path, headers, agent: false }, (response) => {
        let text = ""
        response.on("data", (data) => (text += data))
        response.on("end", () => {
          if (response.statusCode >= 200 && response.statusCode < 300) resolve(text)
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`))
        })
      })
      call.on("error", reject)
      call.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  /** Waits for the others that use the database's file, and keeps them away meanwhile. */
  alone(work) {
    const done = this.turn.then(work)
    this.turn = done.catch(() => {})
    return done
  }

  /** The processes of the proxy: its own and those that it started. */
  get pids() {
    const parents = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), parentOf(name)])
    return [this.proxy.pid, ...parents.filter(([, parent]) => parent === this.proxy.pid).map(([pid]) => pid)]
  }

  /** What its processes hold after a collection: descriptors by kind, memory, fibers. */
  async levels() {
    const pids = this.pids
    writeFileSync(join(this.folder, "ask.part"), String(++this.asked))
    // In one piece: it is looked at all the time.
    writeFileSync(join(this.folder, "ask"), String(this.asked))
    const files = pids.map((pid) => join(this.folder, `${this.asked}-${pid}.json`))
    for (let tries = 0; tries < 200 && !files.every(existsSync); tries++) await pause(50)
    const gauges = files.filter(existsSync).map((file) => JSON.parse(readFileSync(file, "utf8")))
    const sum = (part) => gauges.reduce((total, gauge) => total + gauge[part], 0)
    const open = pids.flatMap(descriptorsOf)
    return {
      processes: pids.length,
      sockets: open.filter((name) => name.startsWith("socket:")).length,
      files: open.filter((name) => name.startsWith("/")).length,
      others: open.filter((name) => !name.startsWith("socket:") && !name.startsWith("/")).length,
      heap: sum("heapUsed") + sum("external"),
      rss: sum("rss"),
      fibers: sum("fibers"),
    }
  }

  /** Lets servers close the connections that nobody uses. */
  letGo() {
    for (const { child } of this.servers) child.send("idle")
  }

  /** Stops the proxy; gives its exit code. */
  async stop() {
    this.proxy.kill("SIGTERM")
    const [code, signal] = await Promise.race([this.ended, pause(20_000).then(() => [undefined, "did not stop"])])
    return code ?? signal
  }

  /** Ends every process. `keeps`: leaves the folder with the logs. */
  end(keeps) {
    for (const child of [this.proxy, this.clients, ...this.servers.map(({ child }) => child)]) child?.kill("SIGKILL")
    if (!keeps) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

const parentOf = (pid) => {
  try {
    return Number(
      readFileSync(`/proc/${pid}/stat`, "latin1")
        .replace(/^.*\) /s, "")
        .split(" ")[1],
    )
  } catch {
    return 0
  }
}

const descriptorsOf = (pid) => {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(join(folder, name))]
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}
