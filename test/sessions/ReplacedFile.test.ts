import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Exit, Layer, Option, Schedule } from "effect"
import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile } from "./temporary.js"

const open = (filename: string) => Effect.map(Layer.build(layerSqlite({ filename })), Context.get(SessionRepo))

const sqlite3 = (filename: string, sql: string): string =>
  execFileSync("sqlite3", [filename, sql], { encoding: "utf8" })

/** A file as another program makes it, with these sessions, all at one URL. */
const make = (filename: string, url: string, ...ids: ReadonlyArray<string>): void => {
  sqlite3(
    filename,
    `CREATE TABLE sessions (session_id TEXT PRIMARY KEY NOT NULL, downstream_server_url TEXT NOT NULL,
       downstream_server_status TEXT NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
       updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);` +
      ids.map((id) => `INSERT INTO sessions VALUES ('${id}', '${url}', 'active', '', '');`).join(""),
  )
}

type Repo = typeof SessionRepo.Service

const urlOf = (repo: Repo, id: string) => Effect.map(repo.find(id), (row) => Option.getOrUndefined(row)?.session.url)

/** Asks for the version, as requests do, until it is another one; gives how long that took, in milliseconds. */
const changed = (repo: Repo, version: Exit.Exit<number, unknown>): Effect.Effect<number> =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    for (;;) {
      const now = yield* Effect.exit(repo.version())
      if (Exit.isSuccess(now) !== Exit.isSuccess(version)) break
      if (Exit.isSuccess(now) && Exit.isSuccess(version) && now.value !== version.value) break
      if (performance.now() - startedAt > 4_000) return yield* Effect.dieMessage("no other version in 4 s")
      yield* Effect.sleep(3)
    }
    return performance.now() - startedAt
  })

/** What a repository says of a file, before and after something was done to it, once that is noticed. */
const noticing = (repo: Repo, change: () => void) =>
  Effect.gen(function* () {
    const version = yield* Effect.exit(repo.version())
    change()
    return yield* changed(repo, version)
  })

const gone = (filename: string) => ({ _tag: "StoreUnavailable", problem: `${filename} is gone` })

