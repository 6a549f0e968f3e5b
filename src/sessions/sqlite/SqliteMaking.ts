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

/** How long a file may be in the making, in seconds: after a reboot another process may have the maker's number. */
const longest = 600

/** Time limit for the removal of the mark, in milliseconds. */
const lockTimeout = 5_000

/** Marks a file without tables as being made by this process, until the scope closes. */
export const markAsMaking = (sql: SqlClient): Effect.Effect<void, SqlError, Scope.Scope> => {
  const create = `CREATE TABLE IF NOT EXISTS ${makingTable} AS SELECT ${process.pid} AS pid, unixepoch() AS since`
  const drop = sql.unsafe(`DROP TABLE IF EXISTS ${makingTable}`)
  // A mark that stays is ignored as soon as this process has ended.
  return Effect.asVoid(Effect.acquireRelease(sql.unsafe(create), () => Effect.ignore(whileBusy(lockTimeout)(drop))))
}

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

/** Fails while a command on this machine is making the file. */
export const requireWhole = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const isMarked = yield* sql<object>`SELECT 1 FROM pragma_table_list(${makingTable}) WHERE schema = 'main'`
    if (isMarked.length === 0) return
    const marks = yield* sql.unsafe<Mark>(`SELECT pid, unixepoch() - since AS age FROM ${makingTable}`)
    if (marks.some(({ age, pid }) => age < longest && isRunning(pid)))
      return yield* new StoreUnavailable({
        problem: `${filename} is still being made`,
        hint: "It is taken as soon as the command that makes it has ended.",
      })
  })
