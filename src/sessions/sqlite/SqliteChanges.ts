import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { policyRows } from "../../domain/Policies.js"
import { SessionNotFound } from "../../domain/ProxyError.js"
import { drainFor, type KillClose } from "../../domain/SessionControl.js"
import type { SessionPolicy } from "../../domain/SessionPolicy.js"
import { millisecondsOf } from "../SessionActivity.js"
import type { Precondition } from "../SessionRepo.js"
import { putConflict, sessionColumns } from "./SqliteAddAll.js"
import { controlTable, policyTable } from "./SqliteMigrations.js"
import { columns, findStatement, policyColumns, type PolicyRow, type Row, toSession } from "./SqliteRows.js"
import type { Run } from "./SqliteTransaction.js"
import { boundTo } from "../UsablePolicy.js"

// What is done to one session, within a transaction that has made the proxy's own tables.

export const addStatement = `INSERT INTO sessions ${sessionColumns} VALUES (?, ?, ?)`
export const putStatement = `${addStatement} ${putConflict}`
export const setStatement = `UPDATE sessions SET
  downstream_server_url = coalesce(?, downstream_server_url),
  downstream_server_status = coalesce(?, downstream_server_status), updated_at = CURRENT_TIMESTAMP
  WHERE session_id = ?`

export const removeStatement = "DELETE FROM sessions WHERE session_id = ?"
export const returning = (statement: string) => `${statement} RETURNING ${columns}`
const findPolicyStatement = `SELECT ${policyColumns} FROM ${policyTable} WHERE session_id = ?`
const forgetPolicyStatement = `DELETE FROM ${policyTable} WHERE session_id = ?`
const forgetControlStatement = `DELETE FROM ${controlTable} WHERE session_id = ?`
// The number is never one that was there before, also where the row was deleted in between: then another process, which has
// not looked meanwhile, would miss this kill.
const killStatement = `INSERT INTO ${controlTable} (session_id, kills, kill_code, kill_reason) VALUES (?, ?, ?, ?)
  ON CONFLICT (session_id) DO UPDATE SET
  kills = max(excluded.kills, CASE WHEN kills < ${Number.MAX_SAFE_INTEGER} THEN CAST(kills AS INTEGER) + 1 ELSE 0 END),
  kill_code = excluded.kill_code, kill_reason = excluded.kill_reason`

const drainStatement = `INSERT INTO ${controlTable} (session_id, drain_since, drain_until) VALUES (?, ?, ?)
  ON CONFLICT (session_id) DO UPDATE SET drain_since = excluded.drain_since, drain_until = excluded.drain_until`

const resumeStatement = `UPDATE ${controlTable} SET drain_since = NULL, drain_until = NULL WHERE session_id = ?`
const policyStatement = (column: string) => `INSERT INTO ${policyTable} (session_id, ${column}) VALUES (?, ?)
  ON CONFLICT (session_id) DO UPDATE SET ${column} = excluded.${column}`

/** Stores the policies that are given, of a session with this URL, and returns the whole policy of the session. */
export const writePolicy = (run: Run, { id, url }: Pick<Row, "id" | "url">, policy?: Partial<SessionPolicy>) =>
  Effect.gen(function* () {
    const bound = boundTo(url, policy)
    for (const [name, { column, write }] of Object.entries(policyRows)) {
      const value: unknown = Reflect.get(bound, name)
      if (value !== undefined) yield* run(policyStatement(column), [id, write(value)])
    }
    const [row] = yield* run<PolicyRow>(findPolicyStatement, [id])
    return row
  })

/** Deletes what the proxy's own tables have of a session. */
export const forget = (run: Run, id: string) =>
  Effect.zipRight(run(forgetPolicyStatement, [id]), run(forgetControlStatement, [id]))

/** A session as it stands, within a transaction that has made the tables. */
export const existing = (run: Run, id: string) =>
  Effect.flatMap(run<Row>(findStatement, [id]), ([row]) =>
    row === undefined ? new SessionNotFound({ sessionId: id }) : Effect.succeed(row),
  )

/** Asks the precondition of a write, within its transaction, which has made the tables. */
export const checked = <E>(
  run: Run,
  id: string,
  precondition: Precondition<E> | undefined,
): Effect.Effect<void, E | SqlError> =>
  precondition === undefined
    ? Effect.void
    : Effect.flatMap(run<Row>(findStatement, [id]), ([row]) =>
        precondition(row === undefined ? undefined : toSession(row)),
      )

export const drain = (run: Run, id: string, grace: number) =>
  Effect.gen(function* () {
    const row = yield* existing(run, id)
    // Not before its session: where the clock was set back, the drain would be taken for that of an earlier one.
    const { since, until } = drainFor(Math.max(Date.now(), millisecondsOf(row.createdAt) ?? 0), grace)
    yield* run(drainStatement, [row.id, since, until])
    return toSession(yield* existing(run, id))
  })

export const resume = (run: Run, id: string) =>
  Effect.gen(function* () {
    const row = yield* existing(run, id)
    yield* run(resumeStatement, [row.id])
    return toSession(yield* existing(run, id))
  })

export const kill = (run: Run, id: string, { code, reason }: Partial<KillClose>) =>
  Effect.gen(function* () {
    const row = yield* existing(run, id)
    yield* run(killStatement, [row.id, Date.now(), code ?? null, reason ?? null])
    return toSession(yield* existing(run, id))
  })
