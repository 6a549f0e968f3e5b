import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, type Scope } from "effect"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { whileBusy } from "./SqliteFault.js"

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

/** The file counts as made when the scope closes. */
const removingMark = (sql: SqlClient): Effect.Effect<void, never, Scope.Scope> =>
  Effect.addFinalizer(() => Effect.ignore(whileBusy(lockTimeout)(sql.unsafe(dropStatement))))

const thisProcess = `SELECT ${process.pid} AS pid, unixepoch() AS since`

/** Marks a file without tables as being made by this process, until the scope closes. */
export const markAsMaking = (sql: SqlClient): Effect.Effect<void, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* sql.unsafe(dropStatement)
    yield* sql.unsafe(`CREATE TABLE ${makingTable} AS ${thisProcess}`)
    yield* removingMark(sql)
  })

/** Finishes, when the scope closes, what another command has begun that was killed. */
export const takeOverMaking = (sql: SqlClient): Effect.Effect<void, SqlError, Scope.Scope> =>
  Effect.gen(function* () {
    if (!(yield* isMarked(sql))) return
    yield* sql.unsafe(`INSERT INTO ${makingTable} (pid, since) ${thisProcess}`)
    yield* removingMark(sql)
  })

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
  readonly pid: number
  readonly age: number
}

/** Fails while a command on this machine is making the file, and for a while if it was killed at that. */
export const requireWhole = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    if (!(yield* isMarked(sql))) return
    const marks = yield* sql.unsafe<Mark>(`SELECT pid, unixepoch() - since AS age FROM ${makingTable}`)
    if (marks.some(({ age, pid }) => age < (isRunning(pid) ? longest : longestLeft)))
      return yield* new StoreUnavailable({
        problem: `${filename} is still being created`,
        hint: "It is used as soon as the command that creates it has ended. If that was killed, run it again.",
      })
  })
