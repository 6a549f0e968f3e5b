import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, type Scope } from "effect"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { messageOf, whileBusy } from "./SqliteFault.js"
import { type Run, transaction } from "./SqliteTransaction.js"

/*
 * A command that makes a file fills it in several commits: the table, then the sessions. A proxy that follows the file
 * would take the state after the first commit for the truth, and end the live traffic of all sessions. So the command puts a
 * table of its own into the file before it makes the others, and removes it when it is done.
 */
const makingTable = "ss_proxy_making"
const dropStatement = `DROP TABLE IF EXISTS ${makingTable}`

/** How long a file may be in the making, in seconds: after a reboot another process may have the maker's number. */
const longest = 600

/** How long one counts as unfinished whose maker was killed, in seconds: whoever has lost a file will try again. */
const longestLeft = 60

/** Time limit for the removal of the mark, in milliseconds. */
const lockTimeout = 5_000

const isMarked = (sql: SqlClient): Effect.Effect<boolean, SqlError> =>
  Effect.map(
    sql<object>`SELECT 1 FROM pragma_table_list(${makingTable}) WHERE schema = 'main'`,
    (tables) => tables.length > 0,
  )

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process is running, too.
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

interface Mark {
  readonly row: number
  readonly pid: number
  readonly age: number
}

const createStatement = `CREATE TABLE IF NOT EXISTS ${makingTable} (pid, since)`
const markStatement = `INSERT INTO ${makingTable} (pid, since) VALUES (?, unixepoch()) RETURNING rowid AS row`
const marksStatement = `SELECT rowid AS row, pid, unixepoch() - since AS age FROM ${makingTable}`
const unmarkStatement = `DELETE FROM ${makingTable} WHERE rowid = ?`

const mark = (run: Run): Effect.Effect<number | undefined, SqlError> =>
  Effect.gen(function* () {
    yield* run(createStatement, [])
    const [made] = yield* run<Pick<Mark, "row">>(markStatement, [process.pid])
    return made?.row
  })

/** The file counts as made with the last mark of a running command; those of killed commands go with it. */
const unmark = (run: Run, own: number | undefined): Effect.Effect<unknown, SqlError> =>
  Effect.gen(function* () {
    const marks = yield* run<Mark>(marksStatement, [])
    const isAwaited = marks.some(({ age, pid, row }) => row !== own && age < longest && isRunning(pid))
    yield* isAwaited ? run(unmarkStatement, [own ?? null]) : run(dropStatement, [])
  })

/**
 * Marks a file without tables as being made by this process, until the scope closes. Several commands may do so at the same
 * time, so each mark comes and goes in one transaction.
 */
export const markAsMaking = (sql: SqlClient): Effect.Effect<void, SqlError, Scope.Scope> =>
  Effect.acquireRelease(transaction(sql, mark), (own) =>
    Effect.ignore(whileBusy(lockTimeout)(transaction(sql, (run) => unmark(run, own)))),
  ).pipe(Effect.asVoid)

/** Marks a file that another command is making, or was when it was killed: it counts as made when both have ended. */
export const takeOverMaking = (sql: SqlClient): Effect.Effect<void, SqlError, Scope.Scope> =>
  Effect.flatMap(isMarked(sql), (isMaking) => (isMaking ? markAsMaking(sql) : Effect.void))

/** Fails while a command on this machine is making the file, and for a while if it was killed at that. */
export const requireWhole = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    if (!(yield* isMarked(sql))) return
    const marks = yield* sql.unsafe<Mark>(marksStatement).pipe(
      // The command has ended meanwhile.
      Effect.catchIf(
        (error) => messageOf(error) === `no such table: ${makingTable}`,
        () => Effect.succeed([]),
      ),
    )
    if (marks.some(({ age, pid }) => age < (isRunning(pid) ? longest : longestLeft)))
      return yield* new StoreUnavailable({
        problem: `${filename} is still being created`,
        hint: "It is used as soon as the command that creates it has ended. If that was killed, run it again.",
      })
  })
