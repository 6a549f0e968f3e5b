import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Layer, Logger, Option, type Scope } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, renameSync, rmSync } from "node:fs"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { patience } from "../support/Changes.js"
import { fairNow } from "../support/FairClock.js"
import { temporaryFile } from "./temporary.js"

type Repo = typeof SessionRepo.Service

const sqlite3 = (filename: string, sql: string): string =>
  execFileSync("sqlite3", [filename, sql], { encoding: "utf8" }).trim()

const rows = (filename: string): string =>
  sqlite3(
    filename,
    "SELECT session_id || '=' || downstream_server_url FROM sessions ORDER BY 1; PRAGMA integrity_check",
  )

interface Given {
  readonly filename: string
  readonly repo: Repo
  /** Lines of the log so far. */
  readonly lines: ReadonlyArray<string>
  /** Closes the repository, as a proxy does when it ends. */
  readonly close: Effect.Effect<void>
}

/** A database that is open, with sessions `a` and `b` in the file, and a change of `a` in its log only. */
const opened: Effect.Effect<Given, unknown, Scope.Scope> = Effect.gen(function* () {
  const filename = yield* temporaryFile("sessions.db")
  const lines: Array<string> = []
  const log = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`)),
  )
  const closing = yield* Effect.makeSemaphore(0)
  const isClosed = yield* Effect.makeSemaphore(0)
  const ready = yield* Effect.async<Repo, unknown>((resume) => {
    const life = Effect.gen(function* () {
      const repo = Context.get(yield* Layer.build(layerSqlite({ filename })), SessionRepo)
      for (const id of ["a", "b"]) yield* repo.add({ id, url: "http://old", status: "active" })
      sqlite3(filename, "PRAGMA wal_checkpoint(TRUNCATE)")
      yield* repo.set("a", { url: "http://logged" })
      resume(Effect.succeed(repo))
      yield* closing.take(1)
    })
    Effect.runFork(life.pipe(Effect.scoped, Effect.ensuring(isClosed.release(1)), Effect.provide(log)))
  })
  const close = Effect.zipRight(closing.release(1), isClosed.withPermits(1)(Effect.void))
  yield* Effect.addFinalizer(() => close)
  return { filename, repo: ready, lines, close }
})

const urlOf = (repo: Repo, id: string) => Effect.map(repo.find(id), (row) => Option.getOrUndefined(row)?.session.url)

/** Waits until the repository says this of a session; how long that took, in milliseconds. */
const until = (repo: Repo, id: string, url: string | undefined) =>
  Effect.gen(function* () {
    const startedAt = fairNow()
    while ((yield* Effect.orElseSucceed(urlOf(repo, id), () => "unavailable")) !== url) {
      if (fairNow() - startedAt > patience) return yield* Effect.dieMessage(`not ${url} in ${patience} ms`)
      yield* Effect.sleep(10)
    }
    return fairNow() - startedAt
  })

const lost = (filename: string) => [
  expect.stringContaining(`ERROR ${filename}-wal or ${filename}-shm was removed or replaced under the running proxy.`),
]

const remove = (filename: string, ...suffixes: ReadonlyArray<string>): void => {
  for (const suffix of suffixes) rmSync(filename + suffix)
}

const byOthers = "UPDATE sessions SET downstream_server_url = 'http://new' WHERE session_id = 'a'"

describe.concurrent("a write-ahead log that is removed under its database", () => {
  it.scopedLive("is noticed within about a second; what others commit since is in force, and survives the end", () =>
    Effect.gen(function* () {
      const { filename, repo, lines, close } = yield* opened
      remove(filename, "-wal", "-shm")
      sqlite3(filename, `${byOthers}; DELETE FROM sessions WHERE session_id = 'b'`)
      expect(yield* until(repo, "a", "http://new")).toBeLessThan(2_500)
      expect(yield* urlOf(repo, "b")).toBeUndefined()
      expect(lines).toEqual(lost(filename))
      yield* repo.add({ id: "c", url: "http://ours", status: "active" })
      expect(rows(filename)).toBe("a=http://new\nc=http://ours\nok")
      yield* close
      expect(rows(filename)).toBe("a=http://new\nc=http://ours\nok")
      expect(existsSync(`${filename}-wal`)).toBe(false)
    }),
  )

  it.scopedLive("is not written over newer commits where the end comes before anybody looked", () =>
    Effect.gen(function* () {
      const { filename, close } = yield* opened
      remove(filename, "-wal", "-shm")
      sqlite3(filename, `${byOthers}; DELETE FROM sessions WHERE session_id = 'b'`)
      yield* close
      expect(rows(filename)).toBe("a=http://new\nok")
    }),
  )

  it.scopedLive("is not written under the feet of a program that has the file open", () =>
    Effect.gen(function* () {
      const { filename, repo } = yield* opened
      remove(filename, "-wal", "-shm")
      // Of this process it would be no other program: SQLite shares the index of a log between its connections.
      const other = spawn("sqlite3", [filename], { stdio: ["pipe", "ignore", "inherit"] })
      other.stdin.write(`${byOthers};\n`)
      yield* until(repo, "a", "http://new")
      other.stdin.write("DELETE FROM sessions WHERE session_id = 'b';\n")
      yield* until(repo, "b", undefined)
      other.stdin.end()
      yield* Effect.promise(() => once(other, "exit"))
      expect(rows(filename)).toBe("a=http://new\nok")
    }),
  )

  it.scopedLive("is saved where nobody has written or looked since", () =>
    Effect.gen(function* () {
      const { filename, repo, lines } = yield* opened
      remove(filename, "-wal", "-shm")
      while (lines.length === 0) yield* Effect.sleep(10)
      expect(lines).toEqual(lost(filename))
      expect(yield* urlOf(repo, "a")).toBe("http://logged")
      expect(rows(filename)).toBe("a=http://logged\nb=http://old\nok")
    }),
  )

  it.scopedLive("and only its index: what is in the log and what others add to it stays", () =>
    Effect.gen(function* () {
      const { filename, repo, lines, close } = yield* opened
      remove(filename, "-shm")
      sqlite3(filename, "UPDATE sessions SET downstream_server_url = 'http://new' WHERE session_id = 'b'")
      yield* until(repo, "b", "http://new")
      expect(lines).toEqual(lost(filename))
      yield* close
      expect(rows(filename)).toBe("a=http://logged\nb=http://new\nok")
    }),
  )

  it.scopedLive("is no news where the file itself is replaced at the same time", () =>
    Effect.gen(function* () {
      const { filename, repo, lines } = yield* opened
      const fresh = `${filename}.new`
      sqlite3(fresh, sqlite3(filename, ".dump").replaceAll("http://logged", "http://fresh"))
      remove(filename, "-wal", "-shm")
      renameSync(fresh, filename)
      yield* until(repo, "a", "http://fresh")
      expect(lines).toEqual([])
      expect(rows(filename)).toBe("a=http://fresh\nb=http://old\nok")
    }),
  )
})

describe("a database in another journal mode", () => {
  it.scopedLive("has no log that could be lost, whatever others do in the meantime", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      yield* Effect.scoped(Layer.build(layerSqlite({ filename })))
      sqlite3(filename, "PRAGMA journal_mode = DELETE")
      // A transaction that reads keeps the file in this mode.
      const reader = new Sqlite(filename)
      reader.exec("BEGIN; SELECT count(*) FROM sessions")
      const lines: Array<string> = []
      const log = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void lines.push(String(message))),
      )
      const repo = Context.get(yield* Effect.provide(Layer.build(layerSqlite({ filename })), log), SessionRepo)
      reader.exec("COMMIT")
      reader.close()
      const other = new Sqlite(filename)
      expect(other.pragma("journal_mode = WAL", { simple: true })).toBe("wal")
      yield* Effect.sleep(1_100)
      expect(other.pragma("journal_mode = DELETE", { simple: true })).toBe("delete")
      yield* Effect.sleep(1_100)
      other.close()
      expect(lines).toEqual([])
      expect(yield* repo.add({ id: "a", url: "http://a", status: "active" })).toMatchObject({ id: "a" })
    }),
  )
})
