import { layer as layerReactivity } from "@effect/experimental/Reactivity"
import { fromPool } from "@effect/sql-pg/PgClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Option, type Scope } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import {
  type Columns,
  controlNames,
  isThere,
  policyNames,
  type RowStore,
  RowsRefused,
  rowsAtOnce,
  type StoredRow,
  storedRow,
} from "../RowStore.js"
import { sessionsOf } from "./PostgresChanges.js"
import { isKeyConflict, messageOf, storeFault } from "./PostgresFault.js"
import { migrate, requireTables } from "./PostgresMigrations.js"
import { type PostgresPlace, placeText } from "./PostgresPlace.js"
import { openPool } from "./PostgresPool.js"
import { type Row, selectIn } from "./PostgresRows.js"
import { controlTable, identifier, policyTable, sessionTable, tableIn } from "./PostgresSchema.js"
import { canBeText } from "./PostgresStore.js"
import { type Run, runOn, transaction } from "./PostgresTransaction.js"

const use = { max: 1, queryTimeout: 60_000 }
// For an index of many rows.
const makingUse = { max: 1, queryTimeout: 600_000 }

const columnsOf = (json: string | null): Columns | null => (json === null ? null : JSON.parse(json))

const toStored = ({ control, createdAt, id, policy, status, updatedAt, url }: Row): StoredRow =>
  storedRow({ id, url, status, createdAt, updatedAt, policy: columnsOf(policy), control: columnsOf(control) })

const orReplace = (names: ReadonlyArray<string>): string =>
  `ON CONFLICT (session_id) DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(", ")}`

const sessionNames = ["downstream_server_url", "downstream_server_status", "created_at", "updated_at"]

const utc = (column: string): string => `(${column} || '+00')::timestamptz`

// Everybody locks rows in this order, so that two who write the same ones do not wait for each other.
const sessionStatement = (table: string): string =>
  `INSERT INTO ${table} (session_id, ${sessionNames.join(", ")})
    SELECT id, url, status, ${utc("created")}, ${utc("updated")} FROM json_to_recordset($1::json)
      AS arriving (id text, url text, status text, created text, updated text) ORDER BY id COLLATE "C"`

const ownStatement = (table: string, names: ReadonlyArray<string>): string => {
  const columns = names.map(identifier)
  const all = ["session_id", ...columns].join(", ")
  return `INSERT INTO ${table} (${all}) SELECT ${all} FROM json_populate_recordset(NULL::${table}, $1::json)
    ${orReplace(columns)}`
}

/** Brings a table of the proxy's own to what it is to have of these sessions. */
const ownWriter = (
  table: string,
  names: ReadonlyArray<string>,
  of: (row: StoredRow) => Columns | undefined,
): ((run: Run, rows: ReadonlyArray<StoredRow>) => Effect.Effect<void, SqlError>) => {
  const put = ownStatement(table, names)
  const remove = `DELETE FROM ${table} WHERE session_id = ANY ($1::text[])`
  return (run, rows) =>
    Effect.gen(function* () {
      const [lacking, having]: [Array<string>, Array<object>] = [[], []]
      for (const row of rows) {
        const columns = of(row)
        if (columns === undefined) lacking.push(row.id)
        else having.push({ session_id: row.id, ...Object.fromEntries(names.map((name, at) => [name, columns[at]])) })
      }
      if (lacking.length > 0) yield* run(remove, [lacking])
      if (having.length > 0) yield* run(put, [JSON.stringify(having)])
    })
}

const writerOf = (sql: SqlClient, schema: string, shown: string) => {
  const add = sessionStatement(sessionsOf({ schema, shown }))
  const put = `${add} ${orReplace(sessionNames)}`
  const policies = ownWriter(tableIn(schema, policyTable), policyNames, ({ policy }) => policy)
  const control = ownWriter(tableIn(schema, controlTable), controlNames, ({ control }) => control)
  return (rows: ReadonlyArray<StoredRow>, replaces: boolean): Effect.Effect<void, SqlError> =>
    transaction(sql, (run) =>
      Effect.gen(function* () {
        const arriving = rows.map(({ createdAt, id, status, updatedAt, url }) => ({
          id,
          url,
          status,
          created: createdAt,
          updated: updatedAt,
        }))
        yield* run(replaces ? put : add, [JSON.stringify(arriving)])
        yield* policies(run, rows)
        yield* control(run, rows)
      }),
    )
}

const unstorable = "has a character that PostgreSQL cannot store"

