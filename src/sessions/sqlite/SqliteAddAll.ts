import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Array as Arr, Effect } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { policyRows } from "../../domain/Policies.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { type SessionInvalid, SessionsExist } from "../../domain/Session.js"
import { trimUrl } from "../../wire/DownstreamUrl.js"
import type { AddAllOptions, NewSession } from "../SessionRepo.js"
import { isKeyConflict, tableFault, whileBusy } from "./SqliteFault.js"
import { checkNew } from "../SessionRules.js"
import { controlTable, createControlTable, createPolicyTable, policyTable } from "./SqliteMigrations.js"
import { type Run, transaction } from "./SqliteTransaction.js"
import { boundTo } from "../UsablePolicy.js"

// Rows per turn of the event loop: a few milliseconds of work, so that signals are handled in between.
const stagedAtOnce = 200
const writtenAtOnce = 1_000

// 64 MiB, because pages that do not fit are written twice, which makes the lock last longer. Afterwards SQLite's
// default.
const cacheStatement = "PRAGMA cache_size = -65536"
const usualCacheStatement = "PRAGMA cache_size = -2000"
const policies = Object.entries(policyRows)
/** The columns of the policies. */
export const policyNames = policies.map(([, { column }]) => column)
const createStage = `CREATE TEMP TABLE arriving (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, url TEXT NOT NULL, status TEXT NOT NULL, ${policyNames.join(", ")}
  )`
const dropStage = "DROP TABLE IF EXISTS temp.arriving"
const stagedRow = `(?, ?, ?, ?${", ?".repeat(policyNames.length)})`
const stageStatement = (rows: number) =>
  `INSERT INTO temp.arriving (place, id, url, status, ${policyNames.join(", ")}) VALUES ${Arr.replicate(stagedRow, rows).join(", ")}`

const slice = "WHERE place BETWEEN ? AND ?"
/** The columns that a session is stored in. */
export const sessionColumns = "(session_id, downstream_server_url, downstream_server_status)"
/** Ends an INSERT that puts sessions in the place of others. */
export const putConflict = `ON CONFLICT (session_id) DO UPDATE SET
  downstream_server_url = excluded.downstream_server_url,
  downstream_server_status = excluded.downstream_server_status, updated_at = CURRENT_TIMESTAMP`
const addStatement = `INSERT INTO sessions ${sessionColumns}
  SELECT id, url, status FROM temp.arriving ${slice} ORDER BY place`
const putStatement = `${addStatement} ${putConflict}`
const forgetStatement = (table: string) =>
  `DELETE FROM ${table} WHERE session_id IN (SELECT id FROM temp.arriving ${slice})`
const forgetPolicies = forgetStatement(policyTable)
const forgetControl = forgetStatement(controlTable)
// A session without policies of its own needs no row.
const policyStatement = `INSERT INTO ${policyTable} (session_id, ${policyNames.join(", ")})
  SELECT id, ${policyNames.join(", ")} FROM temp.arriving ${slice} AND NOT (${policyNames.map((name) => `${name} IS NULL`).join(" AND ")})`
const presentStatement = `SELECT id FROM temp.arriving WHERE EXISTS (SELECT 1 FROM sessions WHERE session_id = id)
  ORDER BY place`
const countPresentStatement = `SELECT count(*) AS count FROM (${presentStatement})`

/** Rows in the order of the table's index are written several times as fast. */
const byId = (one: NewSession, other: NewSession): number => (one.id < other.id ? -1 : 1)

/** The values of the policy columns of a session; NULL for a policy that has its default. */
export const policyValues = ({ policy, url }: NewSession): ReadonlyArray<string | number | null> => {
  const bound = boundTo(url, policy)
  return policies.map(([name, { fallback, write }]) => {
    const value: unknown = Reflect.get(bound, name) ?? fallback
    return value === fallback ? null : write(value)
  })
}

/** Puts the sessions into a temporary table, which takes no lock because only this connection sees it. */
const stage = (run: Run, sessions: ReadonlyArray<NewSession>): Effect.Effect<void, SessionInvalid | SqlError> =>
  Effect.gen(function* () {
    yield* run("PRAGMA temp_store = MEMORY", [])
    yield* run(cacheStatement, [])
    yield* run(createStage, [])
    let place = 0
    for (const part of Arr.chunksOf(sessions.toSorted(byId), stagedAtOnce)) {
      yield* Effect.forEach(part, checkNew, { discard: true })
      const values = part.flatMap((session) => {
        const { id, status, url } = session
        return [place++, id, trimUrl(url), status, ...policyValues(session)]
      })
      yield* run(stageStatement(part.length), values)
      yield* nextTurn
    }
  })

const presentIds = (run: Run): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  Effect.map(run<{ readonly id: string }>(presentStatement, []), (rows) => rows.map(({ id }) => id))

/** Copies the rows with these places from the temporary table. */
const write = (run: Run, statement: string, from: number, to: number, filename: string) =>
  Effect.gen(function* () {
    yield* run(statement, [from, to])
    const [changes] = yield* run<{ readonly count: number }>("SELECT changes() AS count", [])
    if (changes?.count !== to - from + 1)
      return yield* tableFault(filename, "passes over rows: it has a rule of its own")
    yield* run(forgetPolicies, [from, to])
    yield* run(forgetControl, [from, to])
    yield* run(policyStatement, [from, to])
  })

/** Copies all rows; returns how many of the ids were stored before. */
const writeAll = (run: Run, count: number, { replace, watcher }: AddAllOptions, filename: string) =>
  Effect.gen(function* () {
    yield* run(createPolicyTable, [])
    yield* run(createControlTable, [])
    const [present] = replace ? yield* run<{ readonly count: number }>(countPresentStatement, []) : []
    for (let from = 0; from < count; from += writtenAtOnce) {
      const end = Math.min(from + writtenAtOnce, count)
      yield* write(run, replace ? putStatement : addStatement, from, end - 1, filename)
      watcher?.written(end)
      yield* nextTurn
    }
    return present?.count ?? 0
  })

/**
 * Stores sessions in one transaction, for `SessionRepo.addAll`. Other writers wait during the transaction, so it does
 * nothing but copy rows: checks and conversions are done before it. `lockTimeout`: milliseconds to wait for a lock.
 */
export const addAll = (
  sql: SqlClient,
  filename: string,
  lockTimeout: number,
  sessions: ReadonlyArray<NewSession>,
  options: AddAllOptions,
): Effect.Effect<number, SessionsExist | SessionInvalid | StoreUnavailable | SqlError> => {
  const run: Run = (statement, parameters) => sql.unsafe(statement, parameters)
  const refuse = (ids: ReadonlyArray<string>): Effect.Effect<void, SessionsExist> =>
    Arr.isNonEmptyReadonlyArray(ids) ? new SessionsExist({ sessionIds: ids }) : Effect.void
  const writing = transaction(
    sql,
    (run) =>
      Effect.catchIf(writeAll(run, sessions.length, options, filename), isKeyConflict, (error) =>
        // Another program has added one of the ids since the check.
        Effect.flatMap(presentIds(run), (ids) => Effect.zipRight(refuse(ids), Effect.fail(error))),
      ),
    options.watcher?.committed,
  )
  return Effect.gen(function* () {
    yield* stage(run, sessions)
    if (!options.replace) yield* Effect.flatMap(whileBusy(lockTimeout)(presentIds(run)), refuse)
    return yield* whileBusy(lockTimeout)(writing)
  }).pipe(Effect.ensuring(Effect.ignore(Effect.zipRight(run(dropStage, []), run(usualCacheStatement, [])))))
}
