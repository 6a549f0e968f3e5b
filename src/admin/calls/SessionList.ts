import { Clock, Effect, Option } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { type ActivityTimes, idleSince, idleTime, mergedTimes, neverActive } from "../../sessions/SessionActivity.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { SessionSort } from "../api/SessionGroup.js"
import { Fleet } from "../fleet/Fleet.js"
import { type NumberedSessions, numberedSessions, seenSessions } from "../fleet/SessionsSeen.js"
import { eachSliced } from "../fleet/Sliced.js"
import { orStanding, standingRows } from "../fleet/StandingRows.js"
import { type Place, TopList } from "./TopList.js"

/** Rows that are read in one turn of the event loop: a millisecond of work at most. And for one page of sessions. */
export const sliceSize = 40
const mostScanned = 20_000

/** Sessions that are listed. */
export interface ListQuery {
  readonly limit: number
  /** Those behind it. */
  readonly after: Place | undefined
  readonly status: string | undefined
  readonly prefix: string
  /** A part of the id. */
  readonly part: string | undefined
  readonly sort: typeof SessionSort.Type
  /** Largest first. */
  readonly descends: boolean
  /** Only those that were not active for so many milliseconds; and then only those of which nothing is under way. */
  readonly idleFor: number | undefined
  readonly openIsActive: boolean
}

export interface Listed {
  readonly sessions: ReadonlyArray<Session>
  /** Where to go on behind; `undefined` at the end. */
  readonly last: Place | undefined
  /** There are more than are remembered: some may stand among those of which nothing is known. */
  readonly truncated: boolean
  /** When the store was last heard of, where it is away and these are those that processes know. */
  readonly asOf?: string
}