describe.concurrent("a file that is replaced while it is open", () => {
  const fixture = Effect.gen(function* () {
    const filename = yield* temporaryFile("sessions.db")
    const repo = yield* open(filename)
    // Commits that are in the write-ahead log only.
    yield* repo.add({ id: "a", url: "http://old", status: "active" })
    yield* repo.add({ id: "b", url: "http://old", status: "active" })
    return { filename, repo, fresh: `${filename}.new` }
  })

  it.scopedLive("by a move over it is followed within about a second, and the move counts as a change", () =>
    Effect.gen(function* () {
      const { filename, repo, fresh } = yield* fixture
      make(fresh, "http://new", "a", "c")
      const took = yield* noticing(repo, () => renameSync(fresh, filename))
      expect(took).toBeLessThan(10_000)
      expect(yield* urlOf(repo, "a")).toBe("http://new")
      expect(yield* urlOf(repo, "b")).toBeUndefined()
      expect((yield* repo.list).map(({ id }) => id)).toEqual(["a", "c"])
      sqlite3(filename, "UPDATE sessions SET downstream_server_url = 'http://newer'")
      yield* repo.version()
      expect(yield* urlOf(repo, "c")).toBe("http://newer")
      expect(sqlite3(filename, "PRAGMA integrity_check")).toBe("ok\n")
    }),
  )

  it.scopedLive("is whole where it was moved to, and its log is not taken for the new file's", () =>
    Effect.gen(function* () {
      const { filename, repo, fresh } = yield* fixture
      make(fresh, "http://new", "a")
      yield* noticing(repo, () => {
        renameSync(filename, `${filename}.old`)
        renameSync(fresh, filename)
      })
      expect(yield* urlOf(repo, "a")).toBe("http://new")
      expect((yield* repo.list).map(({ id }) => id)).toEqual(["a"])
      expect(sqlite3(`${filename}.old`, "SELECT group_concat(session_id) FROM sessions")).toBe("a,b\n")
    }),
  )

  it.scopedLive("takes its log along where the end comes before anybody looked", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      make(`${filename}.new`, "http://new", "a", "c")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const repo = yield* open(filename)
          yield* repo.add({ id: "b", url: "http://old", status: "active" })
          renameSync(filename, `${filename}.old`)
          renameSync(`${filename}.new`, filename)
        }),
      )
      const ids = "SELECT group_concat(session_id) FROM sessions; PRAGMA integrity_check"
      expect(sqlite3(`${filename}.old`, ids)).toBe("b\nok\n")
      expect(sqlite3(filename, ids)).toBe("a,c\nok\n")
    }),
  )

  it.scopedLive("by nothing is unavailable and not made again, until it is back", () =>
    Effect.gen(function* () {
      const { filename, repo } = yield* fixture
      yield* noticing(repo, () => renameSync(filename, `${filename}.away`))
      expect(yield* Effect.flip(repo.find("a"))).toMatchObject(gone(filename))
      expect(yield* Effect.flip(repo.list)).toMatchObject(gone(filename))
      expect(yield* Effect.flip(repo.add({ id: "c", url: "http://c", status: "active" }))).toMatchObject(gone(filename))
      expect(existsSync(filename)).toBe(false)
      yield* noticing(repo, () => renameSync(`${filename}.away`, filename))
      expect(yield* urlOf(repo, "b")).toBe("http://old")
      expect(yield* repo.add({ id: "c", url: "http://c", status: "active" })).toMatchObject({ id: "c" })
    }),
  )

  it.scopedLive("by removing all of it is taken up again when another program has made one", () =>
    Effect.gen(function* () {
      const { filename, repo } = yield* fixture
      yield* noticing(repo, () => {
        for (const name of readdirSync(dirname(filename))) rmSync(`${dirname(filename)}/${name}`)
      })
      // First a file without a table, as a program makes it that is not ready yet.
      writeFileSync(filename, "")
      yield* Effect.sleep(150)
      expect(yield* Effect.flip(repo.find("a"))).toMatchObject({ problem: `${filename} holds no sessions table` })
      yield* noticing(repo, () => make(filename, "http://new", "c"))
      expect(yield* urlOf(repo, "c")).toBe("http://new")
      expect(yield* urlOf(repo, "a")).toBeUndefined()
    }),
  )

  it.scopedLive(
    "by one that a command fills is taken when the command is done; if it was killed, by the next one, or after a minute",
    () =>
      Effect.gen(function* () {
        const { filename, repo } = yield* fixture
        const removed = () => noticing(repo, () => rmSync(filename))
        const target = Effect.retry(
          Effect.suspend(() => urlOf(repo, "a")),
          Schedule.spaced(5),
        )
        yield* removed()
        yield* Effect.gen(function* () {
          const filling = Context.get(yield* Layer.build(layerSqlite({ filename, marksMaking: true })), SessionRepo)
          yield* filling.add({ id: "a", url: "http://new", status: "active" })
          // Longer than between two attempts.
          yield* Effect.sleep(250)
          expect(yield* Effect.flip(repo.find("a"))).toMatchObject({ problem: `${filename} is still being created` })
        }).pipe(Effect.scoped)
        expect(yield* target).toBe("http://new")
        expect(sqlite3(filename, ".tables")).not.toContain("ss_proxy_making")

        const pid = execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }).trim()
        const left = (age: number) => {
          make(`${filename}.killed`, "http://killed", "a")
          const mark = `SELECT ${pid} AS pid, unixepoch() - ${age} AS since`
          sqlite3(`${filename}.killed`, `CREATE TABLE ss_proxy_making AS ${mark}`)
          renameSync(`${filename}.killed`, filename)
        }
        yield* removed()
        left(0)
        yield* Effect.sleep(250)
        expect(yield* Effect.flip(repo.find("a"))).toMatchObject({ problem: `${filename} is still being created` })
        yield* Effect.scoped(Layer.build(layerSqlite({ filename, marksMaking: true })))
        expect(yield* target).toBe("http://killed")

        yield* removed()
        left(61)
        expect(yield* target).toBe("http://killed")
      }),
  )

  it.scopedLive("is not left while a program reads it, for its log would be lost", () =>
    Effect.gen(function* () {
      const { filename, repo, fresh } = yield* fixture
      const reader = new Sqlite(filename)
      reader.exec("BEGIN; SELECT count(*) FROM sessions")
      // The reader holds back the end of the log that is written behind its back.
      yield* repo.add({ id: "later", url: "http://old", status: "active" })
      make(fresh, "http://new", "a")
      yield* noticing(repo, () => renameSync(fresh, filename))
      expect(yield* Effect.flip(repo.find("a"))).toMatchObject({
        problem: `${filename} is another file now, and a program still reads the old one`,
      })
      reader.exec("COMMIT")
      yield* noticing(repo, () => reader.close())
      expect(yield* urlOf(repo, "a")).toBe("http://new")
    }),
  )

  it.scopedLive("by turning a link is followed", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("link.db")
      const [one, two] = [`${filename}.1`, `${filename}.2`]
      make(one, "http://one", "a")
      make(two, "http://two", "a")
      symlinkSync(one, filename)
      const repo = yield* open(filename)
      expect(yield* urlOf(repo, "a")).toBe("http://one")
      yield* noticing(repo, () => {
        symlinkSync(two, `${filename}.link`)
        renameSync(`${filename}.link`, filename)
      })
      expect(yield* urlOf(repo, "a")).toBe("http://two")
    }),
  )

  it.scopedLive("by a file that is no database is unavailable, and taken up when there is one", () =>
    Effect.gen(function* () {
      const { filename, repo, fresh } = yield* fixture
      writeFileSync(fresh, "not a database, but a text that is long enough to be looked at\n".repeat(40))
      yield* noticing(repo, () => renameSync(fresh, filename))
      expect(yield* Effect.flip(repo.find("a"))).toMatchObject({ problem: `${filename} is not an SQLite database` })
      make(fresh, "http://new", "a")
      yield* noticing(repo, () => renameSync(fresh, filename))
      expect(yield* urlOf(repo, "a")).toBe("http://new")
    }),
  )

  it.scopedLive("is read by many at a time while it is opened anew, and opened once", () =>
    Effect.gen(function* () {
      const { filename, repo, fresh } = yield* fixture
      make(fresh, "http://new", "a")
      yield* noticing(repo, () => renameSync(filename, `${filename}.old`))
      copyFileSync(fresh, filename)
      yield* Effect.sleep(150)
      const urls = yield* Effect.all(
        Array.from({ length: 50 }, () => urlOf(repo, "a")),
        { concurrency: "unbounded" },
      )
      expect(new Set(urls)).toEqual(new Set(["http://new"]))
    }),
  )
})
