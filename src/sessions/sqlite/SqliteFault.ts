import { SqlError } from "@effect/sql/SqlError"
import { driverFault, type SqliteError, sqliteErrorOf } from "./SqliteDriver.js"
import { Schedule } from "effect"
import * as Effect from "effect/Effect"
import { StoreUnavailable } from "../../domain/ProxyError.js"

/** The error of the driver, without the `SqlError`s around it. */
const causeOf = (error: unknown): unknown => (error instanceof SqlError ? causeOf(error.cause) : error)

/** What SQLite said; `undefined` for any other error. */
const driverError = (error: unknown): SqliteError | undefined => sqliteErrorOf(causeOf(error))

/** SQLite's result code, such as `SQLITE_BUSY`; `""` for any other error. */
const codeOf = (error: unknown): string => driverError(error)?.code ?? ""

/** The message of an SQLite error; `""` for any other error. */
export const messageOf = (error: unknown): string => driverError(error)?.message ?? ""

/** Whether another connection holds a lock, so that a retry may succeed. */
export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))

/** Whether the session id exists already. Another constraint of the table does not count. */
export const isKeyConflict = (error: unknown): boolean =>
  /^SQLITE_CONSTRAINT_(PRIMARYKEY|UNIQUE)$/.test(codeOf(error)) && / sessions\.session_id$/i.test(messageOf(error))

/**
 * Retries for about `milliseconds` while another connection holds a lock. SQLite's own busy timeout is not used,
 * because it would block the event loop, and with it the traffic of all sessions.
 */
export const whileBusy =
  (milliseconds: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.retry(effect, {
      while: isBusy,
      schedule: Schedule.jittered(Schedule.spaced(15)).pipe(Schedule.upTo(milliseconds)),
    })

/**
 * The table of the proxy's own that is missing: not made yet, or the file was restored from an older copy; `undefined` for
 * any other error.
 */
export const missingOwnTable = (error: unknown): string | undefined =>
  /^no such table: (?:main\.)?(session_policies|session_control)$/.exec(messageOf(error))?.[1]

interface Explanation {
  readonly code: RegExp
  readonly problem: (file: string, message: string) => string
  readonly hint: string
}

const tableHint =
  "Name the right file with --db-path, or move this table aside: an absent table is made again when the proxy starts."

const ownTableProblem = (file: string, table: string) =>
  `the ${table} table in ${file} has other columns than the proxy's`

// The first entry whose `code` matches the result code and message applies.
const explanations: ReadonlyArray<Explanation> = [
  {
    code: /^SQLITE_NOTADB/,
    problem: (file) => `${file} is not an SQLite database`,
    hint: "Name another file with --db-path, or move this one away: a new database is made on the next start.",
  },
  {
    code: /^SQLITE_(BUSY|LOCKED)/,
    problem: (file) => `${file} is locked by another program`,
    hint: "End the transaction of the program that holds it (`fuser FILE` or `lsof FILE` names it), then try again.",
  },
  {
    code: /^SQLITE_READONLY/,
    problem: (file) => `${file} cannot be written`,
    hint: "Give the proxy's user write permission on the file and on its folder.",
  },
  {
    code: /^SQLITE_(CANTOPEN|PERM|AUTH)/,
    problem: (file) => `${file} cannot be opened`,
    hint: "Check that it exists, and that the proxy's user may read and write it and its folder.",
  },
  {
    code: /^SQLITE_FULL/,
    problem: (file) => `${file} cannot grow: the disk is full`,
    hint: "Make room on its file system.",
  },
  {
    code: /^SQLITE_CORRUPT/,
    problem: (file) => `${file} is damaged`,
    hint: 'Look at it with `sqlite3 FILE "PRAGMA integrity_check"`, and restore a backup.',
  },
  {
    code: /^SQLITE_IOERR/,
    problem: (file) => `${file} cannot be read or written (I/O error)`,
    hint: "Check the disk, and whether the file is on a network file system: SQLite needs a local one.",
  },
  {
    code: /^SQLITE_CONSTRAINT/,
    problem: (file, message) => `the sessions table in ${file} refuses this row: it has a rule of its own (${message})`,
    hint: "Look at the rule with `sqlite3 FILE .schema`.",
  },
  {
    code: /^SQLITE_ERROR no such table/,
    problem: (file) => `${file} has no sessions table any more`,
    hint: "Restore the table, or restart the proxy to make an empty one.",
  },
  {
    code: /^SQLITE_ERROR (?=.*session_(policies|control)).*(no such column|no column named)/,
    problem: (file, message) =>
      ownTableProblem(file, message.includes("session_control") ? "session_control" : "session_policies"),
    hint: "Restart the proxy: it adds what the table of an earlier version lacks.",
  },
  {
    code: /^SQLITE_ERROR .*(no such column|no column named)/,
    problem: (file) => `the sessions table in ${file} has other columns than the proxy's`,
    hint: tableHint,
  },
]

const fallbackHint = "Check the file with `sqlite3 FILE .schema`."

/** Explains an error of the driver to an operator. `filename`: as the operator wrote it. */
export const storeFault =
  (filename: string) =>
  (error: unknown): StoreUnavailable => {
    if (error instanceof StoreUnavailable) return error
    const unloadable = driverFault(causeOf(error))
    if (unloadable !== undefined) return new StoreUnavailable({ ...unloadable, cause: error })
    const sqlite = driverError(error)
    const described = `${sqlite?.code ?? ""} ${sqlite?.message ?? ""}`
    const known = explanations.find(({ code }) => code.test(described))
    return new StoreUnavailable({
      problem:
        known?.problem(filename, sqlite?.message ?? "") ??
        `${filename} cannot be used (${sqlite?.code ?? "unknown error"})`,
      hint: known?.hint ?? fallbackHint,
      cause: error,
    })
  }

/** The proxy cannot use the `sessions` table. `problem` is a phrase that follows its name. */
export const tableFault = (filename: string, problem: string): StoreUnavailable =>
  new StoreUnavailable({ problem: `the sessions table in ${filename} ${problem}`, hint: tableHint })

/** The proxy cannot use a table of its own. */
export const ownTableFault = (filename: string, table: string): StoreUnavailable =>
  new StoreUnavailable({
    problem: ownTableProblem(filename, table),
    hint: "Move this table aside: an absent table is made again when the proxy starts.",
  })
