import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import type { Client } from "pg"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { type Run, runOn, transaction } from "./PostgresTransaction.js"
import {
  addColumn,
  controlTable,
  createIndex,
  createTable,
  identifier,
  incarnationColumn,
  indexesFor,
  policyTable,
  type SessionIndex,
  sessionTable,
  tableIn,
  type TableKind,
  tables,
  type TellFunction,
  tellFunctions,
  type TellTrigger,
  tellTriggers,
} from "./PostgresSchema.js"

/** What is to be there, and where. */
export interface Wanted {
  readonly schema: string
  /** How messages name the database. */
  readonly shown: string
  /** Whether ids are compared without regard to case. */
  readonly folds: boolean
}

interface FoundColumn {
  readonly table: string
  readonly name: string
  readonly type: string
  /** An INSERT that does not name it would fail. */
  readonly demanding: boolean
}

/** What a schema has. */
interface State {
  /** The kinds of the tables that are there: `r` an ordinary one, `p` a partitioned one, `v` a view, and others. */
  readonly kinds: ReadonlyMap<string, string>
  readonly columns: ReadonlyArray<FoundColumn>
  /** The tables in which no id can be twice. */
  readonly unique: ReadonlyArray<string>
  readonly indexes: ReadonlyArray<string>
  /** The functions, with what they consist of. */
  readonly functions: ReadonlyMap<string, string>
  /** The triggers, as `firingText` has them. */
  readonly triggers: ReadonlyArray<string>
  readonly hasSchema: boolean
  /** How the database holds texts. */
  readonly encoding: string
}

const ofTables = `n.nspname = $1 AND c.relname IN ('${sessionTable}', '${policyTable}', '${controlTable}')`

const kindStatement = `SELECT c.relname::text AS name, c.relkind::text AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ofTables}`

// A domain goes by the type below it.
const columnStatement = `SELECT c.relname::text AS table, a.attname::text AS name,
    coalesce(b.typname, t.typname)::text AS type,
    a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND NOT EXISTS (
      SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)
    ) AS demanding
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0)
  WHERE ${ofTables}`

const uniqueStatement = `SELECT DISTINCT c.relname::text AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_index i ON i.indrelid = c.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attname = 'session_id'
  WHERE ${ofTables} AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL`

const indexStatement = `SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('i', 'I')`

const functionStatement = `SELECT p.proname::text AS name, p.prosrc AS source
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.pronargs = 0`

const triggerStatement = `SELECT c.relname || ' ' || t.tgname || ' ' || t.tgenabled::text AS name
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE ${ofTables}`

/** A trigger that fires when it is to, as `triggerStatement` tells it. */
const firingText = ({ fires, name, table }: TellTrigger): string => `${table} ${name} ${fires}`

const schemaStatement = `SELECT pg_catalog.current_setting('server_encoding') AS encoding,
    EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1) AS found`

/** Encodings that hold any id. With another one a single id that it lacks would fail the query for all that are asked with it. */
const encodings = ["UTF8", "SQL_ASCII"]

interface Named {
  readonly name: string
}

const stateOf = (run: Run, schema: string): Effect.Effect<State, SqlError> =>
  Effect.gen(function* () {
    const ask = <Found extends object>(statement: string) => run<Found>(statement, [schema])
    const names = (statement: string) => Effect.map(ask<Named>(statement), (rows) => rows.map(({ name }) => name))
    const kinds = yield* ask<Named & { readonly kind: string }>(kindStatement)
    const functions = yield* ask<Named & { readonly source: string }>(functionStatement)
    const [whole] = yield* ask<{ readonly encoding: string; readonly found: boolean }>(schemaStatement)
    return {
      kinds: new Map(kinds.map(({ kind, name }) => [name, kind])),
      columns: yield* ask<FoundColumn>(columnStatement),
      unique: yield* names(uniqueStatement),
      indexes: yield* names(indexStatement),
      functions: new Map(functions.map(({ name, source }) => [name, source])),
      triggers: yield* names(triggerStatement),
      hasSchema: whole?.found === true,
      encoding: whole?.encoding ?? "",
    }
  })

/** What is missing of it. */
interface Missing {
  readonly tables: ReadonlyArray<TableKind>
  readonly columns: ReadonlyArray<readonly [table: TableKind, column: TableKind["columns"][number]]>
  readonly indexes: ReadonlyArray<SessionIndex>
  readonly functions: ReadonlyArray<TellFunction>
  readonly triggers: ReadonlyArray<TellTrigger>
}

