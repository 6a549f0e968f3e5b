import type { SqlError } from "@effect/sql/SqlError"
import { Array as Arr, Effect } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Applied, ApplyOptions, SessionStep } from "../SessionRepo.js"
import { idOf, planSteps } from "../SessionSteps.js"
import { AddedMeanwhile, forget, sessionsOf, type Tables } from "./PostgresChanges.js"
import { isKeyConflict } from "./PostgresFault.js"
import { rowsAtOnce, writeMany } from "./PostgresMany.js"
import { canBeText } from "./PostgresStore.js"
import type { Run } from "./PostgresTransaction.js"

/** Which of these ids are stored; nobody else changes those until the transaction ends. */
const lockPresent = (run: Run, tables: Tables, ids: ReadonlyArray<string>) => {
  const statement = `SELECT session_id::text AS id FROM ${sessionsOf(tables)}
    WHERE session_id = ANY ($1::text[]) ORDER BY session_id COLLATE "C" FOR UPDATE`
  return Effect.map(run<{ readonly id: string }>(statement, [ids]), (rows) => new Set(rows.map(({ id }) => id)))
}

/** Applies steps within a transaction, for `SessionRepo.apply`. */
export const applySteps = (
  run: Run,
  tables: Tables,
  steps: ReadonlyArray<SessionStep>,
  { replace, partly }: ApplyOptions,
): Effect.Effect<Applied, SqlError | StoreUnavailable | AddedMeanwhile> =>
  Effect.gen(function* () {
    const present = yield* lockPresent(run, tables, [...new Set(steps.map(idOf))].filter(canBeText))
    const { applied, puts, removals } = planSteps(steps, replace, (id) => present.has(id))
    const { refused } = applied
    if (refused.length > 0 && !partly) return { added: 0, replaced: 0, removed: 0, absent: 0, refused }
    const gone = removals.filter(canBeText)
    if (gone.length > 0) {
      yield* run(`DELETE FROM ${sessionsOf(tables)} WHERE session_id = ANY ($1::text[])`, [gone])
      yield* forget(run, tables, gone)
    }
    const ordered = puts.toSorted((one, other) => (one.id < other.id ? -1 : 1))
    for (const slice of Arr.chunksOf(ordered, rowsAtOnce)) yield* writeMany(run, tables, slice, replace)
    return applied
  }).pipe(Effect.catchIf(isKeyConflict, () => new AddedMeanwhile()))
