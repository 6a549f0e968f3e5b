import type { SqlError } from "@effect/sql/SqlError"
import { Array as Arr, Data, Effect } from "effect"
import { policyRows } from "../../domain/Policies.js"
import { SessionNotFound, StoreUnavailable } from "../../domain/ProxyError.js"
import { drainFor, type KillClose } from "../../domain/SessionControl.js"
import type { SessionPolicy } from "../../domain/SessionPolicy.js"
import { trimUrl } from "../../wire/DownstreamUrl.js"
import { millisecondsOf } from "../SessionActivity.js"
import type { NewSession, Precondition, SessionChange } from "../SessionRepo.js"
import { boundTo } from "../UsablePolicy.js"
import { type Row, selectIn, toSession } from "./PostgresRows.js"
import { controlTable, identifier, policyTable, sessionTable, tableIn } from "./PostgresSchema.js"
import type { Run } from "./PostgresTransaction.js"

/** Another program has added the session since it was looked for: the transaction has to begin anew. */
export class AddedMeanwhile extends Data.TaggedError("AddedMeanwhile")<{}> {}

/** The tables of one schema, and how messages name the database. */
export interface Tables {
  readonly schema: string
  readonly shown: string
}

/** A table of the database has a rule that no statement can follow. */
export const ruleOf = ({ shown }: Tables, problem: string): StoreUnavailable =>
  new StoreUnavailable({
    problem: `the sessions table of ${shown} ${problem}: it has a rule of its own`,
    hint: "Look at its triggers and rules with \\d+ in psql.",
  })

export const sessionsOf = ({ schema }: Tables): string => tableIn(schema, sessionTable)
const controlOf = ({ schema }: Tables): string => tableIn(schema, controlTable)

/** The columns that a session is stored in. */
export const sessionColumns = "(session_id, downstream_server_url, downstream_server_status)"

/** Nobody else changes a session, or what is asked of it, until the transaction ends; whether it is there. */
const lock = (run: Run, tables: Tables, id: string): Effect.Effect<boolean, SqlError> =>
  Effect.map(
    run(`SELECT 1 FROM ${sessionsOf(tables)} WHERE session_id = $1 FOR UPDATE`, [id]),
    Arr.isNonEmptyReadonlyArray,
  )

const found = (run: Run, { schema }: Tables, id: string): Effect.Effect<Row | undefined, SqlError> =>
  Effect.map(run<Row>(selectIn(schema, "WHERE s.session_id = $1"), [id]), ([row]) => row)

/** A session as it stands. */
const existing = (run: Run, tables: Tables, id: string): Effect.Effect<Row, SqlError | SessionNotFound> =>
  Effect.flatMap(found(run, tables, id), (row) =>
    row === undefined ? new SessionNotFound({ sessionId: id }) : Effect.succeed(row),
  )

/** Asks the precondition of a write whose session is locked, or is not there. */
const checked = <E>(
  run: Run,
  tables: Tables,
  id: string,
  precondition: Precondition<E> | undefined,
): Effect.Effect<void, E | SqlError> =>
  precondition === undefined
    ? Effect.void
    : Effect.flatMap(found(run, tables, id), (row) => precondition(row === undefined ? undefined : toSession(row)))

/** Deletes what the proxy's own tables have of sessions. */
export const forget = (run: Run, { schema }: Tables, ids: ReadonlyArray<string>): Effect.Effect<void, SqlError> =>
  Effect.forEach(
    [policyTable, controlTable],
    (table) => run(`DELETE FROM ${tableIn(schema, table)} WHERE session_id = ANY ($1::text[])`, [ids]),
    { discard: true },
  )

/** Stores the policies that are given, of a session with this URL. */
const writePolicy = (
  run: Run,
  { schema }: Tables,
  { id, url }: Pick<Row, "id" | "url">,
  policy: Partial<SessionPolicy> | undefined,
): Effect.Effect<void, SqlError> => {
  const bound = boundTo(url, policy)
  const given = Object.entries(policyRows).flatMap(([name, { column, write }]) => {
    const value: unknown = Reflect.get(bound, name)
    return value === undefined ? [] : [{ column: identifier(column), value: write(value) }]
  })
  if (given.length === 0) return Effect.void
  const columns = given.map(({ column }) => column)
  const marks = given.map((_, at) => `$${at + 2}`)
  const statement = `INSERT INTO ${tableIn(schema, policyTable)} (session_id, ${columns.join(", ")})
    VALUES ($1, ${marks.join(", ")})
    ON CONFLICT (session_id) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(", ")}`
  return Effect.asVoid(run(statement, [id, ...given.map(({ value }) => value)]))
}

