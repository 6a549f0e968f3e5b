import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"

/** Runs a statement on the one connection that a change is made on. */
export type Run = <Found extends object>(
  statement: string,
  parameters: ReadonlyArray<string | number | null>,
) => Effect.Effect<ReadonlyArray<Found>, SqlError>

/**
 * Makes several statements one change: all of them are in force, or none is. What interrupts comes before the commit, and
 * undoes all, or after `committed` has been called.
 */
export const atOnce = <A, E>(
  sql: SqlClient,
  change: (run: Run) => Effect.Effect<A, E>,
  committed?: (result: A) => void,
): Effect.Effect<A, E | SqlError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const connection = yield* restore(sql.reserve)
      const run: Run = (statement, parameters) => connection.execute(statement, parameters, undefined)
      yield* run("BEGIN IMMEDIATE", [])
      // A commit may find a lock in the way, too: what cannot be committed is undone.
      const result = yield* restore(change(run)).pipe(
        Effect.zipLeft(run("COMMIT", [])),
        Effect.onError(() => Effect.ignore(run("ROLLBACK", []))),
      )
      committed?.(result)
      return result
    }).pipe(Effect.scoped),
  )
