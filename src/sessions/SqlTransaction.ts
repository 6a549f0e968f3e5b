import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, type Scope } from "effect"

/** Runs a statement on the connection of a transaction. */
export type RunWith<Parameter> = <Found extends object>(
  statement: string,
  parameters: ReadonlyArray<Parameter>,
) => Effect.Effect<ReadonlyArray<Found>, SqlError>

/** How a database does a transaction. */
export interface TransactionKind<Parameter> {
  /** A connection for it alone. May be interrupted where that is safe, by `restore`. */
  readonly reserve: (
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
  ) => Effect.Effect<Connection, SqlError, Scope.Scope>
  readonly runOn: (connection: Connection) => RunWith<Parameter>
  readonly begin: string
}

/**
 * Runs statements in one transaction. An interruption comes either before the commit, and rolls back, or after `committed`
 * was called. A COMMIT may fail, too; then all is rolled back.
 */
export const transactionOf = <Parameter, A, E>(
  { begin, reserve, runOn }: TransactionKind<Parameter>,
  change: (run: RunWith<Parameter>) => Effect.Effect<A, E>,
  committed?: (result: A) => void,
): Effect.Effect<A, E | SqlError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const run = runOn(yield* reserve(restore))
      yield* run(begin, [])
      const result = yield* restore(change(run)).pipe(
        Effect.zipLeft(run("COMMIT", [])),
        Effect.onError(() => Effect.ignore(run("ROLLBACK", []))),
      )
      committed?.(result)
      return result
    }).pipe(Effect.scoped),
  )
