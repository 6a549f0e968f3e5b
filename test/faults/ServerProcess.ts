import { Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { Changes, type NotSeen } from "../support/Changes.js"

const script = fileURLToPath(new URL("./processes/Server.mjs", import.meta.url))

/** A session's server in a process of its own: what a path makes it do is in `processes/Server.mjs`. */
export class ServerProcess {
  private readonly changes = new Changes()
  private readonly reachedPaths: Array<string> = []

  private constructor(
    private child: ChildProcess,
    readonly port: number,
  ) {
    this.listenTo(child)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** How often it has got where a path leads. */
  count(path: string): number {
    return this.reachedPaths.filter((reached) => reached === path).length
  }

  /** Waits until it has got where a path leads, so many times since its start. */
  reached(path: string, times = 1): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      `${path} at the server`,
      () => this.count(path) >= times,
      () => this.reachedPaths.join(),
    )
  }

  /** Ends it as a crash does, and waits until it is gone. */
  get kill(): Effect.Effect<void> {
    return Effect.promise(async () => {
      const ended = once(this.child, "exit")
      this.child.kill("SIGKILL")
      await ended
    })
  }

  signal(signal: NodeJS.Signals): Effect.Effect<void> {
    return Effect.sync(() => void this.child.kill(signal))
  }

  /** Starts it again, on the same port. */
  get restart(): Effect.Effect<void> {
    return Effect.promise(async () => {
      const { child } = await launch(this.port)
      this.child = child
      this.listenTo(child)
    })
  }

  private listenTo(child: ChildProcess): void {
    child.on("message", (said) => {
      if (typeof said !== "object" || !("reached" in said)) return
      this.reachedPaths.push(String(said.reached))
      this.changes.announce()
    })
  }

  /** Starts one; it is killed with the scope. */
  static readonly start: Effect.Effect<ServerProcess, never, Scope.Scope> = Effect.acquireRelease(
    Effect.promise(async () => {
      const { child, port } = await launch(0)
      return new ServerProcess(child, port)
    }),
    // Also one that is stopped.
    (server) => Effect.sync(() => void server.child.kill("SIGKILL")),
  )
}

const launch = async (wanted: number): Promise<{ readonly child: ChildProcess; readonly port: number }> => {
  const child = fork(script, [String(wanted)])
  const [said]: ReadonlyArray<unknown> = await once(child, "message")
  if (typeof said !== "object" || said === null || !("port" in said)) throw new Error("the server has no port")
  return { child, port: Number(said.port) }
}
