import { Effect } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { pageSize, type SessionQuery, type SessionsById, type SessionsByTime } from "../SessionRepo.js"

/** Runs a statement; always on the same connection. */
export type Select = <Found extends object>(
  statement: string,
  parameters: ReadonlyArray<unknown>,
) => Effect.Effect<ReadonlyArray<Found>, StoreUnavailable>

/** The parts of a SELECT of sessions. */
export interface Selected {
  readonly columns: string
  readonly from: string
}

/** Whether to take the next page. */
type Take<Row, E, R> = (rows: ReadonlyArray<Row>) => Effect.Effect<boolean, E, R>

/**
 * The key of the last row of a page, as bytes: an id that is not valid UTF-8 would not be the same as a text. An id of
 * another type than text is a blob, and those come last.
 */
interface Key {
  readonly key: Uint8Array | null
  readonly isBlob: number
}

const keyColumns = "CAST(sessions.session_id AS BLOB) AS key, typeof(sessions.session_id) = 'blob' AS isBlob"
const key = "CASE WHEN ? THEN ? ELSE CAST(? AS TEXT) END"
const beforeEnd = "sessions.session_id >= ? AND sessions.session_id < CAST(? AS TEXT)"

/** A condition for ids with this prefix. No UTF-8 contains the byte 255, so it is behind whatever may follow. */
const prefixed = (prefix: string): { readonly where: string; readonly parameters: ReadonlyArray<unknown> } =>
  prefix === ""
    ? { where: "TRUE", parameters: [] }
    : { where: beforeEnd, parameters: [prefix, Buffer.concat([Buffer.from(prefix), Buffer.of(255)])] }

const none = new Uint8Array()

/** By id: each page begins behind the last id of the one before it. */
const byId = <Row extends object, E, R>(
  select: Select,
  { columns, from }: Selected,
  { after, descends = false, pageSize: size = pageSize, prefix }: SessionsById,
  take: Take<Row, E, R>,
): Effect.Effect<void, E | StoreUnavailable, R> =>
  Effect.gen(function* () {
    const { where, parameters } = prefixed(prefix)
    const [behindKey, order] = [`sessions.session_id ${descends ? "<" : ">"} ${key}`, descends ? "DESC" : "ASC"]
    const page = (condition: string, behind: ReadonlyArray<unknown>) =>
      select<Row & Key>(
        `SELECT ${columns}, ${keyColumns} FROM ${from} WHERE ${where} AND ${condition}
          ORDER BY sessions.session_id ${order} LIMIT ${size}`,
        [...parameters, ...behind],
      )
    const pageBehind = (key: Uint8Array, isBlob: number) => page(behindKey, [isBlob, key, key])
    let rows = yield* after === undefined ? page("TRUE", []) : pageBehind(Buffer.from(after), 0)
    for (let last = rows.at(-1); last !== undefined; last = rows.at(-1)) {
      if (!(yield* take(rows)) || rows.length < size) return
      yield* nextTurn
      rows = yield* pageBehind(last.key ?? none, last.isBlob)
    }
  })

const dropList = "DROP TABLE IF EXISTS temp.listed"

/**
 * By time, the latest first: SQLite sorts the row ids into a table of this connection, in a file where they are many.
 * There is no index of each time, and thousands of rows may have the same one.
 */
const byTime = <Row extends object, E, R>(
  select: Select,
  { columns, from }: Selected,
  { pageSize: size = pageSize, prefix, sort }: SessionsByTime,
  take: Take<Row, E, R>,
): Effect.Effect<void, E | StoreUnavailable, R> =>
  Effect.gen(function* () {
    const { where, parameters } = prefixed(prefix)
    yield* select(dropList, [])
    yield* select("CREATE TEMP TABLE listed (place INTEGER PRIMARY KEY, row INTEGER)", [])
    const time = sort === "created" ? "created_at" : "updated_at"
    yield* select(
      `INSERT INTO temp.listed (row) SELECT rowid FROM sessions WHERE ${where} ORDER BY ${time} DESC, session_id`,
      parameters,
    )
    const page = `SELECT ${columns}, listed.place FROM temp.listed CROSS JOIN ${from}
      WHERE sessions.rowid = listed.row AND listed.place > ? AND listed.place <= ? ORDER BY listed.place`
    const [last] = yield* select<{ readonly count: number }>("SELECT count(*) AS count FROM temp.listed", [])
    for (let place = 0; place < (last?.count ?? 0); place += size) {
      if (!(yield* take(yield* select<Row>(page, [place, place + size])))) return
      yield* nextTurn
    }
  }).pipe(Effect.ensuring(Effect.ignore(select(dropList, []))))

/** Hands all rows to `take`, page by page, until it has enough. */
export const forEachRowPage = <Row extends object, E, R>(
  select: Select,
  selected: Selected,
  query: SessionQuery,
  take: Take<Row, E, R>,
): Effect.Effect<void, E | StoreUnavailable, R> =>
  query.sort === "id" ? byId(select, selected, query, take) : byTime(select, selected, query, take)
