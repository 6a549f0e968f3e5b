import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { type RunWith, transactionOf } from "../SqlTransaction.js"

/** A value of a statement. A text of any type is read as the type of its place. */
export type Parameter = string | number | null | ReadonlyArray<string>

/** Runs a statement on the connection of a transaction. */
export type Run = RunWith<Parameter>

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
 * Runs statements in one transaction (`transactionOf`). It needs nothing of its connection afterwards, so that a pooler may
 * give each transaction another one.
 */
export const transaction = <A, E>(
  sql: SqlClient,
  change: (run: Run) => Effect.Effect<A, E>,
  committed?: (result: A) => void,
): Effect.Effect<A, E | SqlError> =>
  transactionOf(
    {
      reserve: () => sql.reserve,
      runOn: (connection) => (statement, parameters) =>
        Effect.uninterruptible(connection.execute(statement, parameters, undefined)),
      begin: "BEGIN ISOLATION LEVEL READ COMMITTED",
    },
    change,
    committed,
  ).pipe(Effect.retry({ times: 5, while: isContended }))
