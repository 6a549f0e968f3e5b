import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, type Scope } from "effect"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { openPostgresRows } from "../../src/sessions/postgres/PostgresRowStore.js"
import { RowsRefused, type RowStore, type StoredRow } from "../../src/sessions/RowStore.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { openSqliteRows } from "../../src/sessions/sqlite/SqliteRowStore.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { type CopyOptions, SessionCopy } from "../../src/transfer/SessionCopy.js"
import { temporaryFile } from "../sessions/temporary.js"
import { isLeftOut } from "../support/LeftOut.js"
import { lackingPostgres } from "../support/PostgresServer.js"
import { placeAt, testDatabase } from "../support/SharedPostgres.js"

/** A file that has the tables, and what these statements make of them. */
const fileWith = (statements: string) =>
  Effect.gen(function* () {
    const filename = yield* temporaryFile("sessions.db")
    yield* Effect.scoped(Effect.provide(SessionRepo, layerSqlite({ filename })))
    const database = new Sqlite(filename)
    database.exec(statements)
    database.close()
    return filename
  })

const newFile: Effect.Effect<RowStore, StoreUnavailable, Scope.Scope> = Effect.flatMap(fileWith(""), (filename) =>
  openSqliteRows({ filename, writes: true }),
)

const newTables = Effect.flatMap(testDatabase(), ({ url }) => openPostgresRows({ place: placeAt(url), writes: true }))

const copying = (source: RowStore, target: RowStore, options: Partial<CopyOptions> = {}) => {
  const leftOut: Array<readonly [id: string, reason: string]> = []
  const copy = new SessionCopy(
    source,
    target,
    { replace: false, dryRun: false, ...options },
    { reached: () => {}, leftOut: (id, reason) => Effect.sync(() => void leftOut.push([id, reason])) },
  )
  return { copy, leftOut }
}

const allOf = (store: RowStore) =>
  Effect.gen(function* () {
    const all: Array<StoredRow> = []
    yield* store.forEachPage((rows) => Effect.sync(() => void all.push(...rows)))
    return all.toSorted((one, other) => (one.id < other.id ? -1 : 1))
  })

/** 1,200 sessions, of which some have policies, drain, were killed, or have what other programs may write. */
const many = `
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1199)
    INSERT INTO sessions SELECT 's-' || i, 'http://u:p@localhost:' || (1000 + i), iif(i % 3, 'active', 'é paused'),
      '2030-01-31 12:00:00', '2030-01-31 13:00:00' FROM n;
  INSERT INTO session_policies (session_id, insecure, timeout, ws_max_message, set_fields, set_fields_url) VALUES
    ('s-1', 1, 0.5, '16m', '{"A": "b"}', 'http://localhost'), ('s-2', NULL, 30.0, NULL, NULL, NULL),
    ('nobody', 1, NULL, NULL, NULL, NULL);
  INSERT INTO session_control (session_id, kills, kill_code, kill_reason, drain_since, drain_until) VALUES
    ('s-1', 7, 4001, 'signed out', NULL, NULL), ('s-3', NULL, NULL, NULL, 1900000000000.5, 1900000030000);
  UPDATE sessions SET created_at = '2030-01-31T14:00:00.25+02:00', updated_at = 'yesterday' WHERE session_id = 's-5';`

const expected = (rows: ReadonlyArray<StoredRow>) => {
  const of = (id: string) => rows.find((row) => row.id === id)
  expect(rows).toHaveLength(1_200)
  expect(of("s-0")).toMatchObject({ status: "é paused", url: "http://u:p@localhost:1000", policy: undefined })
  expect(of("s-0")).toMatchObject({ createdAt: "2030-01-31 12:00:00", updatedAt: "2030-01-31 13:00:00" })
  expect(of("s-1")?.policy).toEqual(expect.arrayContaining(["1", "0.5", "16777216", '{"A": "b"}', "http://localhost"]))
  expect(of("s-1")?.control).toEqual(["7", "4001", "signed out", null, null])
  expect(of("s-2")?.policy).toContain("30")
  expect(of("s-3")?.control).toEqual([null, null, null, "1900000000000", "1900000030000"])
  expect(of("s-5")).toMatchObject({ createdAt: "2030-01-31 12:00:00", updatedAt: null })
}

const source = Effect.flatMap(fileWith(many), (filename) => openSqliteRows({ filename, writes: true }))

/** Fails the third page, as an outage would. */
const failingLater = (store: RowStore): RowStore => {
  let writes = 0
  return {
    ...store,
    write: (rows, replaces) => (++writes > 2 ? Effect.dieMessage("gone") : store.write(rows, replaces)),
  }
}

