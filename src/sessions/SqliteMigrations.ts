import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { policyRows } from "../domain/Policies.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { isBusy, policyTableFault } from "./SqliteFault.js"
import { atOnce, type Run } from "./SqliteTransaction.js"

/** A table of the proxy's own beside `sessions`, which other programs need not know. */
export const policyTable = "session_policies"

/** Which versions of the proxy's own tables a file has been brought to, and when. */
const migrationTable = "ss_proxy_migrations"

const policyColumns = Object.values(policyRows)

/** Makes the table of policies as it is now, where it is missing. Where NULL stands, the settings of the proxy say. */
export const createPolicyTable = `CREATE TABLE IF NOT EXISTS ${policyTable} (
    session_id TEXT PRIMARY KEY NOT NULL${policyColumns
      .map(({ column, columnType }) => `,\n    ${column} ${columnType}`)
      .join("")}
  )`

const createMigrationTable = `CREATE TABLE IF NOT EXISTS ${migrationTable} (
    version INTEGER PRIMARY KEY NOT NULL,
    applied_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
  )`

/**
 * What brings the tables from one version to the next. Columns are added at the end, and nothing is changed or removed: so a
 * program of an earlier version goes on with the file. The table `sessions` is not ours, and never touched. Each may be
 * run again: somebody may have put a table of an earlier version in the place of ours.
 */
type Migration = (run: Run, present: ReadonlyArray<string>) => Effect.Effect<unknown, SqlError>

/** Version 1 is the first of these. New ones go to the end. */
const migrations: ReadonlyArray<Migration> = [
  (run) => run(createPolicyTable, []),
  ...policyColumns.map(
    ({ column, columnType }): Migration =>
      (run, present) =>
        present.length === 0 || present.includes(column)
          ? Effect.void
          : run(`ALTER TABLE ${policyTable} ADD COLUMN ${column} ${columnType}`, []),
  ),
]

/** What a file has of the proxy's own tables. */
interface State {
  /** The columns of the table of policies; none where there is no such table. */
  readonly present: ReadonlyArray<string>
  /** The versions that it was brought to, as far as all of their columns are still there. */
  readonly done: ReadonlySet<number>
}

const columnStatement = "SELECT lower(name) AS name FROM pragma_table_info(?)"
const versionStatement = `SELECT version FROM ${migrationTable}`

const stateOf = (run: Run): Effect.Effect<State, SqlError> =>
  Effect.gen(function* () {
    const columnsOf = (table: string) => run<{ readonly name: string }>(columnStatement, [table])
    const present = (yield* columnsOf(policyTable)).map(({ name }) => name)
    const isWhole = policyColumns.every(({ column }) => present.includes(column))
    const hasVersions = isWhole && (yield* columnsOf(migrationTable)).length > 0
    const versions = hasVersions ? yield* run<{ readonly version: number }>(versionStatement, []) : []
    return { present, done: new Set(versions.map(({ version }) => version)) }
  })

/** The versions that are missing, in their order. */
const pending = ({ done }: State): ReadonlyArray<number> =>
  migrations.map((_, at) => at + 1).filter((v) => !done.has(v))

/** Brings the proxy's own tables to the version of this program: once, whoever else is about to do so at the same time. */
const bringUp = (run: Run, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const state = yield* stateOf(run)
    if (state.present.length > 0 && !state.present.includes("session_id")) return yield* policyTableFault(filename)
    yield* run(createMigrationTable, [])
    for (const version of pending(state)) {
      yield* migrations[version - 1]?.(run, state.present) ?? Effect.void
      yield* run(`INSERT INTO ${migrationTable} (version) VALUES (?) ON CONFLICT DO NOTHING`, [version])
    }
  })

/**
 * Brings the proxy's own tables up to date where they are not; else only reads. @effect/sql has a migrator, too: it begins
 * with a transaction that reads, and of two programs that start at the same time one then fails, since SQLite lets no
 * reader become a writer behind another; it takes a failure for a defect; and it could not tell that a table was replaced.
 */
export const migrate = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const state = yield* stateOf((statement, parameters) => sql.unsafe(statement, parameters))
    if (pending(state).length === 0) return
    yield* atOnce(sql, (run) => bringUp(run, filename)).pipe(
      // No reason to wait for a lock: without this table no session has a policy, and who stores the first one makes it.
      Effect.catchIf(
        (error) => state.present.length === 0 && isBusy(error),
        () => Effect.void,
      ),
    )
  })