/** Reads rows by their ids. */
type RowsOf = (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, Session>, StoreUnavailable>

/** Which of some sessions fit. */
type Fitting = (sessions: ReadonlyArray<Session>) => Effect.Effect<ReadonlyArray<Session>>

/**
 * The next sessions that fit, by id. Of a large table in which few fit a page may hold few, or none: it goes on where it ends. Rows
 * that come and go meanwhile hide no others, for a page begins behind an id.
 */
const listById = (
  repo: typeof SessionRepo.Service,
  { descends, limit, prefix }: Pick<ListQuery, "limit" | "prefix" | "descends">,
  after: string | undefined,
  fitting: Fitting,
) =>
  Effect.gen(function* () {
    const sessions: Array<Session> = []
    let scanned = 0
    let last: string | undefined
    const take = (page: ReadonlyArray<Session>, all: ReadonlyArray<Session>): boolean => {
      const taken = all.slice(0, limit - sessions.length)
      sessions.push(...taken)
      scanned += page.length
      const isFull = sessions.length === limit
      const goesOn = page.length === sliceSize || isFull
      last = goesOn ? (isFull ? taken : page).at(-1)?.id : undefined
      return !isFull && scanned < mostScanned
    }
    const query = { prefix, sort: "id", after, descends, pageSize: sliceSize } as const
    yield* repo.forEachPage(query, (page) => Effect.map(fitting(page), (all) => take(page, all)))
    return { sessions, last }
  })

/** When sessions were last active, as it is stored; nothing where that cannot be read. */
const storedTimes = (store: typeof ActivityStore.Service, sessions: ReadonlyArray<Session>) =>
  Effect.map(
    Effect.orElseSucceed(store.find(sessions.map(({ id }) => id)), () => []),
    (rows) => new Map<string, ActivityTimes>(rows.map((row) => [row.sessionId, row])),
  )

/** Of all sessions. */
const all = { prefix: "", part: undefined }

/** Lists sessions, by their ids or by what is known of them in memory. */
export const makeSessionList = Effect.gen(function* () {
  const repo = yield* SessionRepo
  const fleet = yield* Fleet
  const store = Option.getOrUndefined(yield* Effect.serviceOption(ActivityStore))

  const idle = (sessions: ReadonlyArray<Session>, idleFor: number) =>
    Effect.gen(function* () {
      const stored = store === undefined ? new Map<string, ActivityTimes>() : yield* storedTimes(store, sessions)
      const seen = yield* seenSessions(
        fleet,
        sessions.map(({ id }) => id),
      )
      const now = yield* Clock.currentTimeMillis
      return sessions.filter(({ createdAt, id }) => {
        const times = mergedTimes(seen.get(id)?.activity ?? neverActive, stored.get(id) ?? neverActive)
        const since = idleSince(createdAt, times)
        return since !== undefined && idleTime(since, now) >= idleFor
      })
    })

  const fittingOf = ({ idleFor, openIsActive, part, status }: ListQuery) =>
    Effect.gen(function* () {
      const open = openIsActive ? (yield* numberedSessions(fleet, { ...all, sort: "live" })).numbers : undefined
      const fits = ({ id, status: own }: Session): boolean =>
        (status === undefined || own === status) && (part === undefined || id.includes(part)) && !open?.has(id)
      return (sessions: ReadonlyArray<Session>) => {
        const fitting = sessions.filter(fits)
        return idleFor === undefined ? Effect.succeed(fitting) : idle(fitting, idleFor)
      }
    })

  const storedRows: RowsOf = (ids) =>
    Effect.map(repo.findMany(ids), (rows) => new Map(rows.map(({ session }) => [session.id, session])))

  /** Sessions with a number above 0, behind `after`. A page has fewer than it may where some of them are gone, or do not fit. */
  const listNumbered = (
    { after, descends, limit }: ListQuery,
    { numbers }: NumberedSessions,
    fitting: Fitting,
    rowsOf: RowsOf = storedRows,
  ) =>
    Effect.gen(function* () {
      const top = new TopList(limit, descends, after?.key === 0 ? undefined : after)
      yield* eachSliced(numbers, ([id, key]) => top.add({ key, id }))
      const sessions: Array<Session> = []
      for (let at = 0; at < top.places.length; at += sliceSize) {
        const slice = top.places.slice(at, at + sliceSize).map(({ id }) => id)
        const rows = yield* rowsOf(slice)
        sessions.push(...(yield* fitting(slice.flatMap((id) => rows.get(id) ?? []))))
        yield* nextTurn
      }
      return { sessions, last: top.isFull ? top.places.at(-1) : undefined }
    })

  /** Those with a number, largest first, and behind them all others, by id; or the other way round. */
  const listSorted = (query: ListQuery, sort: Exclude<ListQuery["sort"], "id">, fitting: Fitting) =>
    Effect.gen(function* () {
      const { after, descends, limit, part, prefix } = query
      const all = yield* numberedSessions(fleet, { sort, prefix, part })
      const { truncated } = all
      const others: Fitting = (sessions) => fitting(sessions.filter(({ id }) => !all.numbers.has(id)))
      const sessions: Array<Session> = []
      const numberedIsNext = descends ? after === undefined || after.key > 0 : after !== undefined && after.key > 0
      if (descends && numberedIsNext) {
        const found = yield* listNumbered(query, all, fitting)
        sessions.push(...found.sessions)
        if (found.last !== undefined) return { sessions, last: found.last, truncated }
      }
      if (descends || !numberedIsNext) {
        const rest = { prefix: query.prefix, descends: false, limit: limit - sessions.length }
        const found = yield* listById(repo, rest, after?.key === 0 ? after.id : undefined, others)
        sessions.push(...found.sessions)
        if (found.last !== undefined) return { sessions, last: { key: 0, id: found.last }, truncated }
        if (descends) return { sessions, last: undefined, truncated }
      }
      const found = yield* listNumbered({ ...query, limit: limit - sessions.length }, all, fitting)
      return { sessions: [...sessions, ...found.sessions], last: found.last, truncated }
    })

  const listStored = (query: ListQuery): Effect.Effect<Listed, StoreUnavailable> =>
    Effect.gen(function* () {
      const { after, sort } = query
      const fitting = yield* fittingOf(query)
      if (sort !== "id") return yield* listSorted(query, sort, fitting)
      const { last, sessions } = yield* listById(repo, query, after?.id, fitting)
      return { sessions, last: last === undefined ? undefined : { key: 0, id: last }, truncated: false }
    })

  /** While the store is away: those that are sorted by a number and have one, by the rows that stand. Of others nobody knows. */
  const listStanding = (
    query: ListQuery,
    asOf: string,
    fault: StoreUnavailable,
  ): Effect.Effect<Listed, StoreUnavailable> =>
    Effect.gen(function* () {
      const { part, prefix, sort } = query
      if (sort === "id") return yield* fault
      const all = yield* numberedSessions(fleet, { sort, prefix, part })
      const found = yield* listNumbered(query, all, yield* fittingOf(query), (ids) => standingRows(fleet, ids))
      return { ...found, truncated: true, asOf }
    })

  return (query: ListQuery) => orStanding(repo)(listStored(query), (asOf, fault) => listStanding(query, asOf, fault))
})
