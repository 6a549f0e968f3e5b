import { beforeAll, describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Either, Layer, Logger } from "effect"
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { dirname } from "node:path"
import { activityFileOf, ActivityStore } from "../../src/sessions/ActivityStore.js"
import { neverActive } from "../../src/sessions/SessionActivity.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteActivityStore.js"
import "../support/KeptDatabases.js"
import { temporaryFile } from "./temporary.js"

// Permissions do not bind root: for good become somebody else. Each test file has a process of its own.
beforeAll(() => {
  if (process.getuid?.() !== 0) return
  new Sqlite(":memory:").close()
  process.setuid?.(65534)
})

const open = (sessions: string, readonly = false) =>
  Effect.map(Layer.build(layerSqlite({ sessions, readonly })), Context.get(ActivityStore))

const active = (sessionId: string, lastRequestAt = 1_000) =>
  ({ ...neverActive, sessionId, lastRequestAt, lastKind: "request" }) as const

/** A database of sessions that is not there, the file beside it, and the store in that. */
const lab = Effect.gen(function* () {
  const sessions = yield* temporaryFile("sessions.db")
  const file = activityFileOf(sessions)
  return { sessions, file, store: yield* open(sessions) }
})

/** What another program does to the file. */
const others = <A>(file: string, use: (database: Sqlite.Database) => A): Effect.Effect<A> =>
  Effect.sync(() => {
    const database = new Sqlite(file)
    try {
      return use(database)
    } finally {
      database.close()
    }
  })

const exec = (file: string, sql: string) => others(file, (database) => database.exec(sql))

const faultOf = <A, E>(effect: Effect.Effect<A, E>) => Effect.map(Effect.either(effect), Either.flip)

const problem = (problem: string) => Either.right(expect.objectContaining({ problem }))

const idsOf = (store: typeof ActivityStore.Service) =>
  Effect.map(store.page(""), (rows) => rows.map(({ sessionId }) => sessionId))

describe("a file of activity", () => {
  it.scopedLive("is never the database of sessions, by a link to it", () =>
    Effect.gen(function* () {
      const { file, sessions, store } = yield* lab
      yield* exec(sessions, "CREATE TABLE sessions (session_id TEXT)")
      symlinkSync(sessions, file)
      const isOther = problem(`${file} is the database of sessions itself`)
      expect(yield* faultOf(store.write([active("a")]))).toEqual(isOther)
      const tables = yield* others(sessions, (db) => db.prepare("SELECT name FROM sqlite_master").pluck().all())
      expect(tables).toEqual(["sessions"])
      rmSync(file)
      yield* store.write([active("a")])
      expect(yield* idsOf(store)).toEqual(["a"])
    }),
  )

  it.scopedLive("is none where a pipe is, which nobody waits for", () =>
    Effect.gen(function* () {
      const { file, sessions, store } = yield* lab
      execFileSync("mkfifo", ["-m", "444", file])
      const isNone = { problem: `${file} is not a file`, hint: expect.stringContaining("Move it away") }
      expect(yield* faultOf(store.write([active("a")]))).toMatchObject(Either.right(isNone))
      expect(yield* faultOf((yield* open(sessions, true)).find(["a"]))).toMatchObject(Either.right(isNone))
      rmSync(file)
      yield* store.write([active("a")])
      expect(yield* idsOf(store)).toEqual(["a"])
    }),
  )

  it.scopedLive("is there for other programs, which join it to the sessions", () =>
    Effect.gen(function* () {
      const { file, sessions, store } = yield* lab
      yield* store.write([active("a")])
      const found = yield* others(sessions, (database) => {
        database.exec(`ATTACH '${file}' AS activity`)
        return database.prepare("SELECT * FROM activity.session_activity").all()
      })
      const never = { last_client_at: null, last_server_at: null }
      expect(found).toEqual([{ session_id: "a", last_request_at: 1_000, ...never, last_kind: "request" }])
    }),
  )

  it.scopedLive("is kept when the store is closed, and leaves nothing beside itself", () =>
    Effect.gen(function* () {
      const sessions = yield* temporaryFile("sessions.db")
      const file = activityFileOf(sessions)
      yield* Effect.scoped(Effect.flatMap(open(sessions), (store) => store.write([active("a")])))
      expect([file, `${file}-wal`, `${file}-shm`].map((path) => existsSync(path))).toEqual([true, false, false])
      expect(yield* idsOf(yield* open(sessions, true))).toEqual(["a"])
    }),
  )

  it.scopedLive("is as secret as the file of the sessions", () =>
    Effect.gen(function* () {
      const sessions = yield* temporaryFile("sessions.db")
      writeFileSync(sessions, "")
      chmodSync(sessions, 0o620)
      const store = yield* open(sessions)
      yield* store.write([active("a")])
      const modes = ["", "-wal"].map((end) => statSync(activityFileOf(sessions) + end).mode & 0o777)
      expect(modes).toEqual([0o620, 0o620])
    }),
  )

  it.scopedLive("is shared by several programs, which agree on the later time", () =>
    Effect.gen(function* () {
      const { sessions, store } = yield* lab
      const other = yield* open(sessions)
      yield* Effect.all(
        [
          store.write(Array.from({ length: 3_000 }, (_, index) => active(`s${index}`, 10 + (index % 2)))),
          other.write(Array.from({ length: 3_000 }, (_, index) => active(`s${index}`, 11 - (index % 2)))),
        ],
        { concurrency: "unbounded" },
      )
      expect((yield* store.find(["s0", "s1"])).map(({ lastRequestAt }) => lastRequestAt)).toEqual([11, 11])
    }),
  )

  it.scopedLive("is missing for who only reads, who makes none", () =>
    Effect.gen(function* () {
      const sessions = yield* temporaryFile("sessions.db")
      const store = yield* open(sessions, true)
      expect(yield* faultOf(store.page(""))).toEqual(problem(`${activityFileOf(sessions)} does not exist`))
      expect(existsSync(activityFileOf(sessions))).toBe(false)
    }),
  )
})

