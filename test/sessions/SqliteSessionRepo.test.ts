import { describe, expect, it } from "@effect/vitest"
import { SqlError } from "@effect/sql/SqlError"
import Sqlite from "better-sqlite3"
import { Context, Effect, Exit, Layer, Option, type Scope } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { storeFault } from "../../src/sessions/sqlite/SqliteFault.js"
import { layerSqlite, type SqliteOptions } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile, temporaryFolder } from "./temporary.js"

const alpha = { id: "alpha", url: "http://127.0.0.1:9001", status: "active" }

/** The schema as the program that ss-proxy replaces makes it. */
const rustSchema = `
  CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY NOT NULL,
    downstream_server_url TEXT NOT NULL,
    downstream_server_status TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
  CREATE INDEX IF NOT EXISTS idx_session_status ON sessions(downstream_server_status);
  CREATE INDEX IF NOT EXISTS idx_created_at ON sessions(created_at);`

const insert = (id: string, url: string) =>
  `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES ('${id}', '${url}', 'active');`

/** Runs SQL as an operator would, in a process of its own. */
const sqlite3 = (filename: string, sql: string): string =>
  execFileSync("sqlite3", [filename, sql], { encoding: "utf8" })

/** A file with this content, made by the command line tool. */
const fileWith = (sql: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.tap(temporaryFile("sessions.db"), (filename) => Effect.sync(() => sqlite3(filename, sql)))

const open = (options: SqliteOptions) => Effect.map(Layer.build(layerSqlite(options)), Context.get(SessionRepo))

/** Why the file cannot be opened. */
const refusal = (options: SqliteOptions) => Effect.flip(open(options))

/** Another program's connection. */
const connection = (filename: string): Effect.Effect<Sqlite.Database, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Sqlite(filename)),
    (database) => Effect.sync(() => database.close()),
  )

const urlOf = (repo: typeof SessionRepo.Service, id: string) =>
  Effect.map(repo.find(id), (row) => Option.getOrUndefined(row)?.session.url)

/** The longest time that the event loop did not turn, in milliseconds, while the effect ran. */
const longestStall = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    yield* Effect.ensuring(
      effect,
      Effect.sync(() => clearInterval(timer)),
    )
    return Math.max(longest, performance.now() - last)
  })

describe("a new file", () => {
  it.scopedLive("gets the schema that every program knows, and can be read by them", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = yield* open({ filename })
      yield* repo.add(alpha)
      expect(
        sqlite3(filename, "SELECT session_id, downstream_server_url, downstream_server_status FROM sessions"),
      ).toBe("alpha|http://127.0.0.1:9001|active\n")
      const describeSchema = (file: string) =>
        sqlite3(
          file,
          `SELECT * FROM pragma_table_info('sessions');
           SELECT name, tbl_name FROM sqlite_master WHERE tbl_name = 'sessions' ORDER BY name`,
        )
      expect(describeSchema(filename)).toBe(describeSchema(yield* fileWith(rustSchema)))
    }),
  )

  it.scopedLive("is taken when it is there and empty", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      writeFileSync(filename, "")
      const repo = yield* open({ filename })
      expect(yield* repo.add(alpha)).toMatchObject(alpha)
    }),
  )

  it.scopedLive("is closed with the scope, and leaves no journal behind", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      yield* Effect.scoped(Effect.flatMap(open({ filename }), (repo) => repo.add(alpha)))
      expect(existsSync(`${filename}-wal`)).toBe(false)
      expect(sqlite3(filename, "PRAGMA journal_mode = DELETE")).toBe("delete\n")
    }),
  )

  it.scopedLive("may be made by two at the same time", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      // The other one is a process: it makes the same tables in a tight race with us, again and again.
      const script = `for i in $(seq 20); do printf '.timeout 5000\\n%s' "$2" | sqlite3 "$1-$i" || exit 1; done`
      const racer = spawn("sh", ["-c", script, "sh", filename, `PRAGMA journal_mode = WAL; ${rustSchema}`])
      const exited = once(racer, "exit")
      for (let i = 1; i <= 20; i++)
        yield* Effect.all([open({ filename: `${filename}-${i}` }), open({ filename: `${filename}-${i}` })], {
          concurrency: "unbounded",
        })
      expect(yield* Effect.promise(() => exited)).toEqual([0, null])
    }),
  )
})