/** Whether rows are refused for what is in them, and not for the state of the server. */
const refusalOf = (error: SqlError): RowsRefused | undefined => {
  if (isKeyConflict(error)) return new RowsRefused({ reason: isThere })
  const told = messageOf(error, /^(22|23|54000)/)
  return told === undefined ? undefined : new RowsRefused({ reason: `is refused (${told})` })
}

export interface PostgresRowsOptions {
  readonly place: PostgresPlace
  /** Rows can be written, and the tables are made. */
  readonly writes: boolean
}

const open = (options: PostgresRowsOptions) =>
  Effect.gen(function* () {
    const { schema } = options.place
    const place: PostgresPlace = options.writes ? options.place : { ...options.place, sessionKind: "any" }
    const shown = placeText(place)
    const wanted = { schema, shown, folds: false }
    const sql = yield* fromPool({ acquire: openPool(place, use) })
    const bulk = yield* fromPool({ acquire: openPool(place, makingUse) })
    yield* options.writes ? migrate(sql, bulk, wanted) : requireTables(sql, wanted)
    return { sql, schema, shown }
  }).pipe(Effect.provide(layerReactivity))

/** The rows of a database, for who moves them. */
export const openPostgresRows = (
  options: PostgresRowsOptions,
): Effect.Effect<RowStore, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const asFault = storeFault(placeText(options.place))
    const fault = Effect.mapError(asFault)
    const { schema, shown, sql } = yield* fault(open(options))
    const run = runOn(sql)
    const id = `s.session_id COLLATE "C"`
    const page = selectIn(schema, `WHERE ${id} > $1 ORDER BY ${id} LIMIT ${rowsAtOnce}`)
    const find = selectIn(schema, "WHERE s.session_id = ANY ($1::text[])")
    const count = `SELECT count(*) AS count FROM ${sessionsOf({ schema, shown })}`
    const write = writerOf(sql, schema, shown)
    const ask = (statement: string, parameter: string | ReadonlyArray<string>) =>
      Effect.map(fault(run<Row>(statement, [parameter])), (rows) => rows.map(toStored))
    return {
      count: Effect.map(fault(run<{ readonly count: string }>(count, [])), ([row]) => Number(row?.count ?? 0)),
      forEachPage: (take) =>
        Effect.gen(function* () {
          // No id is empty, or one that nobody can reach.
          let rows = yield* ask(page, "")
          for (let last = rows.at(-1); last !== undefined; last = rows.at(-1)) {
            yield* take(rows)
            yield* nextTurn
            rows = yield* ask(page, last.id)
          }
        }),
      find: (ids) => ask(find, ids.filter(canBeText)),
      write: (rows, replaces) => {
        // The server's own words for this name no character.
        const isOdd = rows.some(({ id, status, url }) => ![id, status, url].every(canBeText))
        if (isOdd) return new RowsRefused({ reason: unstorable })
        return Effect.mapError(write(rows, replaces), (error) => refusalOf(error) ?? asFault(error))
      },
    }
  })

/** Whether the proxy's tables are there. */
export const hasTables = ({ schema, ...place }: PostgresPlace): Effect.Effect<boolean, StoreUnavailable> =>
  Effect.gen(function* () {
    const sql = yield* fromPool({ acquire: openPool({ ...place, schema, sessionKind: "any" }, use) })
    const statement = "SELECT to_regclass($1) IS NOT NULL AS there"
    const [found] = yield* runOn(sql)<{ readonly there: boolean }>(statement, [tableIn(schema, sessionTable)])
    return found?.there === true
  }).pipe(Effect.scoped, Effect.provide(layerReactivity), Effect.mapError(storeFault(placeText({ schema, ...place }))))

interface Identity {
  readonly identity: string
}

const identityStatement = `SELECT system_identifier || ' ' || d.oid AS identity
  FROM pg_control_system(), pg_database d WHERE d.datname = current_database()`

/**
 * Tells one database from another by whatever way it is reached: the number of its cluster, its own there, and the schema. None
 * where the role may not ask, or nobody answers.
 */
export const identityOf = (place: PostgresPlace): Effect.Effect<Option.Option<string>> =>
  Effect.gen(function* () {
    const sql = yield* fromPool({ acquire: openPool({ ...place, sessionKind: "any" }, use) })
    const [found] = yield* runOn(sql)<Identity>(identityStatement, [])
    return found === undefined ? "" : `${found.identity} ${place.schema}`
  }).pipe(Effect.scoped, Effect.provide(layerReactivity), Effect.option)
