import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Clock, Effect, Option } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { type ActivityTimes, mergedTimes, neverActive, SessionActivity } from "../../sessions/SessionActivity.js"
import { SessionDirectory } from "../../sessions/SessionDirectory.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Activity } from "../../traffic/Activity.js"
import { AdminApi } from "../api/AdminApi.js"
import { type ApiProblem, sessionNotFound, storeUnavailable } from "../api/ApiProblem.js"
import { cursorOf, textIn } from "./Cursor.js"
import { Fleet, type TrafficCounts } from "./Fleet.js"
import { SessionRates } from "./SessionRates.js"
import { makeSessionWrites } from "./SessionWrites.js"
import { activityTimesView, activityView, etagOf, healthView, type SessionExtras, sessionView } from "./Shapes.js"
import { jsonArraySliced } from "./Sliced.js"

/** Rows that are read in one turn of the event loop: a millisecond of work at most. And for one page of sessions. */
const sliceSize = 40
const mostScanned = 20_000

/** Sessions that are listed. */
interface ListQuery {
  readonly limit: number
  readonly after: string | undefined
  readonly status: string | undefined
  readonly prefix: string | undefined
  /** A part of the id. */
  readonly part: string | undefined
}

interface Listed {
  readonly sessions: ReadonlyArray<Session>
  /** The id to go on behind; `undefined` at the end. */
  readonly last: string | undefined
}

/**
 * The next sessions that fit. Of a large table in which few fit a page may hold few, or none: it goes on where it ends. Rows that
 * come and go meanwhile hide no others, for a page begins behind an id.
 */
const listSessions = (
  repo: typeof SessionRepo.Service,
  { after, limit, part, prefix = "", status }: ListQuery,
): Effect.Effect<Listed, StoreUnavailable> =>
  Effect.gen(function* () {
    const sessions: Array<Session> = []
    let scanned = 0
    let last: string | undefined
    const fits = ({ id, status: own }: Session): boolean =>
      (status === undefined || own === status) && (part === undefined || id.includes(part))
    const take = (page: ReadonlyArray<Session>): boolean => {
      const fitting = page.filter(fits).slice(0, limit - sessions.length)
      sessions.push(...fitting)
      scanned += page.length
      const isFull = sessions.length === limit
      const goesOn = page.length === sliceSize || isFull
      last = goesOn ? (isFull ? fitting : page).at(-1)?.id : undefined
      return !isFull && scanned < mostScanned
    }
    const query = { prefix, sort: "id", after, pageSize: sliceSize } as const
    yield* repo.forEachPage(query, (page) => Effect.sync(() => take(page)))
    return { sessions, last }
  })

const asProblem = Effect.mapError((error: StoreUnavailable | ApiProblem) =>
  error instanceof StoreUnavailable ? storeUnavailable(error.problem) : error,
)

const noneLive: TrafficCounts = { requests: 0, streams: 0, websockets: 0 }

const noTimes: ReadonlyMap<string, ActivityTimes> = new Map()

/** When sessions were last active, as it is stored. */
const storedTimes = (store: typeof ActivityStore.Service, sessions: ReadonlyArray<Session>) =>
  Effect.gen(function* () {
    const times = new Map<string, ActivityTimes>()
    for (let at = 0; at < sessions.length; at += sliceSize) {
      const rows = yield* store.find(sessions.slice(at, at + sliceSize).map(({ id }) => id))
      for (const row of rows) times.set(row.sessionId, row)
      yield* nextTurn
    }
    return times
  })

/** What is shown of sessions beside their rows. */
const makeExtras = Effect.gen(function* () {
  const fleet = yield* Fleet
  const directory = yield* SessionDirectory
  const store = Option.getOrUndefined(yield* Effect.serviceOption(ActivityStore))
  const rates = yield* SessionRates

  const activityOf = (sessions: ReadonlyArray<Session>) =>
    Effect.gen(function* () {
      const stored = store === undefined ? noTimes : yield* storedTimes(store, sessions)
      const now = yield* Clock.currentTimeMillis
      return (session: Session) => {
        const known = directory.activityOf(session.id) ?? new SessionActivity(session.id)
        return activityTimesView(session, mergedTimes(known, stored.get(session.id) ?? neverActive), known, now)
      }
    })

  const liveOf = (sessions: ReadonlyArray<Session>) =>
    Effect.map(fleet.liveCounts, (counts) => {
      const show = rates.look(sessions.map(({ id }) => id))
      return ({ id }: Session) => show(id, counts.get(id) ?? noneLive)
    })
  const healthOf = (id: string) => {
    const health = directory.healthOf(id)
    return health === undefined ? null : healthView(health)
  }

  /** Makes what is shown of any of these sessions. */
  return (sessions: ReadonlyArray<Session>, include: ReadonlyArray<"live" | "activity">) =>
    Effect.gen(function* () {
      const live = include.includes("live") ? yield* liveOf(sessions) : undefined
      const activity = include.includes("activity") ? yield* activityOf(sessions) : undefined
      return (session: Session): SessionExtras => ({
        ...(live !== undefined && { health: healthOf(session.id), live: live(session) }),
        ...(activity !== undefined && { activity: activity(session) }),
      })
    })
})

/** Calls about sessions. */
export const layerSessionCalls = HttpApiBuilder.group(AdminApi, "sessions", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const activity = yield* Activity
    const extrasOf = yield* makeExtras

    const find = (id: string) =>
      Effect.flatMap(
        repo.find(id),
        Option.match({ onNone: sessionNotFound, onSome: ({ session }) => Effect.succeed(session) }),
      )
    /** A session with its entity tag. */
    const tagged = (session: Session, status: 200 | 201) =>
      Effect.map(extrasOf([session], ["live", "activity"]), (extras) =>
        HttpServerResponse.unsafeJson(sessionView(session, extras(session)), {
          status,
          headers: { etag: etagOf(session) },
        }),
      )

    const writes = yield* makeSessionWrites(tagged)

    return handlers
      .handle("list", ({ urlParams: { after, include = [], limit = 100, prefix, q, status } }) =>
        Effect.gen(function* () {
          const behind = after === undefined ? undefined : yield* textIn(after)
          const { last, sessions } = yield* listSessions(repo, { after: behind, limit, part: q, prefix, status })
          const extras = yield* extrasOf(sessions, include)
          const array = yield* jsonArraySliced(sessions, (session) => sessionView(session, extras(session)))
          const next = JSON.stringify(last === undefined ? null : cursorOf(last))
          return HttpServerResponse.text(`{"sessions":${array},"next":${next},"missing":[]}`, {
            contentType: "application/json",
          })
        }).pipe(asProblem),
      )
      .handle("find", ({ path }) => Effect.flatMap(find(path.id), (session) => tagged(session, 200)).pipe(asProblem))
      .handle("put", writes.put)
      .handleRaw("patch", writes.patch)
      .handle("remove", writes.remove)
      .handle("activity", ({ path }) =>
        Effect.map(activity.report(path.id), activityView).pipe(
          Effect.catchTags({
            SessionNotFound: sessionNotFound,
            StoreUnavailable: ({ problem }) => storeUnavailable(problem),
          }),
        ),
      )
      .handle("touch", ({ path }) =>
        activity.touch(path.id).pipe(
          Effect.catchTags({
            SessionNotFound: sessionNotFound,
            StoreUnavailable: ({ problem }) => storeUnavailable(problem),
          }),
        ),
      )
  }),
)