describe.each(["DELETE", "WAL"])("a file of the Rust program (%s journal)", (journal) => {
  const file = fileWith(`PRAGMA journal_mode = ${journal}; ${rustSchema} ${insert("alpha", alpha.url)}`)

  it.scopedLive("is used as it is", () =>
    Effect.gen(function* () {
      const repo = yield* open({ filename: yield* file })
      expect(yield* urlOf(repo, "alpha")).toBe(alpha.url)
      expect((yield* repo.list).map(({ id }) => id)).toEqual(["alpha"])
      expect(yield* repo.set("alpha", { status: "ready" })).toMatchObject({ status: "ready" })
    }),
  )

  it.scopedLive("is listed without a change when it is opened for reading", () =>
    Effect.gen(function* () {
      const filename = yield* file
      const before = statSync(filename)
      const repo = yield* open({ filename, readonly: true })
      expect((yield* repo.list).map(({ id }) => id)).toEqual(["alpha"])
      expect(statSync(filename).mtimeMs).toBe(before.mtimeMs)
      expect(sqlite3(filename, "PRAGMA journal_mode")).toBe(`${journal.toLowerCase()}\n`)
      const refused = yield* Effect.flip(repo.add({ ...alpha, id: "beta" }))
      expect(refused).toMatchObject({ _tag: "StoreUnavailable", problem: `${filename} cannot be written` })
    }),
  )

  it.scopedLive("shows what others commit: the command line, and a program that keeps it open", () =>
    Effect.gen(function* () {
      const filename = yield* file
      const other = yield* connection(filename)
      other.prepare("SELECT * FROM sessions").all()
      const repo = yield* open({ filename })
      const versions = new Set([yield* repo.version()])
      sqlite3(filename, insert("beta", "http://127.0.0.1:9002"))
      versions.add(yield* repo.version())
      expect(yield* urlOf(repo, "beta")).toBe("http://127.0.0.1:9002")
      other.exec(insert("gamma", "http://127.0.0.1:9003"))
      versions.add(yield* repo.version())
      expect(yield* urlOf(repo, "gamma")).toBe("http://127.0.0.1:9003")
      other.exec("BEGIN; DELETE FROM sessions WHERE session_id = 'beta'")
      expect(versions.has(yield* repo.version())).toBe(true)
      expect(yield* urlOf(repo, "beta")).toBe("http://127.0.0.1:9002")
      other.exec("COMMIT")
      versions.add(yield* repo.version())
      expect(yield* urlOf(repo, "beta")).toBeUndefined()
      expect(versions.size).toBe(4)
    }),
  )
})

describe("rows put in by hand", () => {
  const oddTable = `CREATE TABLE sessions (session_id TEXT PRIMARY KEY, downstream_server_url, downstream_server_status,
    created_at, updated_at, note TEXT, weight INTEGER NOT NULL DEFAULT 1);`

  it.scopedLive("are read as text, whatever type they have", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(`${oddTable}
        INSERT INTO sessions VALUES ('number', 42, 1.5, 7, x'ff00', NULL, 1), ('null', NULL, NULL, NULL, NULL, 'n', 1),
          ('blob', x'687474703a2f2f68', x'', 'yesterday', 1e300, NULL, 1), (NULL, 'nobody', 'active', 1, 1, NULL, 1),
          (7, 'seven', 'active', 1, 1, NULL, 1)`)
      const repo = yield* open({ filename })
      expect(yield* urlOf(repo, "number")).toBe("42")
      expect(yield* urlOf(repo, "null")).toBe("")
      expect(yield* urlOf(repo, "blob")).toBe("http://h")
      expect(yield* urlOf(repo, "7")).toBe("seven")
      const types = (yield* repo.list).flatMap(({ id, url, status }) => [typeof id, typeof url, typeof status])
      expect(new Set(types)).toEqual(new Set(["string"]))
      expect(yield* repo.add(alpha)).toMatchObject(alpha)
      expect(yield* repo.set("null", { url: "http://h" })).toMatchObject({ url: "http://h", status: "" })
    }),
  )

  it.scopedLive("are found by their exact id only", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(oddTable.replace("PRIMARY KEY", "PRIMARY KEY COLLATE NOCASE"))
      const repo = yield* open({ filename })
      yield* repo.add(alpha)
      expect(yield* urlOf(repo, "ALPHA")).toBeUndefined()
      expect(yield* urlOf(repo, "alpha")).toBe(alpha.url)
    }),
  )
})

