import Sqlite from "better-sqlite3"
import { Effect, type Scope } from "effect"
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../sessions/temporary.js"
import { binary } from "./BuiltProgram.js"
import { Changes, NotSeen } from "./Changes.js"
import { startTool } from "./Tool.js"

/** How long a start may take, in milliseconds: a busy machine starts several programs at a time. */
const startPatience = 15_000

/** How a proxy is started. */
export interface ProxyOptions {
  /** URLs by id. */
  readonly sessions: Readonly<Record<string, string>>
  /** Further flags. */
  readonly flags: ReadonlyArray<string>
  /** A program, and its arguments, that becomes the one that the arguments behind name. */
  readonly within: ReadonlyArray<string>
  /** Where it is, with its database; a new folder by default. */
  readonly folder: string
}

/** What a descriptor of a process leads to; `undefined` if it is closed by now. */
const targetOf = (link: string): string | undefined => {
  try {
    return readlinkSync(link)
  } catch {
    return undefined
  }
}

/** The built proxy as a process of its own, on a database of its own. */
export class ProxyProcess {
  private constructor(
    /** Its base URL, without a slash at the end. */
    readonly url: string,
    /** Path of its database. */
    readonly database: string,
    readonly pid: number,
    private readonly log: ReadonlyArray<string>,
    private readonly changes: Changes,
    /** Its exit code, or the signal that ended it, once it has ended. */
    readonly ended: Effect.Effect<number | string>,
  ) {}

  /** Bytes of memory in use now. */
  get memory(): number {
    return this.kibibytes("VmRSS") * 1024
  }

  /** The most bytes of memory in use since the start, or since `forgetPeak`. */
  get peak(): number {
    return this.kibibytes("VmHWM") * 1024
  }

  /** Lets `peak` begin again (proc(5), clear_refs). */
  forgetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, "5")
  }

  /** What its descriptors lead to: all that it has open. */
  get descriptors(): ReadonlyArray<string> {
    const folder = `/proc/${this.pid}/fd`
    return readdirSync(folder).flatMap((name) => targetOf(join(folder, name)) ?? [])
  }

  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): Effect.Effect<void> {
    return Effect.sync(() => void process.kill(this.pid, signal))
  }

  /** Everything that it logged. */
  get said(): string {
    return this.log.join("")
  }

  /** Waits until it has logged these words. */
  says(words: string): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      words,
      () => this.said.includes(words),
      () => this.said,
    )
  }

  private kibibytes(field: string): number {
    const [, value] =
      new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${this.pid}/status`, "utf8")) ?? []
    if (value === undefined) throw new Error(`/proc has no ${field}; the proxy said: ${this.said}`)
    return Number(value)
  }

  /** Milliseconds of processor time that it has used. */
  get cpuTime(): number {
    // Behind the name, which may hold spaces: utime and stime, in ticks of 10 ms (proc(5)).
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  /** Starts it, with these sessions (URLs by id); it is killed with the scope. */
  static start(
    sessions: Readonly<Record<string, string>>,
    within: ReadonlyArray<string> = [],
  ): Effect.Effect<ProxyProcess, NotSeen, Scope.Scope> {
    return ProxyProcess.startWith({ sessions, within })
  }

  /** Starts it; it is killed with the scope. */
  static startWith(options: Partial<ProxyOptions>): Effect.Effect<ProxyProcess, NotSeen, Scope.Scope> {
    return Effect.gen(function* () {
      const { flags = [], sessions = {}, within = [] } = options
      const database = join(options.folder ?? (yield* temporaryFolder), "sessions.db")
      const args = [binary, "run", "--host", "127.0.0.1", "--port", "0", "--db-path", database, ...flags]
      const [program = "", ...words] = [...within, process.execPath, ...args]
      const child = yield* startTool(program, words)
      const changes = new Changes()
      const log: Array<string> = []
      const end = new Promise<number | string>((resolve) =>
        child.once("close", (code, signal) => resolve(code ?? signal ?? "")),
      )
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        log.push(text)
        changes.announce()
      })
      const port = () => / port=(\d+)/.exec(log.join(""))?.[1]
      yield* changes
        .when(() => port() !== undefined)
        .pipe(
          Effect.timeoutFail({
            duration: startPatience,
            onTimeout: () => new NotSeen({ message: `the proxy does not listen; it said: ${log.join("")}` }),
          }),
        )
      insert(database, sessions)
      const url = `http://127.0.0.1:${port()}`
      return new ProxyProcess(
        url,
        database,
        child.pid ?? 0,
        log,
        changes,
        Effect.promise(() => end),
      )
    })
  }
}

const insert = (filename: string, sessions: Readonly<Record<string, string>>): void => {
  const database = new Sqlite(filename)
  const row = database.prepare(
    "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, 'active')",
  )
  for (const [id, url] of Object.entries(sessions)) row.run(id, url)
  database.close()
}