/** Inserts a session; `false`: one of its id is there. */
const insert = (run: Run, tables: Tables, { id, status, url }: NewSession) =>
  Effect.gen(function* () {
    const statement = `INSERT INTO ${sessionsOf(tables)} ${sessionColumns} VALUES ($1, $2, $3)
      ON CONFLICT (session_id) DO NOTHING RETURNING 1`
    const inserted = yield* run(statement, [id, trimUrl(url), status])
    if (inserted.length > 0) return true
    // A conflict is with a row that this statement sees now. Where there is none, something has swallowed the row.
    if (yield* lock(run, tables, id)) return false
    return yield* ruleOf(tables, "took a row and did not keep it")
  })

const withPolicy = (run: Run, tables: Tables, session: NewSession) =>
  Effect.gen(function* () {
    yield* forget(run, tables, [session.id])
    yield* writePolicy(run, tables, session, session.policy)
    const row = yield* found(run, tables, session.id)
    return row === undefined ? yield* ruleOf(tables, "took a row and did not keep it") : toSession(row)
  })

/** Adds a session; `undefined`: one of its id is there. */
export const add = (run: Run, tables: Tables, session: NewSession) =>
  Effect.gen(function* () {
    return (yield* insert(run, tables, session)) ? yield* withPolicy(run, tables, session) : undefined
  })

/** Changes the columns that are given, and the time. */
const update = (run: Run, tables: Tables, id: string, { status, url }: SessionChange) =>
  run(
    `UPDATE ${sessionsOf(tables)} SET downstream_server_url = coalesce($2, downstream_server_url),
      downstream_server_status = coalesce($3, downstream_server_status), updated_at = now() WHERE session_id = $1`,
    [id, url === undefined ? null : trimUrl(url), status ?? null],
  )

export const put = <E>(run: Run, tables: Tables, session: NewSession, precondition: Precondition<E> | undefined) =>
  Effect.gen(function* () {
    const { id, status, url } = session
    const isThere = yield* lock(run, tables, id)
    yield* checked(run, tables, id, precondition)
    if (isThere) yield* update(run, tables, id, { status, url })
    else if (!(yield* insert(run, tables, session))) return yield* new AddedMeanwhile()
    return yield* withPolicy(run, tables, session)
  })

export const change = <E>(
  run: Run,
  tables: Tables,
  id: string,
  changes: SessionChange,
  precondition: Precondition<E> | undefined,
) =>
  Effect.gen(function* () {
    yield* lock(run, tables, id)
    yield* checked(run, tables, id, precondition)
    yield* update(run, tables, id, changes)
    const row = yield* existing(run, tables, id)
    yield* writePolicy(run, tables, row, changes.policy)
    return toSession(yield* existing(run, tables, id))
  })

export const remove = <E>(run: Run, tables: Tables, id: string, precondition: Precondition<E> | undefined) =>
  Effect.gen(function* () {
    yield* lock(run, tables, id)
    yield* checked(run, tables, id, precondition)
    const row = yield* existing(run, tables, id)
    yield* run(`DELETE FROM ${sessionsOf(tables)} WHERE session_id = $1`, [id])
    yield* forget(run, tables, [id])
    return toSession(row)
  })

/** Asks something of a session, which must be there; `ask` gets its row. */
const asking = (run: Run, tables: Tables, id: string, ask: (row: Row) => Effect.Effect<unknown, SqlError>) =>
  Effect.gen(function* () {
    yield* lock(run, tables, id)
    yield* ask(yield* existing(run, tables, id))
    return toSession(yield* existing(run, tables, id))
  })

export const drain = (run: Run, tables: Tables, id: string, grace: number) =>
  asking(run, tables, id, ({ createdAt }) => {
    // Not before its session: where the clock was set back, the drain would be taken for that of an earlier one.
    const { since, until } = drainFor(Math.max(Date.now(), millisecondsOf(createdAt) ?? 0), grace)
    const statement = `INSERT INTO ${controlOf(tables)} (session_id, drain_since, drain_until) VALUES ($1, $2, $3)
      ON CONFLICT (session_id) DO UPDATE SET drain_since = excluded.drain_since, drain_until = excluded.drain_until`
    return run(statement, [id, since, until])
  })

export const resume = (run: Run, tables: Tables, id: string) =>
  asking(run, tables, id, () =>
    run(`UPDATE ${controlOf(tables)} SET drain_since = NULL, drain_until = NULL WHERE session_id = $1`, [id]),
  )

// The number is never one that was there before, also where the row was deleted in between: then another process, which has
// not looked meanwhile, would miss this kill.
export const kill = (run: Run, tables: Tables, id: string, { code, reason }: Partial<KillClose>) =>
  asking(run, tables, id, () => {
    const statement = `INSERT INTO ${controlOf(tables)} AS c (session_id, kills, kill_code, kill_reason)
      VALUES ($1, $2, $3, $4) ON CONFLICT (session_id) DO UPDATE SET
      kills = greatest(excluded.kills, CASE WHEN c.kills < ${Number.MAX_SAFE_INTEGER} THEN c.kills + 1 ELSE 0 END),
      kill_code = excluded.kill_code, kill_reason = excluded.kill_reason`
    return run(statement, [id, Date.now(), code ?? null, reason ?? null])
  })
