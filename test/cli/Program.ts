import Sqlite from "better-sqlite3"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import { binary, cleanEnvironment } from "../support/BuiltProgram.js"

/** How a run of the program ended, and what it said. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Starts the program; for those that run on. */
export const start = (args: ReadonlyArray<string>, options: RunOptions = {}) =>
  spawn(process.execPath, [binary, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...cleanEnvironment(), ...options.env },
    stdio: "pipe",
  })

/** Runs the program to its end. */
export const runProgram = (args: ReadonlyArray<string>, options: RunOptions = {}): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = start(args, options)
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, stdout, stderr }))
    child.stdin.on("error", () => {})
    child.stdin.end(options.input ?? "")
  })

/** A folder of this test's own. */
export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-cli-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The `sessions` commands on a database, of the test's own unless told otherwise. */
export const onDatabase = (given?: string) => {
  const folder = given === undefined ? temporaryFolder() : dirname(given)
  const file = given ?? join(folder, "sessions.db")
  return {
    folder,
    sessions: (...args: ReadonlyArray<string>) => runProgram(["sessions", ...args, "--db-path", file]),
    sql: (statement: string) => {
      const database = new Sqlite(file)
      database.exec(statement)
      database.close()
    },
    feed: (input: string, ...args: ReadonlyArray<string>) =>
      runProgram(["sessions", ...args, "--db-path", file], { input }),
  }
}

/** The one JSON value that a run printed. */
export const json = ({ stdout }: Outcome): unknown => JSON.parse(stdout)

/** `fetch` on a connection of its own: a program that is told to stop waits a while for connections that are kept. */
export const fetchOnce = (url: string): Promise<Response> => fetch(url, { headers: { Connection: "close" } })
