// Clusters of PostgreSQL for a soak: made, started, ended, copied to a standby.
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Client } from "pg"
import { freePort, pause } from "../Lab.mjs"

const debian = "/usr/lib/postgresql"
const folders = [
  ...(existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : []),
  ...(process.env.PATH ?? "").split(delimiter),
]

/** The folder of its programs; `undefined` where it is not installed. */
export const programs = folders.find((folder) => existsSync(join(folder, "initdb")))

/** PostgreSQL refuses to run as root. */
const owner = () => {
  if (process.getuid?.() !== 0) return {}
  const [, uid, gid] = /^(?:postgres|nobody):[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8")) ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

const runProgram = (name, args) => {
  const { status, stderr } = spawnSync(join(programs, name), args, { ...owner(), cwd: "/", encoding: "utf8" })
  if (status !== 0) throw new Error(`${name}: ${stderr}`)
}

export class Cluster {
  #child

  constructor(folder, port) {
    this.folder = folder
    this.port = port
  }

  /** A new one that runs. */
  static async make(folder) {
    const cluster = await Cluster.#place(folder)
    runProgram("initdb", ["-D", cluster.data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"])
    await cluster.start()
    return cluster
  }

  /** One that follows `primary`, and runs. */
  static async standbyOf(primary, folder) {
    const cluster = await Cluster.#place(folder)
    const from = ["-h", "127.0.0.1", "-p", String(primary.port), "-U", "tester"]
    runProgram("pg_basebackup", ["-D", cluster.data, ...from, "-R", "-c", "fast", "--no-sync"])
    await cluster.start()
    return cluster
  }

  static async #place(folder) {
    mkdirSync(folder, { recursive: true })
    const { gid, uid } = owner()
    if (uid !== undefined) chownSync(folder, uid, gid)
    return new Cluster(folder, await freePort())
  }

  get data() {
    return join(this.folder, "data")
  }

  async start() {
    const settings = ["fsync=off", "max_connections=300", "listen_addresses=127.0.0.1", `port=${this.port}`]
    const args = [
      "-D",
      this.data,
      ...[...settings, `unix_socket_directories=${this.folder}`].flatMap((one) => ["-c", one]),
    ]
    this.#child = spawn(join(programs, "postgres"), args, { ...owner(), cwd: "/", stdio: "ignore" })
    while (true) {
      try {
        await this.run("SELECT 1")
        return
      } catch {
        await pause(10)
      }
    }
  }

  async end(signal) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill(signal)
    await once(this.#child, "close")
  }

  async client(database = "postgres") {
    const client = new Client({ host: "127.0.0.1", port: this.port, user: "tester", database })
    client.on("error", () => {})
    await client.connect()
    return client
  }

  async run(statement, values = [], database = "postgres") {
    const client = await this.client(database)
    try {
      return (await client.query(statement, values)).rows
    } finally {
      await client.end()
    }
  }
}