describe("a database that cannot be used is refused with its name and what to do", () => {
  const cases: Record<string, { readonly given: (file: string) => void; readonly problem: (file: string) => string }> =
    {
      "a text file": {
        given: (file) =>
          writeFileSync(file, "not a database, but a text that is long enough to be looked at\n".repeat(40)),
        problem: (file) => `${file} is not an SQLite database`,
      },
      "a folder": { given: (file) => mkdirSync(file), problem: (file) => `${file} is a folder` },
      "a table with other columns": {
        given: (file) =>
          sqlite3(file, "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, url TEXT, created_at, updated_at)"),
        problem: (file) =>
          `the sessions table in ${file} lacks the column downstream_server_url, downstream_server_status`,
      },
      "a table with a column that must be given": {
        given: (file) =>
          sqlite3(
            file,
            `${rustSchema} DROP TABLE sessions; ${rustSchema.replace("updated_at", "owner TEXT NOT NULL, updated_at")}`,
          ),
        problem: (file) => `the sessions table in ${file} demands a value for the column owner`,
      },
      "a view": {
        given: (file) => sqlite3(file, "CREATE TABLE t (a); CREATE VIEW sessions AS SELECT a AS session_id FROM t"),
        problem: (file) =>
          `the sessions table in ${file} is not an ordinary table (it is a view, virtual, or WITHOUT ROWID)`,
      },
    }

  it.scopedLive.each(Object.entries(cases))("%s", ([_name, { given, problem }]) =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      given(filename)
      const error = yield* refusal({ filename })
      expect(error._tag).toBe("StoreUnavailable")
      expect(error.problem).toBe(problem(filename))
      expect(error.hint).toMatch(/^[A-Z].*\.$/)
    }),
  )

  it.scopedLive("a folder that is missing, a file that is missing where it may not be made, no file", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const lost = join(folder, "lost", "sessions.db")
      expect((yield* refusal({ filename: lost })).problem).toBe(`the folder of ${lost} does not exist`)
      const missing = join(folder, "sessions.db")
      expect((yield* refusal({ filename: missing, readonly: true })).problem).toBe(`${missing} does not exist`)
      expect(existsSync(missing)).toBe(false)
      writeFileSync(missing, "")
      expect((yield* refusal({ filename: missing, readonly: true })).problem).toBe(`${missing} holds no sessions table`)
      expect((yield* refusal({ filename: ":memory:" })).problem).toBe('":memory:" is not a file')
    }),
  )

  it.scopedLive("one that stays locked, after a while in which everything else goes on", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustSchema)
      const other = yield* connection(filename)
      other.exec("BEGIN EXCLUSIVE")
      const startedAt = performance.now()
      const stall = yield* longestStall(
        Effect.map(refusal({ filename }), (error) =>
          expect(error.problem).toBe(`${filename} is locked by another program`),
        ),
      )
      expect(performance.now() - startedAt).toBeGreaterThan(4_000)
      expect(performance.now() - startedAt).toBeLessThan(7_000)
      expect(stall).toBeLessThan(500)
    }),
  )
})

