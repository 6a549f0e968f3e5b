import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Either, Exit, Layer, Option, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { defaultPolicy, readPolicy, type StoredPolicy } from "../../src/domain/SessionPolicy.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite, type SqliteOptions } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { fairNow } from "../support/FairClock.js"
import { temporaryFile } from "./temporary.js"

type Repo = typeof SessionRepo.Service

const alpha = { id: "alpha", url: "https://127.0.0.1:9001", status: "active" }
const strict = defaultPolicy

/** The schema as the Rust program makes it, with a session in it. */
const rustFile = `CREATE TABLE sessions (session_id TEXT PRIMARY KEY NOT NULL, downstream_server_url TEXT NOT NULL,
    downstream_server_status TEXT NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
  CREATE INDEX idx_session_status ON sessions(downstream_server_status);
  CREATE INDEX idx_created_at ON sessions(created_at);
  INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)
    VALUES ('alpha', '${alpha.url}', 'active');`

const sqlite3 = (filename: string, sql: string): string =>
  execFileSync("sqlite3", [filename, sql], { encoding: "utf8" })

const fileWith = (sql: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.tap(temporaryFile("sessions.db"), (filename) => Effect.sync(() => sqlite3(filename, sql)))

const open = (options: SqliteOptions) => Effect.map(Layer.build(layerSqlite(options)), Context.get(SessionRepo))

const policyOf = (repo: Repo, id = "alpha") => Effect.map(repo.find(id), (row) => Option.getOrThrow(row).session.policy)

const policiesIn = (filename: string): string =>
  sqlite3(filename, "SELECT session_id, insecure, ws_path FROM session_policies ORDER BY session_id")

describe("the table of policies", () => {
  it.scopedLive("is made beside that of the Rust program, which stays as it is", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustFile)
      const before = sqlite3(filename, ".schema sessions")
      const repo = yield* open({ filename })
      expect(yield* policyOf(repo)).toEqual(strict)
      expect(policiesIn(filename)).toBe("")
      expect(sqlite3(filename, ".schema sessions")).toBe(before)
    }),
  )

  it.scopedLive("is not needed: a file without it is read where nothing may be made in it", () =>
    Effect.gen(function* () {
      const repo = yield* open({ filename: yield* fileWith(rustFile), readonly: true })
      expect(yield* policyOf(repo)).toEqual(strict)
      expect((yield* repo.list).map(({ id, policy }) => [id, policy])).toEqual([["alpha", strict]])
    }),
  )

  it.scopedLive("is not waited for where a lock is in the way, and made by who stores the first policy", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustFile)
      const other = new Sqlite(filename)
      other.exec("BEGIN; SELECT count(*) FROM sessions")
      const startedAt = fairNow()
      const repo = yield* open({ filename })
      expect(fairNow() - startedAt).toBeLessThan(2_000)
      expect(yield* policyOf(repo)).toEqual(strict)
      other.close()
      expect((yield* repo.set("alpha", { policy: { wsPath: "full" } })).policy).toEqual({ ...strict, wsPath: "full" })
      expect(policiesIn(filename)).toBe("alpha||full\n")
    }),
  )

  it.scopedLive("may be dropped while the proxy runs, as by a backup of the Rust program that is restored", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = yield* open({ filename })
      yield* repo.add({ ...alpha, policy: { insecure: true } })
      expect(yield* policyOf(repo)).toEqual({ ...strict, insecure: true })
      sqlite3(filename, "DROP TABLE session_policies")
      expect(yield* policyOf(repo)).toEqual(strict)
      expect((yield* repo.list).map(({ policy }) => policy)).toEqual([strict])
      yield* repo.set("alpha", { policy: { wsPath: "strip" } })
      expect(yield* policyOf(repo)).toEqual({ ...strict, wsPath: "strip" })
    }),
  )

  it.scopedLive("gets the columns that a table of an earlier version lacks, also from two at the same time", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 10; round++) {
        const filename = yield* fileWith(`${rustFile}
          CREATE TABLE session_policies (session_id TEXT PRIMARY KEY NOT NULL, insecure INTEGER);
          INSERT INTO session_policies VALUES ('alpha', 1)`)
        const [repo] = yield* Effect.all([open({ filename }), open({ filename })], { concurrency: "unbounded" })
        expect(yield* policyOf(repo)).toEqual({ ...strict, insecure: true })
        yield* repo.set("alpha", { policy: { wsPath: "full" } })
        expect(policiesIn(filename)).toBe("alpha|1|full\n")
      }
    }),
  )

  it.scopedLive("is refused where it is another program's", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith("CREATE TABLE session_policies (name TEXT)")
      expect(yield* Effect.flip(open({ filename }))).toMatchObject({
        _tag: "StoreUnavailable",
        problem: `the session_policies table in ${filename} has other columns than the proxy's`,
      })
    }),
  )

  it.scopedLive("is a failure of the store where its columns go while the proxy runs", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustFile)
      const repo = yield* open({ filename })
      sqlite3(filename, "DROP TABLE session_policies; CREATE TABLE session_policies (session_id TEXT PRIMARY KEY)")
      const expected = { problem: `the session_policies table in ${filename} has other columns than the proxy's` }
      expect(yield* Effect.flip(repo.find("alpha"))).toMatchObject(expected)
      expect(yield* Effect.flip(repo.list)).toMatchObject(expected)
      expect(yield* Effect.flip(repo.set("alpha", { policy: { wsPath: "full" } }))).toMatchObject(expected)
    }),
  )
})

