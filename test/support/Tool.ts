import { Effect, type Scope } from "effect"
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { Readable } from "node:stream"

/** Whether a program of this name can be started. */
export const isInstalled = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined

/** Where a program of this name is; `undefined` where it is not installed. */
export const pathOf = (program: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(existsSync)

/** How a run of a program ended, and what it said. */
export interface ToolOutcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ToolOptions {
  readonly input?: Iterable<Uint8Array>
  /** Takes standard output, which is not kept then. */
  readonly output?: (piece: Buffer) => void
  readonly cwd?: string
}

/** Starts a program that runs on; it is killed with the scope. */
export const startTool = (
  program: string,
  args: ReadonlyArray<string>,
  options: Pick<ToolOptions, "cwd"> = {},
): Effect.Effect<ChildProcessWithoutNullStreams, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(program, [...args], { ...options, stdio: "pipe" })),
    (child) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("close", () => resume(Effect.void))
        child.kill("SIGKILL")
      }),
  )

/** Runs a program to its end. */
export const runTool = (
  program: string,
  args: ReadonlyArray<string>,
  options: ToolOptions = {},
): Effect.Effect<ToolOutcome> =>
  Effect.gen(function* () {
    const { cwd, input, output } = options
    const child = yield* startTool(program, args, cwd === undefined ? {} : { cwd })
    const stdout: Array<Buffer> = []
    const stderr: Array<Buffer> = []
    child.stdout.on("data", output ?? ((piece: Buffer) => stdout.push(piece)))
    child.stderr.on("data", (piece: Buffer) => stderr.push(piece))
    child.stdin.on("error", () => {})
    if (input === undefined) child.stdin.end()
    else Readable.from(input).pipe(child.stdin)
    const code = yield* Effect.async<number | null>((resume) => {
      child.once("close", (code) => resume(Effect.succeed(code)))
    })
    return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
  }).pipe(Effect.scoped)