describe("while it runs", () => {
  it.scopedLive("a start and a write wait for a lock to go", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(`${rustSchema} ${insert("alpha", alpha.url)}`)
      const other = yield* connection(filename)
      other.exec("BEGIN EXCLUSIVE")
      yield* Effect.fork(
        Effect.delay(
          Effect.sync(() => other.exec("COMMIT")),
          150,
        ),
      )
      const repo = yield* open({ filename })
      expect(yield* urlOf(repo, "alpha")).toBe(alpha.url)
      other.exec("BEGIN IMMEDIATE")
      yield* Effect.fork(
        Effect.delay(
          Effect.sync(() => other.exec("COMMIT")),
          150,
        ),
      )
      expect(yield* repo.set("alpha", { status: "ready" })).toMatchObject({ status: "ready" })
    }),
  )

  it.scopedLive("a lock that keeps readers out is no new version, and a failure only when it stays", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(`${rustSchema} ${insert("alpha", alpha.url)}`)
      // A transaction that reads keeps the file in its old journal mode, in which a writer shuts readers out.
      const other = yield* connection(filename)
      other.exec("BEGIN; SELECT count(*) FROM sessions")
      const repo = yield* open({ filename })
      other.exec("COMMIT")
      const version = yield* repo.version()
      other.exec("BEGIN EXCLUSIVE")
      expect(repo.version()).toEqual(Exit.succeed(version))
      const reading = repo.find("alpha")
      expect(Exit.isExit(reading)).toBe(false)
      expect(yield* Effect.flip(reading)).toMatchObject({ problem: `${filename} is locked by another program` })
      yield* Effect.fork(
        Effect.delay(
          Effect.sync(() => other.exec("COMMIT")),
          50,
        ),
      )
      expect(yield* urlOf(repo, "alpha")).toBe(alpha.url)
    }),
  )

  it.scopedLive("a table that is dropped is a failure until it is back", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(`${rustSchema} ${insert("alpha", alpha.url)}`)
      const repo = yield* open({ filename })
      yield* repo.find("alpha")
      const version = yield* repo.version()
      sqlite3(filename, "DROP TABLE sessions")
      expect(yield* repo.version()).not.toBe(version)
      const expected = { _tag: "StoreUnavailable", problem: `${filename} has no sessions table any more` }
      expect(yield* Effect.flip(repo.find("alpha"))).toMatchObject(expected)
      expect(yield* Effect.flip(repo.findMany(["alpha"]))).toMatchObject(expected)
      expect(yield* Effect.flip(repo.list)).toMatchObject(expected)
      expect(yield* Effect.flip(repo.add(alpha))).toMatchObject(expected)
      sqlite3(filename, "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, url TEXT)")
      expect(yield* Effect.flip(repo.find("alpha"))).toMatchObject({
        problem: `the sessions table in ${filename} has other columns than the proxy's`,
      })
      sqlite3(filename, `DROP TABLE sessions; ${rustSchema} ${insert("alpha", "http://back")}`)
      expect(yield* urlOf(repo, "alpha")).toBe("http://back")
      expect(yield* repo.add({ ...alpha, id: "beta" })).toMatchObject({ id: "beta" })
    }),
  )

  it.each([
    ["SQLITE_FULL", "FILE cannot grow: the disk is full"],
    ["SQLITE_IOERR_WRITE", "FILE cannot be read or written (I/O error)"],
    ["SQLITE_CORRUPT_INDEX", "FILE is damaged"],
    ["SQLITE_NOLFS", "FILE cannot be used (SQLITE_NOLFS)"],
  ])("%s is put in an operator's words", (code, problem) => {
    expect(storeFault("FILE")(new Sqlite.SqliteError("SELECT secret", code))).toMatchObject({ problem })
  })

  it.each([
    [
      Object.assign(new Error("compiled against a different Node.js version"), { code: "ERR_DLOPEN_FAILED" }),
      `better-sqlite3, which reads the database, was not built for this Node (${process.version})`,
    ],
    [
      new Error("Could not locate the bindings file. Tried: /a/secret/path"),
      "better-sqlite3, which reads the database, was not built",
    ],
  ])("a driver that cannot be loaded is told from a file that cannot be used: $code", (error, problem) => {
    expect(storeFault("FILE")(new SqlError({ cause: error }))).toMatchObject({
      problem,
      hint: expect.stringContaining("npm rebuild better-sqlite3"),
    })
  })

  it.scopedLive("two writers that never pause both get through", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const [one, two] = [yield* open({ filename }), yield* open({ filename })]
      const fill = (repo: typeof SessionRepo.Service, prefix: string) =>
        Effect.forEach(Array.from({ length: 100 }), (_, i) => repo.add({ ...alpha, id: `${prefix}${i}` }))
      yield* Effect.all([fill(one, "a"), fill(two, "b")], { concurrency: "unbounded" })
      expect(yield* one.list).toHaveLength(200)
    }),
  )
})