describe("policies that others write", () => {
  it.scopedLive("are a new version, and read with the row", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustFile)
      const repo = yield* open({ filename })
      let version = yield* repo.version()
      const changed = (sql: string, policy: StoredPolicy) =>
        Effect.gen(function* () {
          sqlite3(filename, sql)
          const next = yield* repo.version()
          expect(next).not.toBe(version)
          version = next
          expect(Exit.isExit(repo.find("alpha"))).toBe(true)
          expect(yield* policyOf(repo)).toEqual(policy)
        })
      const insert = "INSERT INTO session_policies (session_id, insecure) VALUES ('alpha', 1)"
      yield* changed(insert, { ...strict, insecure: true })
      yield* changed("UPDATE session_policies SET ws_path = 'strip'", { ...strict, insecure: true, wsPath: "strip" })
      yield* changed("UPDATE session_policies SET insecure = NULL", { ...strict, insecure: false, wsPath: "strip" })
      yield* changed("DELETE FROM session_policies", strict)
    }),
  )

  it.scopedLive("are as text where they mean nothing", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustFile)
      const repo = yield* open({ filename })
      sqlite3(filename, "INSERT INTO session_policies (session_id) VALUES ('alpha')")
      const cases: ReadonlyArray<readonly [set: string, policy: StoredPolicy, problem: string | undefined]> = [
        ["insecure = 0, ws_path = 'append'", { ...strict, insecure: false, wsPath: "append" }, undefined],
        ["insecure = '1', ws_path = NULL", { ...strict, insecure: true }, undefined],
        ["insecure = TRUE", { ...strict, insecure: true }, undefined],
        ["insecure = 2", { ...strict, insecure: "2", wsPath: null }, 'its insecure is "2"; it must be 0 or 1'],
        ["insecure = 'yes'", { ...strict, insecure: "yes", wsPath: null }, 'its insecure is "yes"; it must be 0 or 1'],
        ["insecure = x'00ff'", { ...strict, insecure: expect.any(String) as string, wsPath: null }, "its insecure is "],
        [
          "insecure = 0, ws_path = 'constructor'",
          { ...strict, insecure: false, wsPath: "constructor" },
          "its ws_path is ",
        ],
        [
          "ws_path = ''",
          { ...strict, insecure: false, wsPath: "" },
          'its ws_path is ""; it must be one of append, full, strip',
        ],
        ["ws_path = 'Strip'", { ...strict, insecure: false, wsPath: "Strip" }, 'its ws_path is "Strip"'],
        ["ws_path = 7", { ...strict, insecure: false, wsPath: "7" }, 'its ws_path is "7"'],
      ]
      for (const [assignment, expected, problem] of cases) {
        sqlite3(filename, `UPDATE session_policies SET ${assignment}`)
        const policy = yield* policyOf(repo)
        expect(policy, assignment).toEqual(expected)
        const said = Either.getOrUndefined(Either.flip(readPolicy(policy)))
        if (problem === undefined) expect(said, assignment).toBeUndefined()
        else expect(said, assignment).toContain(problem)
      }
    }),
  )

  it.scopedLive("do no harm without a session, and are not taken over by one that is added", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = yield* open({ filename })
      sqlite3(
        filename,
        "INSERT INTO session_policies (session_id, insecure, ws_path) VALUES ('alpha', 1, 'strip'), ('beta', 1, 'sideways')",
      )
      expect(yield* repo.list).toEqual([])
      expect(yield* repo.find("alpha")).toEqual(Option.none())
      expect((yield* repo.add(alpha)).policy).toEqual(strict)
      expect((yield* repo.put({ ...alpha, id: "beta" })).policy).toEqual(strict)
      expect(yield* policyOf(repo)).toEqual(strict)
      expect(policiesIn(filename)).toBe("")
    }),
  )

  it.scopedLive("may be there before the row of their session", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = yield* open({ filename })
      sqlite3(filename, "INSERT INTO session_policies (session_id, insecure, ws_path) VALUES ('alpha', 1, NULL)")
      sqlite3(
        filename,
        `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)
         VALUES ('alpha', '${alpha.url}', 'active')`,
      )
      expect(yield* policyOf(repo)).toEqual({ ...strict, insecure: true })
    }),
  )

  it.scopedLive("are those of the exact id", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustFile.replace("PRIMARY KEY", "PRIMARY KEY COLLATE NOCASE"))
      const repo = yield* open({ filename })
      sqlite3(filename, "INSERT INTO session_policies (session_id, insecure, ws_path) VALUES ('ALPHA', 1, 'strip')")
      expect(yield* policyOf(repo)).toEqual(strict)
    }),
  )

  it.scopedLive("go with the session that is removed, and not where it cannot be", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = yield* open({ filename })
      yield* repo.add({ ...alpha, policy: { insecure: true } })
      yield* repo.add({ ...alpha, id: "beta", policy: { wsPath: "full" } })
      yield* repo.remove("alpha")
      sqlite3(filename, "INSERT INTO session_policies (session_id, ws_path) VALUES ('nobody', 'full')")
      yield* Effect.flip(repo.remove("nobody"))
      expect(policiesIn(filename)).toBe("beta||full\nnobody||full\n")
    }),
  )
})