describe("a file of activity that cannot be used", () => {
  it.scopedLive(
    "because another program holds a lock holds the event loop up for milliseconds, and is used again",
    () =>
      Effect.gen(function* () {
        const { file, store } = yield* lab
        yield* store.write([active("a")])
        const holder = new Sqlite(file)
        holder.exec("BEGIN IMMEDIATE")
        let last = performance.now()
        let longest = 0
        const ticks = setInterval(() => {
          longest = Math.max(longest, performance.now() - last)
          last = performance.now()
        }, 1)
        expect(yield* faultOf(store.write([active("b")]))).toEqual(problem(`${file} is locked by another program`))
        clearInterval(ticks)
        expect(longest).toBeLessThan(200)
        holder.exec("COMMIT")
        holder.close()
        yield* store.write([active("b")])
        expect(yield* idsOf(store)).toEqual(["a", "b"])
      }),
  )

  it.scopedLive("because it is garbage is left alone, and made anew once that is moved away", () =>
    Effect.gen(function* () {
      const { file, store } = yield* lab
      const garbage = "not a database, though long enough to be one\n".repeat(50)
      writeFileSync(file, garbage)
      for (const _ of [1, 2])
        expect(yield* faultOf(store.write([active("a")]))).toEqual(problem(`${file} is not an SQLite database`))
      expect(readFileSync(file, "utf8")).toBe(garbage)
      renameSync(file, `${file}.bad`)
      yield* store.write([active("a")])
      expect(yield* idsOf(store)).toEqual(["a"])
    }),
  )

  it.scopedLive("because it may only be read is used once it may be written", () =>
    Effect.gen(function* () {
      const { file, sessions } = yield* lab
      yield* Effect.scoped(Effect.flatMap(open(sessions), (store) => store.write([active("a")])))
      chmodSync(file, 0o444)
      const store = yield* open(sessions)
      expect(yield* faultOf(store.write([active("b")]))).toEqual(problem(`${file} is read-only`))
      chmodSync(file, 0o644)
      yield* store.write([active("b")])
      expect(yield* idsOf(store)).toEqual(["a", "b"])
    }),
  )

  it.scopedLive("because its folder may only be read is used once that may be written", () =>
    Effect.gen(function* () {
      const { file, store } = yield* lab
      chmodSync(dirname(file), 0o555)
      expect(yield* faultOf(store.write([active("a")]))).toEqual(problem(`the folder of ${file} is read-only`))
      chmodSync(dirname(file), 0o755)
      yield* store.write([active("a")])
      chmodSync(dirname(file), 0o555)
      yield* store.write([active("b")])
      chmodSync(dirname(file), 0o755)
      expect(yield* idsOf(store)).toEqual(["a", "b"])
    }),
  )

  it.scopedLive("because a folder stands there says so", () =>
    Effect.gen(function* () {
      const { file, store } = yield* lab
      mkdirSync(file)
      expect(yield* faultOf(store.write([active("a")]))).toEqual(problem(`${file} is a folder`))
    }),
  )

  it.scopedLive("because another program's table has its name is left alone", () =>
    Effect.gen(function* () {
      const { file, store } = yield* lab
      yield* exec(file, "CREATE TABLE session_activity (session_id TEXT, what TEXT NOT NULL)")
      const fault = `${file} holds a session_activity table that is not the proxy's`
      expect(yield* faultOf(store.write([active("a")]))).toEqual(problem(fault))
    }),
  )
})

