import { layer as layerReactivity, type Reactivity } from "@effect/experimental/Reactivity"
import { fromPool } from "@effect/sql-pg/PgClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Array as Arr, Effect, Layer, type Scope } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { ActivityStore, pageSize } from "../ActivityStore.js"
import { activityKindOf, type ActivityTimes, farAhead, mergedTimes, type StoredActivity } from "../SessionActivity.js"
import { codeOf, storeFault } from "./PostgresFault.js"
import { lockSchema } from "./PostgresMigrations.js"
import { type PostgresPlace, placeText } from "./PostgresPlace.js"
import { openPool } from "./PostgresPool.js"
import { identifier, tableIn } from "./PostgresSchema.js"
import { canBeText } from "./PostgresStore.js"
import { runOn, transaction } from "./PostgresTransaction.js"

export interface PostgresActivityOptions {
  readonly place: PostgresPlace
  /** Nothing is made. */
  readonly readonly?: boolean
}

/**
 * Activity in a table beside the sessions. No trigger tells of it, so that proxies hear nothing of what is written here every
 * few seconds. The layer itself does not fail: the table is made when it is written and is not there, and a database that is
 * away is tried again each time.
 */
export const layerPostgresActivity = (options: PostgresActivityOptions): Layer.Layer<ActivityStore> =>
  Layer.scoped(ActivityStore, make(options)).pipe(Layer.provide(layerReactivity))

export const activityTable = "session_activity"

const use = { max: 1, queryTimeout: 2_000 }

const timeColumns = ["last_request_at", "last_client_at", "last_server_at"] as const

const columns = ["session_id", ...timeColumns, "last_kind"].join(", ")

// Most changes are of times alone. The free room on each page keeps such a row on its page, and out of the index.
const createTable = (table: string): string => `CREATE TABLE IF NOT EXISTS ${table} (
    session_id text COLLATE "C" PRIMARY KEY, ${timeColumns.map((name) => `${name} bigint`).join(", ")}, last_kind text
  ) WITH (fillfactor = 70)`

/** The last time that can be written as a date. */
const lastTime = 8_640_000_000_000_000

/** A time as it may be used: what is none, whoever wrote it, is 0. */
const timeIn = (row: string, column: string): string =>
  `CASE WHEN ${row}.${column} BETWEEN 0 AND ${lastTime} THEN ${row}.${column} ELSE 0 END`

const latestIn = (row: string): string => `greatest(${timeColumns.map((column) => timeIn(row, column)).join(", ")})`

// What stays is the later one. But what is no time, or is of a clock that was more than a day ahead of this one, gives way.
const laterOf = (column: string): string =>
  `${column} = CASE WHEN known.${column} BETWEEN coalesce(excluded.${column}, 0) AND $2::bigint
    THEN known.${column} ELSE excluded.${column} END`

// Rows are written in one order by everybody, so that no two proxies wait for each other.
const writeStatement = (table: string): string => `INSERT INTO ${table} AS known (${columns})
  SELECT id, nullif(request, 0), nullif(client, 0), nullif(server, 0), kind
  FROM json_to_recordset($1::json) AS arriving (id text, request bigint, client bigint, server bigint, kind text)
  ORDER BY id COLLATE "C"
  ON CONFLICT (session_id) DO UPDATE SET
    last_kind = CASE WHEN ${latestIn("known")} BETWEEN ${latestIn("excluded")} + 1 AND $2::bigint
      THEN known.last_kind ELSE excluded.last_kind END,
    ${timeColumns.map(laterOf).join(", ")}`

const selectIn = (table: string, rest: string): string => `SELECT session_id::text AS "sessionId",
  ${timeIn("a", "last_request_at")} AS "lastRequestAt", ${timeIn("a", "last_client_at")} AS "lastClientAt",
  ${timeIn("a", "last_server_at")} AS "lastServerAt", last_kind AS "lastKind" FROM ${table} a ${rest}`

/** A row as the driver gives it: whole numbers of this size are texts. */
interface Row extends Readonly<Record<Exclude<keyof ActivityTimes, "lastKind">, string>> {
  readonly sessionId: string
  readonly lastKind: string | null
}

const toActivity = (row: Row): StoredActivity => ({
  sessionId: row.sessionId,
  lastRequestAt: Number(row.lastRequestAt),
  lastClientAt: Number(row.lastClientAt),
  lastServerAt: Number(row.lastServerAt),
  lastKind: activityKindOf(row.lastKind),
})