describe("a change of session and policy", () => {
  it.scopedLive("is one: where the policy cannot be written, the session is not", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = yield* open({ filename })
      yield* repo.add({ ...alpha, policy: { wsPath: "full" } })
      const refuse = (what: string) =>
        sqlite3(
          filename,
          `DROP TRIGGER IF EXISTS refuse; CREATE TRIGGER refuse BEFORE ${what} ON session_policies
             BEGIN SELECT RAISE(ABORT, 'not today'); END`,
        )
      const refused = <E>(change: Effect.Effect<unknown, E>) =>
        Effect.map(Effect.flip(change), (error) => expect(error).toMatchObject({ _tag: "StoreUnavailable" }))
      const rows = () => sqlite3(filename, "SELECT session_id, downstream_server_url FROM sessions")
      const before = [rows(), policiesIn(filename)]
      refuse("INSERT")
      const beta = { ...alpha, id: "beta", policy: { insecure: true } }
      const moved = { ...alpha, url: "https://elsewhere", policy: { insecure: true } }
      yield* refused(repo.add(beta))
      yield* refused(repo.put(moved))
      yield* refused(repo.set("alpha", moved))
      refuse("DELETE")
      yield* refused(repo.put({ ...alpha, url: "https://elsewhere" }))
      yield* refused(repo.remove("alpha"))
      expect([rows(), policiesIn(filename)]).toEqual(before)
    }),
  )

  it.scopedLive("waits for a lock to go, and is undone as a whole where it stays", () =>
    Effect.gen(function* () {
      const filename = yield* fileWith(rustFile)
      const repo = yield* open({ filename })
      const other = new Sqlite(filename)
      other.exec("BEGIN IMMEDIATE")
      const refused = yield* Effect.flip(repo.add({ ...alpha, id: "beta", policy: { insecure: true } }))
      expect(refused).toMatchObject({ problem: `${filename} is locked by another program` })
      other.exec("COMMIT")
      expect(policiesIn(filename)).toBe("")
      other.exec("BEGIN IMMEDIATE")
      yield* Effect.fork(
        Effect.delay(
          Effect.sync(() => other.exec("COMMIT")),
          100,
        ),
      )
      yield* repo.add({ ...alpha, id: "beta", policy: { insecure: true } })
      other.close()
      expect(policiesIn(filename)).toBe("beta|1|\n")
    }),
  )
})
