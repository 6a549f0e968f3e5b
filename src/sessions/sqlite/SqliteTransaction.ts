import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"

/** Runs a statement on the connection of a transaction. */
export type Run = <Found extends object>(
  statement: string,
  parameters: ReadonlyArray<string | number | null>,
) => Effect.Effect<ReadonlyArray<Found>, SqlError>

/**
 * Runs statements in one transaction (`BEGIN IMMEDIATE`). An interruption comes either before the commit, and rolls
 * back, or after `committed` was called.
 */
export const transaction = <A, E>(
  sql: SqlClient,
  change: (run: Run) => Effect.Effect<A, E>,
  committed?: (result: A) => void,
): Effect.Effect<A, E | SqlError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const connection = yield* restore(sql.reserve)
      const run: Run = (statement, parameters) => connection.execute(statement, parameters, undefined)
      yield* run("BEGIN IMMEDIATE", [])
      // COMMIT may fail because of a lock, too; then all is rolled back.
      const result = yield* restore(change(run)).pipe(
        Effect.zipLeft(run("COMMIT", [])),
        Effect.onError(() => Effect.ignore(run("ROLLBACK", []))),
      )
      committed?.(result)
      return result
    }).pipe(Effect.scoped),
  )
