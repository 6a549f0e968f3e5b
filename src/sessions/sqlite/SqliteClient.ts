import type { Reactivity } from "@effect/experimental/Reactivity"
import { make as makeClient, type SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { makeCompilerSqlite } from "@effect/sql/Statement"
import { Effect, type Scope, Stream } from "effect"
import type { Database, OpenOptions, Statement } from "./SqliteDatabase.js"
import { openDatabase } from "./SqliteDriver.js"

type AnyStatement = Statement<ReadonlyArray<unknown>, object>

const attempt = <A>(work: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: work, catch: (cause) => new SqlError({ cause, message: "Failed to execute statement" }) })

const rowsOf = (statement: AnyStatement, parameters: ReadonlyArray<unknown>): ReadonlyArray<object> => {
  if (statement.reader) return statement.all(...parameters)
  statement.run(...parameters)
  return []
}

const valuesOf = (database: Database, text: string, parameters: ReadonlyArray<unknown>) => {
  const statement = database.prepare<ReadonlyArray<unknown>, ReadonlyArray<unknown>>(text)
  if (!statement.reader) {
    statement.run(...parameters)
    return []
  }
  // The statement is kept, and gives objects to others.
  try {
    return statement.raw().all(...parameters)
  } finally {
    statement.raw(false)
  }
}

/** A connection of @effect/sql. Each statement has run when its Effect is evaluated. */
const connectionOn = (database: Database): Connection => {
  const rows = (text: string, parameters: ReadonlyArray<unknown>) =>
    attempt(() => rowsOf(database.prepare(text), parameters))
  const execute: Connection["execute"] = (text, parameters, transformRows) =>
    transformRows === undefined ? rows(text, parameters) : Effect.map(rows(text, parameters), transformRows)
  return {
    execute,
    executeRaw: rows,
    executeUnprepared: execute,
    executeValues: (text, parameters) => attempt(() => valuesOf(database, text, parameters)),
    executeStream: (text, parameters, transformRows) =>
      Stream.unwrap(Effect.map(execute(text, parameters, transformRows), Stream.fromIterable)),
  }
}

/** A client of @effect/sql on a database of its own. One statement or transaction runs at a time. Fails with what the driver throws. */
export const openSqliteClient = (
  path: string,
  options: OpenOptions,
): Effect.Effect<SqlClient, unknown, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    const open = Effect.try({ try: () => openDatabase(path, options), catch: (error) => error })
    const database = yield* Effect.acquireRelease(open, (opened) => Effect.sync(() => opened.close()))
    const connection = connectionOn(database)
    const semaphore = yield* Effect.makeSemaphore(1)
    const transactionAcquirer = Effect.uninterruptibleMask((restore) =>
      Effect.as(
        Effect.acquireRelease(restore(semaphore.take(1)), () => semaphore.release(1)),
        connection,
      ),
    )
    return yield* makeClient({
      acquirer: semaphore.withPermits(1)(Effect.succeed(connection)),
      transactionAcquirer,
      compiler: makeCompilerSqlite(),
      spanAttributes: [["db.system.name", "sqlite"]],
    })
  })
