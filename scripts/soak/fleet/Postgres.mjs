// A private server of PostgreSQL for a soak. `test/support/PostgresServer.ts` does the same for tests, in TypeScript.
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Client } from "pg"
import { freePort, pause } from "../Lab.mjs"

const debian = "/usr/lib/postgresql"

/** Where Debian puts the programs of each version, the latest first; then wherever else they may be. */
const folders = () => [
  ...(existsSync(debian) ? readdirSync(debian) : [])
    .toSorted((one, other) => Number(other) - Number(one))
    .map((version) => join(debian, version, "bin")),
  ...(process.env.PATH ?? "").split(delimiter),
]

/** The folder of its programs; `undefined` where it is not installed. */
export const programs = folders().find((folder) => existsSync(join(folder, "initdb")))

/** Its user: it refuses to run as root. */
function runsAs() {
  if (process.getuid() !== 0) return undefined
  const [, uid, gid] = /^(?:postgres|nobody):[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"))
  return { uid: Number(uid), gid: Number(gid) }
}

const user = "soak"

export class Postgres {
  constructor(folder) {
    this.folder = join(folder, "postgres")
  }

  get url() {
    return `postgres://${user}@127.0.0.1:${this.port}/postgres`
  }

  async make() {
    mkdirSync(this.folder)
    const owner = runsAs()
    if (owner !== undefined) {
      chmodSync(join(this.folder, ".."), 0o755)
      chownSync(this.folder, owner.uid, owner.gid)
    }
    const args = ["-D", join(this.folder, "data"), "-U", user, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    const made = spawnSync(join(programs, "initdb"), [...args, "--no-sync"], { ...owner, cwd: "/", encoding: "utf8" })
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`)
    this.port = await freePort()
    await this.start()
  }

  async start() {
    const settings = [`port=${this.port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${this.folder}`]
    const flags = [...settings, "fsync=off"].flatMap((setting) => ["-c", setting])
    this.child = spawn(join(programs, "postgres"), ["-D", join(this.folder, "data"), ...flags], {
      ...runsAs(),
      cwd: "/",
      stdio: "ignore",
    })
    for (;;) {
      const client = new Client(this.url)
      client.on("error", () => {})
      const connected = await client.connect().then(
        () => true,
        () => false,
      )
      if (connected) {
        this.client = client
        return
      }
      if (this.child.exitCode !== null) throw new Error(`PostgreSQL ended with ${this.child.exitCode}`)
      await pause(20)
    }
  }

  /** Ends it as a crash does: everybody's connection is gone at once. */
  async crash() {
    const ended = once(this.child, "exit")
    this.child.kill("SIGQUIT")
    await ended
  }

  query(statement, ...values) {
    return this.client.query(statement, values)
  }
}