describe("a change of a file of activity that is refused", () => {
  it.scopedLive("is undone, and in nobody's way", () =>
    Effect.gen(function* () {
      const { file, store } = yield* lab
      yield* store.write([active("a")])
      yield* exec(
        file,
        `CREATE TRIGGER rule BEFORE INSERT ON session_activity WHEN NEW.session_id = 'c'
          BEGIN SELECT RAISE(ABORT, 'not this one'); END`,
      )
      const fault = `${file} holds a session_activity table that is not the proxy's`
      // The refused one comes first: a slice that was whole before it would stay, on a machine that is busy.
      expect(yield* faultOf(store.write([active("c"), active("b")]))).toEqual(problem(fault))
      expect(yield* idsOf(store)).toEqual(["a"])
      yield* exec(file, "DROP TRIGGER rule")
      yield* store.write([active("b"), active("c")])
      expect(yield* idsOf(store)).toEqual(["a", "b", "c"])
    }),
  )
})

describe("a file of activity that changes under the store", () => {
  it.scoped("by being removed is made again, with one line about it", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const log = Logger.make(({ message }) => lines.push(String(message)))
      const { file, store } = yield* lab
      yield* store.write([active("a")])
      rmSync(file)
      yield* Effect.forEach([1, 2], () =>
        Effect.provide(store.write([active("b")]), Logger.replace(Logger.defaultLogger, log)),
      )
      expect(lines).toEqual([expect.stringContaining(`${file} was removed or replaced`)])
      const found = yield* others(file, (database) =>
        database.prepare("SELECT session_id FROM session_activity").pluck().all(),
      )
      expect(found).toEqual(["b"])
    }),
  )

  it.scopedLive("by an older or a newer version goes on, and nothing of it is lost", () =>
    Effect.gen(function* () {
      const { file, store } = yield* lab
      yield* exec(
        file,
        `CREATE TABLE session_activity (session_id TEXT PRIMARY KEY NOT NULL, last_request_at INTEGER, more TEXT);
         INSERT INTO session_activity VALUES ('a', 5, 'of a later version')`,
      )
      yield* store.write([active("a"), active("b")])
      expect((yield* store.find(["a"]))[0]).toEqual(active("a"))
      const more = yield* others(file, (database) =>
        database.prepare("SELECT more FROM session_activity").pluck().all(),
      )
      expect(more).toEqual(["of a later version", null])
    }),
  )

  it.scopedLive("by what is no time reads as never, and gives way to what is", () =>
    Effect.gen(function* () {
      const { file, store } = yield* lab
      yield* store.write([])
      const insert = "INSERT INTO session_activity VALUES"
      yield* exec(file, `${insert} ('a', 'soon', -5, 9000000000000000000, 'party'), ('b', x'00', 1.5, NULL, NULL)`)
      yield* exec(file, `${insert} (x'ff00', 1, 1, 1, 'request')`)
      expect(yield* store.page("")).toEqual([
        { ...neverActive, sessionId: "a" },
        { ...neverActive, sessionId: "b" },
      ])
      const now = Date.now()
      const row = {
        sessionId: "a",
        lastRequestAt: now,
        lastClientAt: now,
        lastServerAt: now,
        lastKind: "request",
      } as const
      yield* store.write([row, { ...row, sessionId: "b" }])
      expect(yield* store.find(["a", "b"])).toEqual([row, { ...row, sessionId: "b" }])
    }),
  )
})
