import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { defaultClose, drainOf, isUnusable, noControl, type StoredControl } from "../../src/domain/SessionControl.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite, type SqliteOptions } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { fairNow } from "../support/FairClock.js"
import { temporaryFile } from "./temporary.js"

type Repo = typeof SessionRepo.Service

const alpha = { id: "alpha", url: "http://127.0.0.1:9001", status: "active" }

const open = (options: SqliteOptions) => Effect.map(Layer.build(layerSqlite(options)), Context.get(SessionRepo))

/** Runs SQL in a file, as another program does. */
const run = (filename: string, statements: string): void => {
  const database = new Sqlite(filename, { timeout: 5_000 })
  try {
    database.exec(statements)
  } finally {
    database.close()
  }
}

const fileWithAlpha: Effect.Effect<readonly [string, Repo], unknown, Scope.Scope> = Effect.gen(function* () {
  const filename = yield* temporaryFile("sessions.db")
  const repo = yield* open({ filename })
  yield* repo.add(alpha)
  return [filename, repo] as const
})

const controlOf = (repo: Repo): Effect.Effect<StoredControl, unknown> =>
  Effect.map(repo.find("alpha"), (row) => Option.getOrThrow(row).session.control)

/** As docs/DATABASE.md tells. */
const drainBySql = `INSERT INTO session_control (session_id, drain_since, drain_until)
  VALUES ('alpha', unixepoch() * 1000, (unixepoch() + 30) * 1000)
  ON CONFLICT (session_id) DO UPDATE SET drain_since = excluded.drain_since, drain_until = excluded.drain_until`
const killBySql = `INSERT INTO session_control (session_id, kills, kill_code, kill_reason) VALUES ('alpha', 1, 4001, 'moved')
  ON CONFLICT (session_id) DO UPDATE SET kills = ifnull(kills, 0) + 1, kill_code = excluded.kill_code,
  kill_reason = excluded.kill_reason`

const insertAlpha = (createdAt: string) =>
  `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status, created_at)
     VALUES ('alpha', '${alpha.url}', 'active', ${createdAt});`

describe("what is asked of a session by SQL", () => {
  it.scopedLive("is a new version, and read with the row", () =>
    Effect.gen(function* () {
      const [filename, repo] = yield* fileWithAlpha
      const version = yield* repo.version()
      run(filename, drainBySql)
      expect(yield* repo.version()).not.toBe(version)
      const { since = 0, until = 0 } = drainOf(yield* controlOf(repo)) ?? {}
      expect(until - since).toBe(30_000)
      run(filename, killBySql)
      expect(yield* controlOf(repo)).toEqual({
        kills: 1,
        close: { code: 4_001, reason: "moved" },
        drain: { since, until },
      })
      run(filename, killBySql)
      expect(yield* controlOf(repo)).toMatchObject({ kills: 2 })
      const { kills } = (yield* repo.kill("alpha")).control
      expect(kills).toBeGreaterThan(2)
      run(filename, killBySql)
      expect(yield* controlOf(repo)).toMatchObject({ kills: kills + 1 })
      yield* repo.resume("alpha")
      expect(drainOf(yield* controlOf(repo))).toBeUndefined()
      run(filename, "DELETE FROM session_control")
      expect(yield* controlOf(repo)).toEqual(noControl)
    }),
  )

  it.scopedLive("may be NULL everywhere, and is nothing then", () =>
    Effect.gen(function* () {
      const [filename, repo] = yield* fileWithAlpha
      run(filename, "INSERT INTO session_control (session_id) VALUES ('alpha')")
      expect(yield* controlOf(repo)).toEqual(noControl)
    }),
  )

  it.scopedLive("says which value cannot be used; the commands write usable ones over it", () =>
    Effect.gen(function* () {
      const [filename, repo] = yield* fileWithAlpha
      run(filename, "INSERT INTO session_control (session_id) VALUES ('alpha')")
      const now = Date.now()
      const cases: ReadonlyArray<readonly [assignments: string, problem: string]> = [
        ["kills = 'x'", 'its kills is "x"; it must be a whole number, or NULL'],
        ["kills = -1", 'its kills is "-1"'],
        ["kills = 9223372036854775807", 'its kills is "9223372036854775807"'],
        ["kills = 1.5", 'its kills is "1.5"'],
        ["kills = x'00ff'", "its kills is "],
        [
          "kill_code = 1000",
          'its kill_code is "1000"; it must be 1001, 1008, 1012, or a number from 4000 to 4999, or NULL',
        ],
        ["kill_code = 'bye'", 'its kill_code is "bye"'],
        ["kill_reason = printf('%101s', '')", "it must be a text of at most 100 bytes, or NULL"],
        [`drain_since = ${now}`, "its drain_until is NULL; it must be a time in milliseconds since 1970"],
        [`drain_until = ${now}`, "its drain_since is NULL"],
        ["drain_since = unixepoch(), drain_until = unixepoch() + 30", "it must be a time in milliseconds since 1970"],
        ["drain_since = 'today', drain_until = 'tomorrow'", 'its drain_since is "today"'],
        [`drain_since = ${now}, drain_until = 9e18`, "its drain_until is "],
      ]
      for (const [assignments, problem] of cases) {
        run(filename, "DELETE FROM session_control; INSERT INTO session_control (session_id) VALUES ('alpha')")
        run(filename, `UPDATE session_control SET ${assignments}`)
        const control = yield* controlOf(repo)
        expect(isUnusable(control) ? control.problem : control, assignments).toContain(problem)
        expect(isUnusable((yield* repo.list)[0]?.control ?? noControl), assignments).toBe(true)
        yield* repo.resume("alpha")
        expect((yield* repo.kill("alpha")).control, assignments).toMatchObject({
          close: defaultClose,
          drain: undefined,
        })
      }
    }),
  )

  it.scopedLive("does no harm without a session, and goes with the one that is removed", () =>
    Effect.gen(function* () {
      const [filename, repo] = yield* fileWithAlpha
      yield* repo.drain("alpha", 30_000)
      yield* repo.remove("alpha")
      run(filename, drainBySql)
      expect(yield* repo.find("alpha")).toEqual(Option.none())
      expect((yield* repo.add(alpha)).control).toEqual(noControl)
      expect(yield* controlOf(repo)).toEqual(noControl)
    }),
  )

  it.scopedLive("is not asked of a session that was inserted later under the same id", () =>
    Effect.gen(function* () {
      const [filename, repo] = yield* fileWithAlpha
      run(filename, drainBySql)
      expect(drainOf(yield* controlOf(repo))).toBeDefined()
      run(filename, `DELETE FROM sessions; ${insertAlpha("datetime('now', '+2 seconds')")}`)
      expect(yield* controlOf(repo)).toEqual(noControl)
      // A session that does not say when it was inserted may be the same one.
      run(filename, "UPDATE sessions SET created_at = NULL")
      expect(drainOf(yield* controlOf(repo))).toBeDefined()
    }),
  )
})

