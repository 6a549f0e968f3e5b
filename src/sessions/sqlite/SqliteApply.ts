import type { SqlError } from "@effect/sql/SqlError"
import { Array as Arr, Effect } from "effect"
import { Turns } from "../../clock/Turns.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { trimUrl } from "../../wire/DownstreamUrl.js"
import type { Applied, ApplyOptions, NewSession, SessionStep } from "../SessionRepo.js"
import { idOf, type Plan, planSteps } from "../SessionSteps.js"
import { policyNames, policyValues, putConflict, sessionColumns } from "./SqliteAddAll.js"
import { tableFault } from "./SqliteFault.js"
import { controlTable, createControlTable, createPolicyTable, policyTable } from "./SqliteMigrations.js"
import type { Run } from "./SqliteTransaction.js"

/**
 * Rows of one statement. There is a statement for so many rows, and one for a single row: a text of its own for each
 * number of rows would be kept for each (`SqliteDatabase.ts`). With 100 rows the median turn of an import took 1.6 ms, with
 * 25 it takes 1.2, and all of it no longer.
 */
const rowsAtOnce = 25

const marks = (count: number): string => Arr.replicate("?", count).join(", ")
const rowsOf = (columns: number, rows: number): string => Arr.replicate(`(${marks(columns)})`, rows).join(", ")

/** A statement for a number of rows; made once for both numbers. */
const forRows = (statement: (rows: number) => string): ((rows: number) => string) => {
  const [many, one] = [statement(rowsAtOnce), statement(1)]
  return (rows) => (rows === 1 ? one : many)
}

const presentStatement = forRows((rows) => `SELECT session_id AS id FROM sessions WHERE session_id IN (${marks(rows)})`)
const removeStatement = forRows((rows) => `DELETE FROM sessions WHERE session_id IN (${marks(rows)})`)
const forgetStatements = [policyTable, controlTable].map((table) =>
  forRows((rows) => `DELETE FROM ${table} WHERE session_id IN (${marks(rows)})`),
)
const addStatement = forRows((rows) => `INSERT INTO sessions ${sessionColumns} VALUES ${rowsOf(3, rows)}`)
const putStatement = forRows((rows) => `${addStatement(rows)} ${putConflict}`)
const policyStatement = forRows(
  (rows) =>
    `INSERT INTO ${policyTable} (session_id, ${policyNames.join(", ")}) VALUES ${rowsOf(policyNames.length + 1, rows)}`,
)

/**
 * Hands the items to `use`, as many at once as there are statements for. Between them others may have a turn: the lock is
 * held a little longer for it, but the data plane does not wait.
 */
const inChunks = <A, E>(
  turns: Turns,
  items: ReadonlyArray<A>,
  use: (chunk: ReadonlyArray<A>) => Effect.Effect<void, E>,
): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const whole = items.length - (items.length % rowsAtOnce)
    const chunks = items.slice(whole).map((item): ReadonlyArray<A> => [item])
    for (let from = whole; from > 0; from -= rowsAtOnce) chunks.unshift(items.slice(from - rowsAtOnce, from))
    for (const chunk of chunks) {
      yield* use(chunk)
      yield* turns.pause
    }
  })

/** Which of these ids exist. */
const presentOf = (run: Run, turns: Turns, ids: ReadonlyArray<string>): Effect.Effect<ReadonlySet<string>, SqlError> =>
  Effect.gen(function* () {
    const present = new Set<string>()
    yield* inChunks(turns, ids, (chunk) =>
      Effect.map(run<{ readonly id: string }>(presentStatement(chunk.length), chunk), (rows) => {
        for (const { id } of rows) present.add(id)
      }),
    )
    return present
  })

const writePuts = (run: Run, turns: Turns, sessions: ReadonlyArray<NewSession>, replace: boolean, filename: string) =>
  inChunks(turns, sessions, (chunk) =>
    Effect.gen(function* () {
      const statement = replace ? putStatement : addStatement
      yield* run(
        statement(chunk.length),
        chunk.flatMap(({ id, url, status }) => [id, trimUrl(url), status]),
      )
      const [changes] = yield* run<{ readonly count: number }>("SELECT changes() AS count", [])
      if (changes?.count !== chunk.length)
        return yield* tableFault(filename, "passes over rows: it has a rule of its own")
    }),
  )

const writePolicies = (run: Run, turns: Turns, sessions: ReadonlyArray<NewSession>) => {
  const rows = sessions.flatMap((session) => {
    const values = policyValues(session)
    // A session without policies of its own needs no row.
    return values.every((value) => value === null) ? [] : [[session.id, ...values]]
  })
  return inChunks(turns, rows, (chunk) => Effect.asVoid(run(policyStatement(chunk.length), chunk.flat())))
}

const write = (run: Run, turns: Turns, { removals, puts }: Plan, replace: boolean, filename: string) =>
  Effect.gen(function* () {
    const ids = new Set([...removals, ...puts.map(({ id }) => id)])
    yield* inChunks(turns, removals, (chunk) => Effect.asVoid(run(removeStatement(chunk.length), chunk)))
    for (const statement of forgetStatements)
      yield* inChunks(turns, [...ids], (chunk) => Effect.asVoid(run(statement(chunk.length), chunk)))
    yield* writePuts(run, turns, puts, replace, filename)
    yield* writePolicies(run, turns, puts)
  })

/** Applies steps within a transaction, for `SessionRepo.apply`. */
export const applySteps = (
  run: Run,
  filename: string,
  steps: ReadonlyArray<SessionStep>,
  { replace, partly }: ApplyOptions,
): Effect.Effect<Applied, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    yield* run(createPolicyTable, [])
    yield* run(createControlTable, [])
    const turns = new Turns()
    const present = yield* presentOf(run, turns, [...new Set(steps.map(idOf))])
    const plan = planSteps(steps, replace, (id) => present.has(id))
    const { refused } = plan.applied
    if (refused.length > 0 && !partly) return { added: 0, replaced: 0, removed: 0, absent: 0, refused }
    yield* write(run, turns, plan, replace, filename)
    return plan.applied
  })
