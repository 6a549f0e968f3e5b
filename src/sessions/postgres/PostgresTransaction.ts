import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"

/** A value of a statement. A text of any type is read as the type of its place. */
export type Parameter = string | number | null | ReadonlyArray<string>

/** Runs a statement on the connection of a transaction. */
export type Run = <Found extends object>(
  statement: string,
  parameters: ReadonlyArray<Parameter>,
) => Effect.Effect<ReadonlyArray<Found>, SqlError>

/**
 * Runs a statement to its end also where the caller is interrupted: the driver's way to cancel one may hit the next
 * statement on that connection, which is another's. Time limits of the pool bound it.
 */
export const runOn =
  (sql: SqlClient): Run =>
  (statement, parameters) =>
    Effect.uninterruptible(sql.unsafe(statement, parameters))

/** Whether the whole transaction may succeed where it is begun anew: a deadlock, or a change by another in between. */
const isContended = (error: unknown): boolean =>
  error instanceof SqlError &&
  error.cause instanceof Error &&
  ["40001", "40P01"].includes(String(Reflect.get(error.cause, "code")))

/**
 * Runs statements in one transaction. It needs nothing of its connection afterwards, so that a pooler may give each
 * transaction another one. An interruption comes either before the commit, and rolls back, or after `committed` was called.
 */
export const transaction = <A, E>(
  sql: SqlClient,
  change: (run: Run) => Effect.Effect<A, E>,
  committed?: (result: A) => void,
): Effect.Effect<A, E | SqlError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const connection = yield* sql.reserve
      const run: Run = (statement, parameters) =>
        Effect.uninterruptible(connection.execute(statement, parameters, undefined))
      yield* run("BEGIN ISOLATION LEVEL READ COMMITTED", [])
      const result = yield* restore(change(run)).pipe(
        Effect.zipLeft(run("COMMIT", [])),
        Effect.onError(() => Effect.ignore(run("ROLLBACK", []))),
      )
      committed?.(result)
      return result
    }).pipe(Effect.scoped),
  ).pipe(Effect.retry({ times: 5, while: isContended }))
