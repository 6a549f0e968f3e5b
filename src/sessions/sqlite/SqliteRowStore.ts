import { Effect, type Scope } from "effect"
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
import type { Database } from "./SqliteDatabase.js"
import { openDatabase, sqliteErrorOf } from "./SqliteDriver.js"
import { isKeyConflict, storeFault } from "./SqliteFault.js"
import { controlTable, policyTable } from "./SqliteMigrations.js"
import { usablePath } from "./SqlitePath.js"

// How long this process stands still for a lock, in milliseconds.
const lockTimeout = 5_000

/** What the statements give; `place`: the number of the row. */
interface Row extends Pick<StoredRow, "id" | "url" | "status" | "createdAt" | "updatedAt"> {
  readonly place: number
  readonly kind: string
  readonly bytes: Uint8Array | null
  /** JSON arrays. */
  readonly policy: string | null
  readonly control: string | null
}

const columnsOf = (json: string | null): Columns | null => (json === null ? null : JSON.parse(json))

/** An id that is no text, or that is no Unicode, is no id that a request could have. */
const faultOf = ({ bytes, id, kind }: Row): string | undefined => {
  if (kind !== "text") return `its session_id is no text but of the type ${kind}`
  return id.includes("\uFFFD") && bytes !== null && !Buffer.from(id).equals(bytes)
    ? "its session_id is no valid UTF-8"
    : undefined
}

const toStored = (row: Row): StoredRow =>
  storedRow({
    id: row.id,
    url: row.url,
    status: row.status,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    policy: columnsOf(row.policy),
    control: columnsOf(row.control),
    fault: faultOf(row),
  })

/** What is selected of a table of the proxy's own, which may be missing, or of an earlier version. */
const ownTable = (database: Database, table: string, names: ReadonlyArray<string>) => {
  const present = database.prepare<[string], string>("SELECT lower(name) FROM pragma_table_info(?)").pluck().all(table)
  if (present.length === 0) return { columns: "NULL", join: "" }
  const texts = names.map((name) => (present.includes(name) ? `CAST(${table}.${name} AS TEXT)` : "NULL"))
  return {
    columns: `CASE WHEN ${table}.session_id IS NOT NULL THEN json_array(${texts.join(", ")}) END`,
    join: `LEFT JOIN ${table} ON ${table}.session_id = sessions.session_id`,
  }
}

const text = (column: string): string => `ifnull(CAST(sessions.${column} AS TEXT), '')`

const selectOf = (database: Database): string => {
  const policy = ownTable(database, policyTable, policyNames)
  const control = ownTable(database, controlTable, controlNames)
  return `SELECT sessions.rowid AS place, ${text("session_id")} AS id, typeof(sessions.session_id) AS kind,
    CAST(sessions.session_id AS BLOB) AS bytes,
    ${text("downstream_server_url")} AS url, ${text("downstream_server_status")} AS status,
    CAST(sessions.created_at AS TEXT) AS createdAt, CAST(sessions.updated_at AS TEXT) AS updatedAt,
    ${policy.columns} AS policy, ${control.columns} AS control FROM sessions ${policy.join} ${control.join}`
}

type Values = Array<string | null>

const insertInto = (table: string, names: ReadonlyArray<string>): string =>
  `INSERT INTO ${table} (session_id, ${names.join(", ")}) VALUES (?${", ?".repeat(names.length)})`

const orReplace = (names: ReadonlyArray<string>): string =>
  ` ON CONFLICT (session_id) DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(", ")}`

const sessionNames = ["downstream_server_url", "downstream_server_status", "created_at", "updated_at"]

/** Writes what a table of the proxy's own has of a session, or takes that away. */
const ownWriter = (database: Database, table: string, names: ReadonlyArray<string>) => {
  const put = database.prepare<Values>(`${insertInto(table, names)}${orReplace(names)}`)
  const remove = database.prepare<[string]>(`DELETE FROM ${table} WHERE session_id = ?`)
  return (id: string, columns: Columns | undefined): void =>
    void (columns === undefined ? remove.run(id) : put.run(id, ...columns))
}

