import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { policyRows } from "../domain/Policies.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { isBusy, policyTableFault } from "./SqliteFault.js"
import { type Run, transaction } from "./SqliteTransaction.js"

/** The proxy's own table beside `sessions`. Other programs need not know it. */
export const policyTable = "session_policies"

/** Records which migrations were applied to the proxy's own tables, and when. */
const migrationTable = "ss_proxy_migrations"

const policyColumns = Object.values(policyRows)

/**
 * Makes the table of policies in its current version, if it is missing. NULL means: as the settings of the proxy say.
 */
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
 * Brings the tables from one version to the next. A migration only adds columns at the end, so that programs of earlier
 * versions can still use the file. It never changes the table `sessions`, which other programs own. It must be
 * repeatable, because another program may have replaced our table by one of an earlier version.
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

/** The state of the proxy's own tables in a file. */
interface State {
  /** The columns of the table of policies; none if the table is missing. */
  readonly present: ReadonlyArray<string>
  /** The applied migrations; none if one of the columns is missing. */
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

/** The migrations to apply, in order. */
const pending = ({ done }: State): ReadonlyArray<number> =>
  migrations.map((_, at) => at + 1).filter((v) => !done.has(v))

/**
 * Applies the pending migrations. It reads the state again, because another program may have applied them meanwhile.
 */
const applyPending = (run: Run, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
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
 * Brings the proxy's own tables up to date; only reads if they are. The migrator of @effect/sql is not used for three
 * reasons. It begins with a read transaction, and SQLite does not upgrade that to a write transaction after another
 * commit, so one of two programs that start at the same time would fail. It turns failures into defects. It cannot
 * detect that a table was replaced.
 */
export const migrate = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const state = yield* stateOf((statement, parameters) => sql.unsafe(statement, parameters))
    if (pending(state).length === 0) return
    yield* transaction(sql, (run) => applyPending(run, filename)).pipe(
      // Do not wait for a lock: without this table no session has a policy, and each write makes the table if it is
      // missing.
      Effect.catchIf(
        (error) => state.present.length === 0 && isBusy(error),
        () => Effect.void,
      ),
    )
  })