const columnsIn = ({ columns }: State, table: TableKind): ReadonlyArray<FoundColumn> =>
  columns.filter((column) => column.table === table.name)

/** Whether a schema has this function, or that of a later version. */
const hasFunction = ({ functions }: State, { name, version }: TellFunction): boolean => {
  const source = functions.get(name)
  const number = source === undefined ? undefined : /^\s*-- ss-proxy (\d+)$/m.exec(source)?.[1]
  return number !== undefined && Number(number) >= version
}

const missingIn = (state: State, { folds }: Wanted): Missing => ({
  tables: tables.filter(({ name }) => !state.kinds.has(name)),
  columns: tables.flatMap((table) =>
    !state.kinds.has(table.name)
      ? []
      : table.columns
          .filter(({ name }) => !columnsIn(state, table).some((found) => found.name === name))
          .map((column) => [table, column] as const),
  ),
  indexes: indexesFor(folds).filter(({ name }) => !state.indexes.includes(name)),
  functions: tellFunctions.filter((kind) => !hasFunction(state, kind)),
  triggers: tellTriggers.filter((kind) => !state.triggers.includes(firingText(kind))),
})

const isNothing = (missing: Missing): boolean => Object.values(missing).every(({ length }) => length === 0)

/** What is missing, in words. */
const namesOf = ({ columns, functions, indexes, tables, triggers }: Missing): string =>
  [
    ...tables.map(({ name }) => `the table ${name}`),
    ...columns.map(([table, { name }]) => `the column ${table.name}.${name}`),
    ...indexes.map(({ name }) => `the index ${name}`),
    ...functions.map(({ name }) => `the function ${name}`),
    ...triggers.map(({ name, table }) => `the trigger ${name} of ${table}`),
  ]
    .slice(0, 4)
    .join(", ")

const refuse = ({ schema, shown }: Wanted, table: string, problem: string, hint: string): StoreUnavailable =>
  new StoreUnavailable({ problem: `the table ${identifier(schema)}.${table} of ${shown} ${problem}`, hint })

const moveAside =
  "Name the right database or schema with --db, or rename this table: an absent one is made again when the proxy starts."

/** What is wrong with a table that is there; it is never changed but for columns that it lacks. */
const faultOf = (state: State, wanted: Wanted, table: TableKind): StoreUnavailable | undefined => {
  const kind = state.kinds.get(table.name)
  if (kind === undefined) return undefined
  const wrong = (problem: string, hint = moveAside) => refuse(wanted, table.name, problem, hint)
  if (kind !== "r" && kind !== "p") return wrong("is no ordinary table")
  const found = columnsIn(state, table)
  const alter = `ALTER TABLE ${tableIn(wanted.schema, table.name)}`
  for (const { allowed, name, rule, type } of table.columns) {
    const there = found.find((column) => column.name === name)
    // A table of another program is not given columns, which it might not expect.
    if (there === undefined && (name === "session_id" || table.name === sessionTable))
      return wrong(
        `lacks the column ${name}`,
        name === incarnationColumn ? `Add it: ${alter} ADD COLUMN ${name} ${type} ${rule}` : moveAside,
      )
    if (there !== undefined && !allowed.includes(there.type))
      return wrong(`has a column ${name} of the type ${there.type}, which must be one of ${allowed.join(", ")}`)
  }
  const extra = found.find(({ demanding, name }) => demanding && !table.columns.some((column) => column.name === name))
  if (extra !== undefined) return wrong(`demands a value for the column ${extra.name}`)
  if (!state.unique.includes(table.name))
    return wrong("may have an id twice", `Correct it: ${alter} ADD PRIMARY KEY (session_id)`)
  return undefined
}

const check = (state: State, wanted: Wanted): Effect.Effect<void, StoreUnavailable> => {
  if (!encodings.includes(state.encoding))
    return new StoreUnavailable({
      problem: `${wanted.shown} has the encoding ${state.encoding}, which cannot hold every id`,
      hint: "Make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and move the rows there.",
    })
  if (!state.hasSchema)
    return new StoreUnavailable({
      problem: `${wanted.shown} has no schema ${identifier(wanted.schema)}`,
      hint: `Make it with CREATE SCHEMA ${identifier(wanted.schema)}, or name another in the URL: ?schema=NAME`,
    })
  for (const table of tables) {
    const fault = faultOf(state, wanted, table)
    if (fault !== undefined) return fault
  }
  return Effect.void
}

