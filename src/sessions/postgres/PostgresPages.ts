import { Effect } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { pageSize, type SessionQuery, type SessionsById, type SessionsByTime } from "../SessionRepo.js"
import { type Row, selectIn, toSession } from "./PostgresRows.js"
import { canBeText, type Store } from "./PostgresStore.js"
import type { Parameter } from "./PostgresTransaction.js"

/** Whether to take the next page. */
type Take<E, R> = (sessions: ReadonlyArray<Session>) => Effect.Effect<boolean, E, R>

const [firstSurrogate, lastSurrogate, lastPoint] = [0xd800, 0xdfff, 0x10ffff]

/** The first text behind all that begin with this one, by code points, which is the order of UTF-8; `undefined`: there is none. */
export const textBehind = (prefix: string): string | undefined => {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === lastPoint) continue
    const next = last + 1 === firstSurrogate ? lastSurrogate + 1 : last + 1
    return String.fromCodePoint(...points, next)
  }
  return undefined
}

const id = `s.session_id COLLATE "C"`

/** Conditions, and the values that they name. */
class Where {
  readonly values: Array<Parameter> = []
  readonly #conditions: Array<string> = []

  /** A condition; `mark` gives the name of a value in it. */
  and(condition: (mark: (value: Parameter) => string) => string): this {
    this.#conditions.push(
      condition((value) => {
        this.values.push(value)
        return `$${this.values.length}`
      }),
    )
    return this
  }

  get text(): string {
    return this.#conditions.length === 0 ? "" : `WHERE ${this.#conditions.join(" AND ")}`
  }
}

const prefixed = (prefix: string): Where => {
  const where = new Where()
  if (prefix === "") return where
  const end = textBehind(prefix)
  where.and((mark) => `${id} >= ${mark(prefix)}`)
  return end === undefined ? where : where.and((mark) => `${id} < ${mark(end)}`)
}

/** By id: each page begins behind the last id of the one before it. */
const byId = <E, R>(
  { ask, schema }: Store,
  { after, descends = false, pageSize: size = pageSize, prefix }: SessionsById,
  take: Take<E, R>,
): Effect.Effect<void, E | StoreUnavailable, R> =>
  Effect.gen(function* () {
    const [behind, order] = descends ? ["<", "DESC"] : [">", "ASC"]
    const page = (last: string | undefined) => {
      const where = prefixed(prefix)
      if (last !== undefined) where.and((mark) => `${id} ${behind} ${mark(last)}`)
      return ask<Row>(selectIn(schema, `${where.text} ORDER BY ${id} ${order} LIMIT ${size}`), where.values)
    }
    let rows = yield* page(after)
    for (let last = rows.at(-1); last !== undefined; last = rows.at(-1)) {
      if (!(yield* take(rows.map(toSession))) || rows.length < size) return
      yield* nextTurn
      rows = yield* page(last.id)
    }
  })

/** Pages that are asked for at once, where each question sorts all rows anew. */
const pagesAtOnce = 10

/** A row with its time as it is stored, to the microsecond; null where it has none. */
interface TimedRow extends Row {
  readonly time: string | null
}

/** By time, the latest first, and those of one time by id. */
const byTime = <E, R>(
  { ask, schema }: Store,
  { pageSize: size = pageSize, prefix, sort }: SessionsByTime,
  take: Take<E, R>,
): Effect.Effect<void, E | StoreUnavailable, R> =>
  Effect.gen(function* () {
    const column = sort === "created" ? "s.created_at" : "s.updated_at"
    const time = `, pg_catalog.to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') AS time`
    const most = size * pagesAtOnce
    const behind = (last: TimedRow | undefined) => {
      const where = prefixed(prefix)
      if (last === undefined) return where
      const { id: lastId, time: lastTime } = last
      if (lastTime === null) return where.and((mark) => `${column} IS NULL AND ${id} > ${mark(lastId)}`)
      return where.and((mark) => {
        const at = `${mark(lastTime)}::timestamptz`
        return `(${column} < ${at} OR ${column} IS NULL OR ${column} = ${at} AND ${id} > ${mark(lastId)})`
      })
    }
    let last: TimedRow | undefined
    do {
      const where = behind(last)
      const rest = `${where.text} ORDER BY ${column} DESC NULLS LAST, ${id} LIMIT ${most}`
      const rows = yield* ask<TimedRow>(selectIn(schema, rest, time), where.values)
      for (let from = 0; from < rows.length; from += size) {
        if (!(yield* take(rows.slice(from, from + size).map(toSession)))) return
        yield* nextTurn
      }
      last = rows.length < most ? undefined : rows.at(-1)
    } while (last !== undefined)
  })

/** Hands all sessions to `take`, page by page, until it has enough. */
export const forEachPageOf = <E, R>(
  store: Store,
  query: SessionQuery,
  take: Take<E, R>,
): Effect.Effect<void, E | StoreUnavailable, R> => {
  if (!canBeText(query.prefix)) return Effect.void
  return query.sort === "id" ? byId(store, query, take) : byTime(store, query, take)
}