const stores: Record<string, Effect.Effect<RowStore, StoreUnavailable, Scope.Scope>> = {
  sqlite: newFile,
  ...(isLeftOut(lackingPostgres) ? {} : { postgres: newTables }),
}

describe.each(Object.entries(stores))("a copy of sessions (to %s)", (name, newStore) => {
  it.scopedLive("has all that is stored of them, and so has a copy of it in a file", () =>
    Effect.gen(function* () {
      const [from, to, back] = [yield* source, yield* newStore, yield* newFile]
      const { copy, leftOut } = copying(from, to)
      yield* copy.run
      expect(leftOut).toEqual([])
      expect(copy.copied).toEqual({ added: 1_200, replaced: 0, same: 0, leftOut: 0, oddTimes: 1 })
      const verified = yield* copy.verify
      expect(verified).toMatchObject({ sessions: 1_200, policies: 2, controls: 2, differing: 0, others: 0 })
      expect(Object.fromEntries(verified.byStatus)).toEqual({ active: 800, "é paused": 400 })
      expected(yield* allOf(to))
      yield* copying(to, back).copy.run
      expected(yield* allOf(back))
    }),
  )

  it.scopedLive("goes on where another has stopped, and then does nothing", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* source, yield* newStore]
      yield* Effect.exit(copying(from, failingLater(to)).copy.run)
      expect(yield* to.count).toBe(1_000)
      const second = copying(from, to).copy
      yield* second.run
      expect(second.copied).toMatchObject({ added: 200, same: 1_000, leftOut: 0 })
      const third = copying(from, to).copy
      yield* third.run
      expect(third.copied).toMatchObject({ added: 0, replaced: 0, same: 1_200 })
    }),
  )

  it.scopedLive("writes nothing where the target has others, unless it is to replace them", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* source, yield* newStore]
      const [row] = yield* from.find(["s-1"])
      if (row === undefined) throw new Error("s-1 is not there")
      yield* to.write(
        [
          { ...row, id: "own" },
          { ...row, url: "http://other" },
        ],
        false,
      )
      const refused = yield* Effect.flip(copying(from, to).copy.run)
      expect(refused).toMatchObject({ _tag: "TargetInUse", count: 2 })
      expect(yield* to.count).toBe(2)
      const dry = copying(from, to, { replace: true, dryRun: true }).copy
      yield* dry.run
      expect(dry.copied).toMatchObject({ added: 1_199, replaced: 1 })
      expect(yield* to.count).toBe(2)
      const { copy } = copying(from, to, { replace: true })
      yield* copy.run
      expect(copy.copied).toMatchObject({ added: 1_199, replaced: 1 })
      expect(yield* copy.verify).toMatchObject({ sessions: 1_200, differing: 0, others: 1 })
    }),
  )

  it.scopedLive("names what cannot be there, and has the rest", () =>
    Effect.gen(function* () {
      const odd = `INSERT INTO sessions SELECT id, 'http://localhost', 'active', NULL, NULL FROM
          (SELECT 'fine' AS id UNION ALL SELECT x'6162' UNION ALL SELECT CAST(x'ff' AS TEXT)
           UNION ALL SELECT 'nul' || char(0) UNION ALL SELECT 'odd');
        INSERT INTO session_policies (session_id, insecure) VALUES ('odd', 'maybe');`
      const from = yield* Effect.flatMap(fileWith(odd), (filename) => openSqliteRows({ filename, writes: false }))
      const to = yield* newStore
      const { copy, leftOut } = copying(from, to)
      yield* copy.run
      const nowhere = ["ab", "\uFFFD"]
      const named = leftOut.map(([id]) => id).toSorted()
      expect(named).toEqual((name === "sqlite" ? nowhere : [...nowhere, "nul\0", "odd"]).toSorted())
      expect(leftOut.every(([, reason]) => reason.length > 0)).toBe(true)
      expect((yield* allOf(to)).map(({ id }) => id)).toEqual(name === "sqlite" ? ["fine", "nul\0", "odd"] : ["fine"])
      expect(yield* copy.verify).toMatchObject({ differing: 0, others: 0 })
    }),
  )

  it.scopedLive("says which sessions were changed meanwhile", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* source, yield* newStore]
      const { copy } = copying(from, to)
      yield* copy.run
      const rows = yield* from.find(["s-7"])
      yield* to.write(
        rows.map((row) => ({ ...row, policy: undefined, control: ["1", null, null, null, null] })),
        true,
      )
      expect(yield* copy.verify).toMatchObject({ sessions: 1_199, differing: 1, ids: ["s-7"] })
      expect(yield* Effect.flip(to.write(rows, false))).toBeInstanceOf(RowsRefused)
    }),
  )
})
