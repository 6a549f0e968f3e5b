import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Layer, type Scope } from "effect"
import { policies } from "../../src/domain/Policies.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { runProgram } from "../cli/Program.js"
import { temporaryFile } from "./temporary.js"

const open = (filename: string) => Effect.map(Layer.build(layerSqlite({ filename })), Context.get(SessionRepo))

/** Runs SQL in a file, as another program does, and gives what the last statement finds. */
const sql = (filename: string, ...statements: ReadonlyArray<string>): ReadonlyArray<unknown> => {
  const database = new Sqlite(filename, { timeout: 5_000 })
  try {
    const last = statements.at(-1) ?? ""
    for (const statement of statements.slice(0, -1)) database.exec(statement)
    const prepared = database.prepare(last)
    return prepared.reader ? prepared.all() : [prepared.run().changes]
  } finally {
    database.close()
  }
}

const columns = Object.values(policies).map(({ column, columnType }) => `${column} ${columnType}`)
const latest = columns.length + 1
/** The table of what was asked of sessions has numbers of its own. */
const control = ["session_id", "kills", "kill_code", "kill_reason", "drain_since", "drain_until"]
const applied = [...Array.from({ length: latest }, (_, at) => at + 1), 101]

const sessions = `CREATE TABLE sessions (session_id TEXT PRIMARY KEY NOT NULL, downstream_server_url TEXT NOT NULL,
    downstream_server_status TEXT NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
  INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES ('a', 'http://h', 'active');`

const policyTable = (count: number) =>
  `CREATE TABLE session_policies (${["session_id TEXT PRIMARY KEY NOT NULL", ...columns.slice(0, count)].join(", ")});
   INSERT INTO session_policies (session_id) VALUES ('a');`

const versions = (upTo: number) =>
  `CREATE TABLE ss_proxy_migrations (version INTEGER PRIMARY KEY NOT NULL,
     applied_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
   ${Array.from({ length: upTo }, (_, at) => `INSERT INTO ss_proxy_migrations VALUES (${at + 1}, 'then');`).join("\n")}`

/** Every shape of the proxy's own tables that a file may have. */
const shapes: ReadonlyArray<readonly [name: string, made: string]> = [
  ["the Rust program", ""],
  ["the first version that had policies, before versions were kept", policyTable(2)],
  ["a version before that, of which nothing is kept", policyTable(1)],
  ...columns.map((_, count) => [`version ${count + 1}`, policyTable(count) + versions(count + 1)] as const),
  [`version ${latest}, the present one`, policyTable(columns.length) + versions(latest)],
  ["the present version, whose table was dropped", versions(latest)],
  [
    "the present version, whose table of what was asked of sessions lacks columns",
    `${policyTable(columns.length)}${versions(latest)}CREATE TABLE session_control (session_id TEXT PRIMARY KEY NOT NULL,
       kills INTEGER, drain_until INTEGER); INSERT INTO ss_proxy_migrations VALUES (101, 'then');`,
  ],
  ["the present version, with a table of an earlier one in its place", policyTable(1) + versions(latest)],
]

const fileOf = (made: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.tap(temporaryFile("sessions.db"), (filename) => Effect.sync(() => sql(filename, sessions + made, "SELECT 1")))

const names = (filename: string, table: string) =>
  sql(filename, `SELECT name FROM pragma_table_info('${table}')`).map(
    (row) => Reflect.get(Object(row), "name") as unknown,
  )

const schemaOf = (filename: string, table: string) =>
  sql(filename, `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = '${table}'`)

const stateOf = (filename: string) => ({
  columns: names(filename, "session_policies"),
  control: names(filename, "session_control").map(String).toSorted(),
  versions: sql(filename, "SELECT version, applied_at FROM ss_proxy_migrations ORDER BY version"),
})

describe.each(shapes)("a file of %s", (_, made) => {
  it.scopedLive("is brought to this version once, by whichever of several that start at the same time", () =>
    Effect.gen(function* () {
      const filename = yield* fileOf(made)
      const before = schemaOf(filename, "sessions")
      const repos = yield* Effect.all(
        Array.from({ length: 5 }, () => open(filename)),
        { concurrency: "unbounded" },
      )
      const after = stateOf(filename)
      expect(after.columns).toEqual(["session_id", ...Object.values(policies).map(({ column }) => column)])
      expect(after.control).toEqual(control.toSorted())
      expect(after.versions.map((row) => Reflect.get(Object(row), "version") as unknown)).toEqual(applied)
      expect(schemaOf(filename, "sessions")).toEqual(before)
      for (const repo of repos) {
        const changed = yield* repo.set("a", { policy: { insecure: true, wsPath: "full" } })
        expect(changed.policy).toMatchObject({ insecure: true, wsPath: "full" })
        expect((yield* repo.kill("a", { code: 4_000 })).control).toMatchObject({ close: { code: 4_000 } })
      }
      yield* open(filename)
      expect(stateOf(filename)).toEqual(after)
    }),
  )
})

describe("a file of this version", () => {
  it.scopedLive("is not written to by a program that starts", () =>
    Effect.gen(function* () {
      const filename = yield* fileOf("")
      yield* open(filename)
      const watcher = new Sqlite(filename)
      const version = () => watcher.pragma("data_version", { simple: true })
      const before = version()
      yield* open(filename)
      expect(version()).toBe(before)
      watcher.close()
    }),
  )

  it.scopedLive("is good for a program of an earlier version, and for the Rust program", () =>
    Effect.gen(function* () {
      const filename = yield* fileOf("")
      const repo = yield* open(filename)
      // What these programs say to the file.
      sql(
        filename,
        "CREATE TABLE IF NOT EXISTS session_policies (session_id TEXT PRIMARY KEY NOT NULL, insecure INTEGER, ws_path TEXT)",
        "INSERT INTO session_policies (session_id, ws_path) VALUES ('a', 'strip') ON CONFLICT (session_id) DO UPDATE SET ws_path = excluded.ws_path",
        "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES ('b', 'http://i', 'active')",
        "UPDATE sessions SET downstream_server_status = 'paused', updated_at = CURRENT_TIMESTAMP WHERE session_id = 'b'",
      )
      expect((yield* repo.list).map(({ id, status, policy }) => [id, status, policy.wsPath])).toEqual([
        ["a", "active", "strip"],
        ["b", "paused", null],
      ])
    }),
  )

  it.scopedLive("of a later version is left as it is", () =>
    Effect.gen(function* () {
      const filename = yield* fileOf("")
      yield* open(filename)
      sql(
        filename,
        "ALTER TABLE session_policies ADD COLUMN unheard_of TEXT",
        `INSERT INTO ss_proxy_migrations (version) VALUES (${latest + 1})`,
      )
      const before = stateOf(filename)
      const repo = yield* open(filename)
      yield* repo.set("a", { policy: { wsPath: "full" } })
      expect(stateOf(filename)).toEqual(before)
    }),
  )
})

describe("several processes that start on a file of an earlier version", () => {
  it.scopedLive("all find it as it should be", () =>
    Effect.gen(function* () {
      const filename = yield* fileOf(policyTable(1))
      const runs = yield* Effect.promise(() =>
        Promise.all(Array.from({ length: 4 }, () => runProgram(["sessions", "show", "a", "-d", filename]))),
      )
      expect(runs.map(({ code, stderr }) => [code, stderr])).toEqual(runs.map(() => [0, ""]))
      expect(stateOf(filename).versions).toHaveLength(applied.length)
    }),
  )
})
