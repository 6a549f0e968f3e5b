import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Effect } from "effect"
import { type RunWith, transactionOf } from "../SqlTransaction.js"

/** Runs a statement on the connection of a transaction. */
export type Run = RunWith<string | number | null>

/** Runs statements in one transaction, which takes the lock for writes at its beginning (`transactionOf`). */
export const transaction = <A, E>(
  sql: SqlClient,
  change: (run: Run) => Effect.Effect<A, E>,
  committed?: (result: A) => void,
): Effect.Effect<A, E | SqlError> =>
  transactionOf(
    {
      reserve: (restore) => restore(sql.reserve),
      runOn: (connection) => (statement, parameters) => connection.execute(statement, parameters, undefined),
      begin: "BEGIN IMMEDIATE",
    },
    change,
    committed,
  )