const statementsFor = ({ columns, functions, indexes, tables, triggers }: Missing, schema: string) => [
  ...tables.map((table) => createTable(schema, table)),
  ...columns.map(([table, column]) => addColumn(schema, table.name, column)),
  ...indexes.map((index) => createIndex(schema, index)),
  ...functions.map(({ statement }) => statement(schema)),
  ...triggers.flatMap(({ statements }) => statements(schema)),
]

/** What is missing of tables that are fit for use. */
const missingNow = (run: Run, wanted: Wanted): Effect.Effect<Missing, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const state = yield* stateOf(run, wanted.schema)
    yield* check(state, wanted)
    return missingIn(state, wanted)
  })

// The first number is ours alone: other programs may lock what they like. Who waits for it asks nothing meanwhile.
const lockStatement = "SELECT pg_catalog.pg_advisory_xact_lock(1936929904, pg_catalog.hashtext($1))"

/** Nobody else makes tables in this schema until the transaction ends. */
export const lockSchema = (run: Run, schema: string): Effect.Effect<void, SqlError> =>
  Effect.asVoid(run(lockStatement, [schema]))

/** Makes what is missing. It looks again under the lock, for another proxy may have made it. */
const make = (sql: SqlClient, wanted: Wanted): Effect.Effect<void, SqlError | StoreUnavailable> =>
  transaction(sql, (run) =>
    Effect.gen(function* () {
      yield* lockSchema(run, wanted.schema)
      const missing = yield* missingNow(run, wanted)
      for (const statement of statementsFor(missing, wanted.schema)) yield* run(statement, [])
    }),
  )

/** Whether the role may not do it. */
const isForbidden = (error: SqlError | StoreUnavailable): boolean =>
  error._tag === "SqlError" && error.cause instanceof Error && Reflect.get(error.cause, "code") === "42501"

const forbidden = ({ schema, shown }: Wanted, missing: Missing): StoreUnavailable =>
  new StoreUnavailable({
    problem: `${shown} lacks ${namesOf(missing)}, and this role may not make that`,
    // Only the owner of a table may give it triggers, whatever is allowed in its schema.
    hint: `Start the proxy once, or add a session, as the role that owns ${
      missing.tables.length === tables.length
        ? "the schema; or let this role"
        : "the tables; it has to be allowed in their schema, too"
    }: GRANT CREATE ON SCHEMA ${identifier(schema)}`,
  })

/**
 * Makes the tables, with all that tells of their changes, as far as they are missing; only reads if nothing is. Many proxies
 * may do this at once on an empty database: one of them makes everything, in one transaction, and the others wait for it.
 * `bulk`: may take its time with a statement, to wait, and for an index of many rows.
 */
export const migrate = (
  sql: SqlClient,
  bulk: SqlClient,
  wanted: Wanted,
): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const missing = yield* missingNow(runOn(sql), wanted)
    if (!isNothing(missing)) yield* Effect.catchIf(make(bulk, wanted), isForbidden, () => forbidden(wanted, missing))
  })

/** Checks the tables, and makes nothing: for a command that only reads. */
export const requireTables = (sql: SqlClient, wanted: Wanted): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const { columns, tables } = yield* missingNow(runOn(sql), wanted)
    if (tables.length + columns.length === 0) return
    const missing = namesOf({ tables, columns, indexes: [], functions: [], triggers: [] })
    return yield* new StoreUnavailable({
      problem: `${wanted.shown} lacks ${missing}`,
      hint: "Name the right database or schema with --db; the proxy makes its tables when it starts.",
    })
  })

/** The triggers that are not there, or do not fire when they are to; as `TABLE NAME`. */
export const missingTriggers = async (client: Client, schema: string): Promise<ReadonlyArray<string>> => {
  const { rows } = await client.query<Named>(triggerStatement, [schema])
  const missing = tellTriggers.filter((kind) => !rows.some(({ name }) => name === firingText(kind)))
  return missing.map(({ name, table }) => `${table} ${name}`)
}