describe("a drain", () => {
  it.scopedLive("holds where the clock was set back behind the time of its session, and is not longer for it", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile("sessions.db")
      const repo = yield* open({ filename })
      run(filename, insertAlpha("datetime('now', '+1 hour')"))
      const { since = 0, until = 0 } = drainOf((yield* repo.drain("alpha", 2_000)).control) ?? {}
      expect(since).toBeGreaterThan(Date.now())
      expect(until - since).toBe(2_000)
    }),
  )
})

describe("a file without the table of what was asked of sessions", () => {
  const without = Effect.tap(fileWithAlpha, ([filename, repo]) =>
    Effect.tap(repo.set("alpha", { policy: { wsPath: "strip" } }), () => run(filename, "DROP TABLE session_control")),
  )

  it.scopedLive("is read with its policies, and the table is made by who asks something", () =>
    Effect.gen(function* () {
      const [, repo] = yield* without
      const { control, policy } = Option.getOrThrow(yield* repo.find("alpha")).session
      expect(policy.wsPath).toBe("strip")
      expect(control).toEqual(noControl)
      expect(yield* repo.list).toHaveLength(1)
      expect(drainOf((yield* repo.drain("alpha", 1_000)).control)).toBeDefined()
      expect(drainOf(yield* controlOf(repo))).toBeDefined()
    }),
  )

  it.scopedLive("is read where nothing may be made in it, and where it lacks policies, too", () =>
    Effect.gen(function* () {
      const [filename] = yield* without
      run(filename, "DROP TABLE session_policies")
      const repo = yield* open({ filename, readonly: true })
      expect(yield* controlOf(repo)).toEqual(noControl)
      expect(yield* repo.list).toHaveLength(1)
    }),
  )

  it.scopedLive("is read with what was asked where only policies are missing", () =>
    Effect.gen(function* () {
      const [filename, repo] = yield* fileWithAlpha
      yield* repo.drain("alpha", 1_000)
      run(filename, "DROP TABLE session_policies")
      expect(drainOf(yield* controlOf(repo))).toBeDefined()
      expect(drainOf((yield* repo.list)[0]?.control ?? noControl)).toBeDefined()
    }),
  )

  it.scopedLive("is not waited for where it is locked", () =>
    Effect.gen(function* () {
      const [filename] = yield* without
      const other = new Sqlite(filename)
      other.exec("BEGIN IMMEDIATE")
      const startedAt = fairNow()
      const repo = yield* open({ filename })
      expect(fairNow() - startedAt).toBeLessThan(2_000)
      expect(yield* controlOf(repo)).toEqual(noControl)
      other.close()
    }),
  )

  it.scopedLive("is refused where another program's table has its name", () =>
    Effect.gen(function* () {
      const [filename] = yield* without
      run(filename, "CREATE TABLE session_control (name TEXT)")
      expect(yield* Effect.flip(open({ filename }))).toMatchObject({
        _tag: "StoreUnavailable",
        problem: `the session_control table in ${filename} has other columns than the proxy's`,
      })
    }),
  )
})