/** Its tables have to be there, in the current version. */
const writerOf = (database: Database) => {
  const [begin, commit, rollback] = ["BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"].map((word) => database.prepare(word))
  const insert = insertInto("sessions", sessionNames)
  const add = database.prepare<Values>(insert)
  const put = database.prepare<Values>(`${insert}${orReplace(sessionNames)}`)
  const policyOf = ownWriter(database, policyTable, policyNames)
  const controlOf = ownWriter(database, controlTable, controlNames)
  return (rows: ReadonlyArray<StoredRow>, replaces: boolean): void => {
    const session = replaces ? put : add
    begin?.run()
    try {
      for (const { control, createdAt, id, policy, status, updatedAt, url } of rows) {
        session.run(id, url, status, createdAt, updatedAt)
        policyOf(id, policy)
        controlOf(id, control)
      }
      commit?.run()
    } catch (error) {
      if (database.inTransaction) rollback?.run()
      throw error
    }
  }
}

/** Whether a row is refused for what is in it, and not for the state of the file. */
const refusalOf = (error: unknown): RowsRefused | undefined => {
  const sqlite = sqliteErrorOf(error)
  if (sqlite === undefined || !/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(sqlite.code)) return undefined
  return new RowsRefused({ reason: isKeyConflict(error) ? isThere : `is refused (${sqlite.message})` })
}

export interface SqliteRowsOptions {
  readonly filename: string
  /** Rows can be written; then its tables have to be there already, in the current version. */
  readonly writes: boolean
}

/** The rows of a file, for who moves them: this process waits for each answer. */
export const openSqliteRows = ({
  filename,
  writes,
}: SqliteRowsOptions): Effect.Effect<RowStore, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const fault = storeFault(filename)
    const path = yield* usablePath(filename, !writes)
    const attempt = <A>(work: () => A) => Effect.try({ try: work, catch: fault })
    const options = { readonly: !writes, fileMustExist: true, timeout: lockTimeout }
    const open = attempt(() => openDatabase(path, options))
    const database = yield* Effect.acquireRelease(open, (opened) => Effect.sync(() => opened.close()))
    return yield* attempt(() => storeOn(database, fault, writes))
  })

const storeOn = (database: Database, fault: (error: unknown) => StoreUnavailable, writes: boolean): RowStore => {
  const attempt = <A>(work: () => A) => Effect.try({ try: work, catch: fault })
  const select = selectOf(database)
  const order = `ORDER BY sessions.rowid LIMIT ${rowsAtOnce}`
  const first = database.prepare<[], Row>(`${select} ${order}`)
  const next = database.prepare<[number], Row>(`${select} WHERE sessions.rowid > ? ${order}`)
  const find = database.prepare<[string], Row>(`${select} WHERE sessions.session_id = ?`)
  const count = database.prepare<[], number>("SELECT count(*) FROM sessions").pluck()
  const write = writes ? writerOf(database) : () => {}
  return {
    count: attempt(() => count.get() ?? 0),
    forEachPage: (take) =>
      Effect.gen(function* () {
        let rows = yield* attempt(() => first.all())
        for (let last = rows.at(-1); last !== undefined; last = rows.at(-1)) {
          const { place } = last
          yield* take(rows.map(toStored))
          yield* nextTurn
          rows = yield* attempt(() => next.all(place))
        }
      }),
    find: (ids) =>
      attempt(() =>
        ids.flatMap((id) => {
          const row = find.get(id)
          return row === undefined ? [] : [toStored(row)]
        }),
      ),
    write: (rows, replaces) =>
      Effect.try({ try: () => write(rows, replaces), catch: (error) => refusalOf(error) ?? fault(error) }),
  }
}
