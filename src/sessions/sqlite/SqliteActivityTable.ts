import type { Database } from "./SqliteDatabase.js"
import { pageSize } from "../ActivityStore.js"
import { activityKindOf, type ActivityTimes, farAhead, type StoredActivity } from "../SessionActivity.js"

/** Where the times stand. Other programs may read it, and join it to `sessions`. */
const activityTable = "session_activity"

const timeColumns = ["last_request_at", "last_client_at", "last_server_at"] as const

/** Every column but the key, in the order of the table. New ones go to the end, and may be NULL. */
const columns: ReadonlyArray<readonly [name: string, type: string]> = [
  ...timeColumns.map((name) => [name, "INTEGER"] as const),
  ["last_kind", "TEXT"],
]

const createTable = `CREATE TABLE IF NOT EXISTS ${activityTable} (
    session_id TEXT PRIMARY KEY NOT NULL,
    ${columns.map((column) => column.join(" ")).join(",\n    ")}
  ) WITHOUT ROWID`

/** The last time that can be written as a date. */
const lastTime = 8_640_000_000_000_000

/** A time as it may be used: what is none, whoever wrote it, is 0. */
const timeIn = (table: string, column: string): string =>
  `CASE WHEN typeof(${table}.${column}) = 'integer' AND ${table}.${column} BETWEEN 0 AND ${lastTime}
    THEN ${table}.${column} ELSE 0 END`

const latestIn = (table: string): string => `max(${timeColumns.map((column) => timeIn(table, column)).join(", ")})`

// What stays is the later one. But what is no time, or is of a clock that was more than a day ahead of this one, gives way.
const laterOf = (column: string): string =>
  `${column} = CASE WHEN typeof(known.${column}) = 'integer'
    AND known.${column} BETWEEN ifnull(excluded.${column}, 0) AND @limit THEN known.${column} ELSE excluded.${column} END`

const writeStatement = `INSERT INTO ${activityTable} AS known (session_id, ${columns.map(([name]) => name).join(", ")})
  VALUES (@sessionId, nullif(@lastRequestAt, 0), nullif(@lastClientAt, 0), nullif(@lastServerAt, 0), @lastKind)
  ON CONFLICT (session_id) DO UPDATE SET
    last_kind = CASE WHEN ${latestIn("known")} BETWEEN ${latestIn("excluded")} + 1 AND @limit
      THEN known.last_kind ELSE excluded.last_kind END,
    ${timeColumns.map(laterOf).join(",\n    ")}`

const selected = `SELECT session_id AS sessionId, ${timeIn(activityTable, "last_request_at")} AS lastRequestAt,
  ${timeIn(activityTable, "last_client_at")} AS lastClientAt, ${timeIn(activityTable, "last_server_at")} AS lastServerAt,
  last_kind AS lastKind FROM ${activityTable}`

const findStatement = `${selected} WHERE session_id = ?`

// An id that is no text, which somebody may have written, is passed over.
const pageStatement = `${selected} WHERE session_id > ? AND typeof(session_id) = 'text' ORDER BY session_id LIMIT ${pageSize}`

const forgetStatement = `DELETE FROM ${activityTable} WHERE session_id = ? AND ${latestIn(activityTable)} < ?`

interface Row extends ActivityTimes {
  readonly sessionId: string
}

const toActivity = (row: Row): StoredActivity => ({ ...row, lastKind: activityKindOf(row.lastKind) })

/** What `writeStatement` is run with. */
interface Bound {
  sessionId: string
  lastRequestAt: number
  lastClientAt: number
  lastServerAt: number
  lastKind: string | null
  limit: number
}

/** How a file is brought to what the statements need. Nothing in it is changed or removed. */
const prepareTable = (database: Database): void => {
  // Readers and a writer do not wait for each other in this mode. Nothing waits for the disk: what a power cut may cost are
  // dates. And the log is brought into the file a little at a time, for this process waits meanwhile.
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 100")
  database.exec(createTable)
  const present = database.prepare<[string], string>("SELECT lower(name) FROM pragma_table_info(?)").pluck()
  const names = present.all(activityTable)
  for (const [name, type] of columns)
    if (!names.includes(name)) database.exec(`ALTER TABLE ${activityTable} ADD COLUMN ${name} ${type}`)
}

/** The statements of a file's table. Each answers at once, in microseconds for a row. */
export interface ActivityTable {
  readonly begin: () => void
  readonly write: (row: StoredActivity) => void
  readonly commit: () => void
  readonly rollback: () => void
  readonly find: (id: string) => StoredActivity | undefined
  readonly page: (after: string) => ReadonlyArray<StoredActivity>
  readonly forget: (id: string, before: number) => void
}

/** `readonly`: the table has to be there. Throws what the driver throws. */
export const openTable = (database: Database, readonly: boolean): ActivityTable => {
  // First, for these need no table: whatever is wrong with the file, `BetterSqlite` keeps the database from here on.
  const begin = database.prepare("BEGIN IMMEDIATE")
  const commit = database.prepare("COMMIT")
  const rollback = database.prepare("ROLLBACK")
  if (!readonly) prepareTable(database)
  const find = database.prepare<[string], Row>(findStatement)
  const page = database.prepare<[string], Row>(pageStatement)
  const write = database.prepare<[Bound]>(writeStatement)
  // One for all rows: the garbage of ten thousand would hold up whatever runs then.
  const bound: Bound = { sessionId: "", lastRequestAt: 0, lastClientAt: 0, lastServerAt: 0, lastKind: null, limit: 0 }
  const forget = database.prepare<[string, number]>(forgetStatement)
  return {
    begin: () => void begin.run(),
    write: ({ sessionId, lastRequestAt, lastClientAt, lastServerAt, lastKind = null }) => {
      bound.sessionId = sessionId
      bound.lastRequestAt = lastRequestAt
      bound.lastClientAt = lastClientAt
      bound.lastServerAt = lastServerAt
      bound.lastKind = lastKind
      bound.limit = Date.now() + farAhead
      write.run(bound)
    },
    commit: () => void commit.run(),
    rollback: () => {
      if (database.inTransaction) rollback.run()
    },
    find: (id) => {
      const row = find.get(id)
      return row === undefined ? undefined : toActivity(row)
    },
    page: (after) => page.all(after).map(toActivity),
    forget: (id, before) => void forget.run(id, before),
  }
}
