import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import type { IdCase } from "../../domain/Settings.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { tableFault } from "./SqliteFault.js"
import { migrate } from "./SqliteMigrations.js"

/** The table and its indexes. Other programs that share the file rely on them. */
const sessionStatements: ReadonlyArray<string> = [
  `CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY NOT NULL,
    downstream_server_url TEXT NOT NULL,
    downstream_server_status TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
  )`,
  "CREATE INDEX IF NOT EXISTS idx_session_status ON sessions(downstream_server_status)",
  "CREATE INDEX IF NOT EXISTS idx_created_at ON sessions(created_at)",
]

/** For ids that are compared without regard to case: without it, each unknown id would be looked for in every row. */
const foldedIndex = "CREATE INDEX IF NOT EXISTS idx_session_id_nocase ON sessions(session_id COLLATE NOCASE)"

const columns = ["session_id", "downstream_server_url", "downstream_server_status", "created_at", "updated_at"]

interface TableKind {
  readonly type: string
  readonly withoutRowid: number
}

interface Column {
  readonly name: string
  /** 1 if the column has no default and does not allow NULL, so that our INSERT would fail. */
  readonly demanding: number
}

/**
 * Makes missing tables and indexes, and writes nothing if none is missing. Several processes may do this at the same
 * time.
 */
export const createSchema = (
  sql: SqlClient,
  filename: string,
  idCase: IdCase,
): Effect.Effect<void, SqlError | StoreUnavailable> => {
  const statements = idCase === "fold" ? [...sessionStatements, foldedIndex] : sessionStatements
  return Effect.zipRight(
    Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }),
    migrate(sql, filename),
  )
}

/**
 * Checks that the `sessions` table, if there is one, can be used. Other columns are allowed if an INSERT may omit them.
 */
export const checkTable = (
  sql: SqlClient,
  filename: string,
): Effect.Effect<"there" | "absent", SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const [kind] = yield* sql<TableKind>`
      SELECT type, wr AS withoutRowid FROM pragma_table_list('sessions') WHERE schema = 'main'`
    if (kind === undefined) return "absent"
    if (kind.type !== "table" || kind.withoutRowid !== 0)
      return yield* tableFault(filename, "is not an ordinary table (it is a view, virtual, or WITHOUT ROWID)")
    const present = yield* sql<Column>`
      SELECT name, "notnull" AND dflt_value IS NULL AND NOT pk AS demanding FROM pragma_table_info('sessions')`
    const missing = columns.filter((name) => !present.some((column) => column.name.toLowerCase() === name))
    if (missing.length > 0) return yield* tableFault(filename, `lacks the column ${missing.join(", ")}`)
    const unknown = present.filter((column) => column.demanding !== 0 && !columns.includes(column.name.toLowerCase()))
    if (unknown.length > 0)
      return yield* tableFault(filename, `demands a value for the column ${unknown.map(({ name }) => name).join(", ")}`)
    return "there"
  })

/** The table is missing, and this connection must not make it. */
export const noTable = (filename: string): StoreUnavailable =>
  new StoreUnavailable({
    problem: `${filename} holds no sessions table`,
    hint: "Name the right file with --db-path; the proxy makes the table when it starts.",
  })