/** One row of each id: a statement may not write a row twice. */
const distinct = (rows: ReadonlyArray<StoredActivity>): ReadonlyArray<StoredActivity> => {
  const byId = new Map<string, StoredActivity>()
  for (const row of rows) {
    const { sessionId } = row
    if (!canBeText(sessionId)) continue
    const before = byId.get(sessionId)
    byId.set(sessionId, before === undefined ? row : { sessionId, ...mergedTimes(before, row) })
  }
  return Array.from(byId.values())
}

const toArriving = ({ lastClientAt, lastKind, lastRequestAt, lastServerAt, sessionId }: StoredActivity) => ({
  id: sessionId,
  request: lastRequestAt,
  client: lastClientAt,
  server: lastServerAt,
  kind: lastKind ?? null,
})

const isTableMissing = (error: SqlError): boolean => codeOf(error) === "42P01"
const isForbidden = (error: SqlError): boolean => codeOf(error) === "42501"

/** What an error means to an operator, where it is otherwise than with the tables of sessions. */
const faultOf = ({ schema, ...place }: PostgresPlace) => {
  const shown = placeText({ schema, ...place })
  const fault = storeFault(shown)
  const table = tableIn(schema, activityTable)
  return (error: SqlError): StoreUnavailable => {
    const of = (problem: string, hint: string) => new StoreUnavailable({ problem, hint, cause: error })
    if (isTableMissing(error))
      return of(
        `${shown} has no table ${activityTable}`,
        "A proxy makes it when it starts, unless its --activity-interval is 0.",
      )
    if (isForbidden(error))
      return of(
        `this role may not make or write the table ${activityTable} of ${shown}`,
        `GRANT CREATE ON SCHEMA ${identifier(schema)} to it once, and SELECT, INSERT, UPDATE, DELETE ON ${table}`,
      )
    return fault(error)
  }
}

/** Makes the table. Many proxies may do so at once, and all but one wait. */
const makeTable = (sql: SqlClient, schema: string): Effect.Effect<void, SqlError> =>
  transaction(sql, (run) =>
    Effect.zipRight(lockSchema(run, schema), run(createTable(tableIn(schema, activityTable)), [])),
  )

const make = ({
  place,
  readonly = false,
}: PostgresActivityOptions): Effect.Effect<typeof ActivityStore.Service, never, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    const fault = Effect.mapError(faultOf(place))
    const { schema } = place
    // A pool is made of a connection that nobody has opened yet, so this cannot fail.
    const sql = yield* Effect.orDie(fromPool({ acquire: openPool(place, use) }))
    const run = runOn(sql)
    const table = tableIn(schema, activityTable)
    const writing = writeStatement(table)
    const find = selectIn(table, "WHERE session_id = ANY ($1::text[])")
    const page = selectIn(table, `WHERE session_id COLLATE "C" > $1 ORDER BY session_id COLLATE "C" LIMIT ${pageSize}`)
    const forget = `DELETE FROM ${table} a WHERE session_id = ANY ($1::text[]) AND ${latestIn("a")} < $2::bigint`
    const making = readonly ? Effect.void : makeTable(sql, schema)

    const writeSome = (rows: ReadonlyArray<StoredActivity>) => {
      const write = run(writing, [JSON.stringify(rows.map(toArriving)), Date.now() + farAhead])
      return Effect.catchIf(write, isTableMissing, () => Effect.zipRight(making, write))
    }
    return {
      write: (given) =>
        Effect.gen(function* () {
          const rows = distinct(given)
          // An empty one too: that makes the table, so that whoever asks for it finds it.
          for (const slice of rows.length === 0 ? [[]] : Arr.chunksOf(rows, pageSize)) {
            yield* writeSome(slice)
            yield* nextTurn
          }
        }).pipe(fault),
      find: (ids) =>
        Effect.map(run<Row>(find, [ids.filter(canBeText)]), (rows) => {
          const byId = new Map(rows.map((row) => [row.sessionId, toActivity(row)]))
          return ids.flatMap((id) => byId.get(id) ?? [])
        }).pipe(fault),
      page: (after) => Effect.map(run<Row>(page, [after]), (rows) => rows.map(toActivity)).pipe(fault),
      forget: (ids, before) => Effect.asVoid(run(forget, [ids.filter(canBeText), before])).pipe(fault),
    }
  })
