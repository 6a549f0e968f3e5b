import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { policyRows } from "../../domain/Policies.js"
import { controlColumns } from "../../domain/SessionControl.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { isBusy, ownTableFault } from "./SqliteFault.js"
import { type Run, transaction } from "./SqliteTransaction.js"

/** A table of the proxy beside `sessions`. Other programs need not know it. */
interface OwnTable {
  readonly name: string
  /** Those behind `session_id`. */
  readonly columns: ReadonlyArray<{ readonly column: string; readonly columnType: string }>
}

export const policyTable = "session_policies"
export const controlTable = "session_control"

const policies: OwnTable = { name: policyTable, columns: Object.values(policyRows) }
const control: OwnTable = {
  name: controlTable,
  columns: Object.values(controlColumns).map((column) => ({
    column,
    columnType: column === controlColumns.killReason ? "TEXT" : "INTEGER",
  })),
}
const ownTables = [policies, control]

/** Records which migrations were applied to the proxy's own tables, and when. */
const migrationTable = "ss_proxy_migrations"

const create = ({ columns, name }: OwnTable): string => `CREATE TABLE IF NOT EXISTS ${name} (
    session_id TEXT PRIMARY KEY NOT NULL${columns
      .map(({ column, columnType }) => `,\n    ${column} ${columnType}`)
      .join("")}
  )`

/**
 * Makes the table of policies in its current version, if it is missing. NULL means: as the settings of the proxy say.
 */
export const createPolicyTable = create(policies)

/** The same for the table of what was asked of sessions. NULL means: nothing. */
export const createControlTable = create(control)

const createMigrationTable = `CREATE TABLE IF NOT EXISTS ${migrationTable} (
    version INTEGER PRIMARY KEY NOT NULL,
    applied_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
  )`

/**
 * Brings the tables from one version to the next. A migration only adds columns at the end, so that programs of earlier
 * versions can still use the file. It never changes the table `sessions`, which other programs own. It must be
 * repeatable, because another program may have replaced our table by one of an earlier version.
 */
interface Migration {
  readonly version: number
  readonly apply: (run: Run, state: State) => Effect.Effect<unknown, SqlError>
}

const addColumn = (run: Run, table: OwnTable, { column, columnType }: OwnTable["columns"][number]) =>
  run(`ALTER TABLE ${table.name} ADD COLUMN ${column} ${columnType}`, [])

// The numbers of the other table: each new policy takes the next one below.
const firstOfControl = 101

const migrations: ReadonlyArray<Migration> = [
  { version: 1, apply: (run) => run(createPolicyTable, []) },
  ...policies.columns.map((added, at): Migration => ({
    version: at + 2,
    apply: (run, state) => {
      const present = presentIn(state, policies)
      return present.length === 0 || present.includes(added.column) ? Effect.void : addColumn(run, policies, added)
    },
  })),
  {
    version: firstOfControl,
    apply: (run, state) => {
      const present = presentIn(state, control)
      const missing = control.columns.filter(({ column }) => !present.includes(column))
      return present.length === 0
        ? run(createControlTable, [])
        : Effect.forEach(missing, (column) => addColumn(run, control, column))
    },
  },
]

/** The state of the proxy's own tables in a file. */
interface State {
  /** The columns of each table, in small letters; none if it is missing. */
  readonly present: ReadonlyMap<OwnTable, ReadonlyArray<string>>
  /** The applied migrations; none if one of the columns is missing. */
  readonly done: ReadonlySet<number>
}

const presentIn = ({ present }: Pick<State, "present">, table: OwnTable): ReadonlyArray<string> =>
  present.get(table) ?? []

const isWhole = (state: Pick<State, "present">, table: OwnTable): boolean =>
  table.columns.every(({ column }) => presentIn(state, table).includes(column))

const columnStatement = "SELECT lower(name) AS name FROM pragma_table_info(?)"
const versionStatement = `SELECT version FROM ${migrationTable}`

const stateOf = (run: Run): Effect.Effect<State, SqlError> =>
  Effect.gen(function* () {
    const columnsOf = (table: string) =>
      Effect.map(run<{ readonly name: string }>(columnStatement, [table]), (rows) => rows.map(({ name }) => name))
    const present = new Map<OwnTable, ReadonlyArray<string>>()
    for (const table of ownTables) present.set(table, yield* columnsOf(table.name))
    const areWhole = ownTables.every((table) => isWhole({ present }, table))
    const hasVersions = areWhole && (yield* columnsOf(migrationTable)).length > 0
    const versions = hasVersions ? yield* run<{ readonly version: number }>(versionStatement, []) : []
    return { present, done: new Set(versions.map(({ version }) => version)) }
  })

/** The migrations to apply, in order. */
const pending = ({ done }: State): ReadonlyArray<Migration> => migrations.filter(({ version }) => !done.has(version))

/**
 * Applies the pending migrations. It reads the state again, because another program may have applied them meanwhile.
 */
const applyPending = (run: Run, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const state = yield* stateOf(run)
    for (const table of ownTables) {
      const present = presentIn(state, table)
      if (present.length > 0 && !present.includes("session_id")) return yield* ownTableFault(filename, table.name)
    }
    yield* run(createMigrationTable, [])
    for (const { version, apply } of pending(state)) {
      yield* apply(run, state)
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
      // Do not wait for a lock where a table is missing as a whole: then no session has a policy, or nothing was asked of
      // any, and each write makes the table.
      Effect.catchIf(
        (error) =>
          ownTables.every((table) => presentIn(state, table).length === 0 || isWhole(state, table)) && isBusy(error),
        () => Effect.void,
      ),
    )
  })
