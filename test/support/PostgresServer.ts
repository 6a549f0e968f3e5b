import { Effect, Schedule, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { delimiter, join } from "node:path"
import { Client } from "pg"
import { temporaryFolder } from "../sessions/temporary.js"

const debian = "/usr/lib/postgresql"

/** Where Debian puts the programs of each version, the latest first; then wherever else they may be. */
const folders = (): ReadonlyArray<string> => [
  ...(existsSync(debian) ? readdirSync(debian) : [])
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => join(debian, version, "bin")),
  ...(process.env["PATH"] ?? "").split(delimiter),
]

const programs = folders().find((folder) => existsSync(join(folder, "initdb")))

/** That there is no PostgreSQL to start; `undefined` where there is. `npm run test:postgres` leaves nothing out. */
export const lackingPostgres = programs === undefined ? "PostgreSQL is not installed" : undefined
if (lackingPostgres !== undefined && process.env["SS_PROXY_TEST_POSTGRES"] === "needed")
  throw new Error(lackingPostgres)

/** Its user, for PostgreSQL refuses to run as root. */
const runsAs = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const [, uid, gid] = /^(?:postgres|nobody):[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8")) ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 0) : 0)))
  })
})

/** The superuser of each cluster. */
export const superuser = "tester"

/** Where a server listens: its Unix socket is in the folder, and the port is that of loopback, too. */
export interface ServerPlace {
  readonly folder: string
  readonly port: number
}

/** The URL of a database there, by loopback. */
export const urlOf = ({ port }: ServerPlace, database: string, user = superuser): string =>
  `postgres://${user}@127.0.0.1:${port}/${database}`

/** Runs statements in a database, one after the other on one connection; gives the rows of the last one. */
export const runIn = (
  { folder, port }: ServerPlace,
  database: string,
  ...statements: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, Error> =>
  Effect.tryPromise({
    try: async () => {
      const client = new Client({ host: folder, port, user: superuser, database })
      client.on("error", () => {})
      await client.connect()
      try {
        let rows: ReadonlyArray<Readonly<Record<string, unknown>>> = []
        for (const statement of statements) rows = (await client.query(statement)).rows
        return rows
      } finally {
        await client.end()
      }
    },
    catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause))),
  })

/** A new database, empty and with a name of its own. */
export const newDatabase = (place: ServerPlace): Effect.Effect<string> => {
  const name = `test_${process.pid}_${Math.random().toString(36).slice(2)}`
  return Effect.as(Effect.orDie(runIn(place, "postgres", `CREATE DATABASE ${name} STRATEGY file_copy`)), name)
}

/** A server of PostgreSQL with a cluster of its own, which it may lose: nothing is synced. */
export class PostgresServer implements ServerPlace {
  #child: ChildProcess | undefined
  #said = ""

  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly settings: ReadonlyArray<string>,
  ) {}

  /** One that runs; it is gone with the scope. `settings`: as in postgresql.conf. Nobody needs a password at first. */
  static make(settings: ReadonlyArray<string> = []): Effect.Effect<PostgresServer, never, Scope.Scope> {
    return Effect.gen(function* () {
      const server = new PostgresServer(yield* temporaryFolder, yield* freePort, settings)
      server.initialize()
      yield* Effect.acquireRelease(server.start, () => server.end("SIGQUIT"))
      return server
    })
  }

  private initialize(): void {
    const owner = runsAs()
    chmodSync(this.folder, 0o755)
    if (owner !== undefined) chownSync(this.folder, owner.uid, owner.gid)
    const args = ["-D", this.data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    const made = spawnSync(join(programs ?? "", "initdb"), args, { ...owner, cwd: "/", encoding: "utf8" })
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}${made.stdout}`)
  }

  /** The folder of the cluster. */
  get data(): string {
    return join(this.folder, "data")
  }

  /** Who may come in, and how he says who he is: lines of pg_hba.conf, in front of one that lets in everybody. */
  admits(lines: ReadonlyArray<string>): Effect.Effect<void> {
    const everybody = ["local all all trust", "host all all all trust", ""]
    const write = Effect.sync(() => writeFileSync(join(this.data, "pg_hba.conf"), [...lines, ...everybody].join("\n")))
    return Effect.zipRight(write, Effect.orDie(runIn(this, "postgres", "SELECT pg_reload_conf()")))
  }

  private get args(): ReadonlyArray<string> {
    const settings = [
      "fsync=off",
      "full_page_writes=off",
      "max_connections=200",
      "shared_buffers=32MB",
      "listen_addresses=127.0.0.1",
      `port=${this.port}`,
      `unix_socket_directories=${this.folder}`,
      ...this.settings,
    ]
    return ["-D", this.data, ...settings.flatMap((setting) => ["-c", setting])]
  }

  /** Starts it, and waits until it answers. */
  get start(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const program = join(programs ?? "", "postgres")
      const child = spawn(program, this.args, { ...runsAs(), cwd: "/", stdio: ["ignore", "ignore", "pipe"] })
      child.stderr.on("data", (piece: Buffer) => (this.#said += piece.toString()))
      this.#child = child
      // Also where a test was given up, and nothing has closed its scope.
      const kill = () => void child.kill("SIGQUIT")
      process.once("exit", kill)
      child.once("close", () => process.removeListener("exit", kill))
      return Effect.retry(runIn(this, "postgres", "SELECT 1"), {
        schedule: Schedule.intersect(Schedule.spaced(25), Schedule.recurs(600)),
      }).pipe(Effect.orDieWith(() => new Error(`PostgreSQL does not start: ${this.#said}`)))
    })
  }

  /** Ends it: SIGTERM waits for clients, SIGINT sends them away, SIGQUIT and SIGKILL end it as a crash does. */
  end(signal: NodeJS.Signals): Effect.Effect<void> {
    return Effect.async((resume) => {
      const child = this.#child
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
      child.once("close", () => resume(Effect.void))
      child.kill(signal)
    })
  }
}
