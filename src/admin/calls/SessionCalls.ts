import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Clock, Effect, Either, Option } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { type SessionNotFound, StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { type ActivityTimes, mergedTimes, neverActive } from "../../sessions/SessionActivity.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { AdminApi } from "../api/AdminApi.js"
import type { SessionsQuery } from "../api/SessionGroup.js"
import { type ApiProblem, processSilent, sessionNotFound, storeUnavailable } from "../api/ApiProblem.js"
import { Fleet, type ProcessSilent } from "../fleet/Fleet.js"
import { liveCounts } from "../fleet/LiveThings.js"
import { activityReport, touchSession } from "../fleet/Reports.js"
import { liveCountsView, watchedSessions } from "../fleet/SessionRates.js"
import { seenSessions, unseen } from "../fleet/SessionsSeen.js"
import { activityTimesView, activityView, etagOf, type SessionExtras, sessionView } from "../fleet/Shapes.js"
import { jsonArraySliced } from "../fleet/Sliced.js"
import { makeNoting } from "./ChangeLog.js"
import { makeSessionControl } from "./ControlCalls.js"
import { cursorOf, cursorOfPlace, placeIn, textIn } from "./Cursor.js"
import { type ListQuery, makeSessionList, sliceSize } from "./SessionList.js"
import { makeSessionWrites } from "./SessionWrites.js"
import { orStanding, standingRows } from "../fleet/StandingRows.js"
import type { Place } from "./TopList.js"

const asProblem = Effect.mapError((error: StoreUnavailable | ApiProblem) =>
  error instanceof StoreUnavailable ? storeUnavailable(error.problem) : error,
)

const asActivityProblem = Effect.mapError((error: SessionNotFound | StoreUnavailable | ProcessSilent) => {
  switch (error._tag) {
    case "SessionNotFound":
      return sessionNotFound()
    case "StoreUnavailable":
      return storeUnavailable(error.problem)
    case "ProcessSilent":
      return processSilent()
  }
})

const noneLive = { requests: 0, streams: 0, websockets: 0 }
const noneCounted = { requests: 0, errors: 0, bytesIn: 0, bytesOut: 0 }

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
  const store = Option.getOrUndefined(yield* Effect.serviceOption(ActivityStore))

  const liveOf = (ids: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const counts = yield* liveCounts(fleet, ids)
      const watched = yield* watchedSessions(fleet, ids)
      return (id: string) => liveCountsView(watched.get(id), counts.get(id) ?? noneLive)
    })

  /** Makes what is shown of any of these sessions. `as_of`: of rows that stand while the store is away, which then is not asked. */
  return (sessions: ReadonlyArray<Session>, include: ReadonlyArray<"live" | "activity">, as_of?: string) =>
    Effect.gen(function* () {
      const standing = as_of === undefined ? {} : { as_of }
      if (include.length === 0) return (): SessionExtras => standing
      const ids = sessions.map(({ id }) => id)
      const seen = yield* seenSessions(fleet, ids)
      const live = include.includes("live") ? yield* liveOf(ids) : undefined
      const isActivityShown = include.includes("activity")
      const isStored = isActivityShown && store !== undefined && as_of === undefined
      const stored = isStored ? yield* storedTimes(store, sessions) : noTimes
      const now = yield* Clock.currentTimeMillis
      return (session: Session): SessionExtras => {
        const { id } = session
        const { activity, health } = seen.get(id) ?? unseen
        const times = mergedTimes(activity ?? neverActive, stored.get(id) ?? neverActive)
        return {
          ...standing,
          ...(live !== undefined && { health, live: live(id) }),
          ...(isActivityShown && { activity: activityTimesView(session, times, activity ?? noneCounted, now) }),
        }
      }
    })
})

/** Which sessions are asked for. */
const listQueryOf = (given: SessionsQuery): Either.Either<ListQuery, ApiProblem> => {
  const { after, sort = "id" } = given
  const descends = (given.order ?? (sort === "id" ? "asc" : "desc")) === "desc"
  const read = (cursor: string) =>
    sort === "id" ? Either.map(textIn(cursor), (id) => ({ key: 0, id })) : placeIn(cursor)
  return Either.map(after === undefined ? Either.right(undefined) : read(after), (place) => ({
    limit: given.limit ?? 100,
    after: place,
    status: given.status,
    prefix: given.prefix ?? "",
    part: given.q,
    sort,
    descends,
    idleFor: given.idle_for,
    openIsActive: given.open === "active",
  }))
}

/** Calls about sessions. */
export const layerSessionCalls = HttpApiBuilder.group(AdminApi, "sessions", (handlers) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const fleet = yield* Fleet
    const extrasOf = yield* makeExtras
    const list = yield* makeSessionList

    const stored = (id: string) =>
      Effect.flatMap(
        repo.find(id),
        Option.match({
          onNone: sessionNotFound,
          onSome: ({ session }) => Effect.succeed({ session, asOf: undefined }),
        }),
      )
    const find = (id: string) =>
      orStanding(repo)(stored(id), (asOf, fault) =>
        Effect.gen(function* () {
          const [session] = (yield* standingRows(fleet, [id])).values()
          return session === undefined ? yield* fault : { session, asOf }
        }),
      )
    /** A session with its entity tag. */
    const tagged = (session: Session, status: 200 | 201, asOf?: string) =>
      Effect.map(extrasOf([session], ["live", "activity"], asOf), (extras) =>
        HttpServerResponse.unsafeJson(sessionView(session, extras(session)), {
          status,
          headers: { etag: etagOf(session) },
        }),
      )

    const writes = yield* makeSessionWrites(tagged)
    const control = yield* makeSessionControl
    const noting = yield* makeNoting

    return handlers
      .handle("list", ({ urlParams }) =>
        Effect.gen(function* () {
          const { include = [], sort = "id" } = urlParams
          const { asOf, last, sessions, truncated } = yield* list(yield* listQueryOf(urlParams))
          const extras = yield* extrasOf(sessions, include, asOf)
          const array = yield* jsonArraySliced(sessions, (session) => sessionView(session, extras(session)))
          const cursor = sort === "id" ? ({ id }: Place) => cursorOf(id) : cursorOfPlace
          const next = last === undefined ? null : cursor(last)
          const rest = JSON.stringify({ next, truncated, missing: [], as_of: asOf })
          return HttpServerResponse.text(`{"sessions":${array},${rest.slice(1)}`, {
            contentType: "application/json",
          })
        }).pipe(asProblem),
      )
      .handle("find", ({ path }) =>
        Effect.flatMap(find(path.id), ({ asOf, session }) => tagged(session, 200, asOf)).pipe(asProblem),
      )
      .handle("put", writes.put)
      .handleRaw("patch", writes.patch)
      .handle("remove", writes.remove)
      .handle("drain", control.drain)
      .handle("resume", control.resume)
      .handle("kill", control.kill)
      .handle("activity", ({ path }) =>
        Effect.map(activityReport(fleet, path.id), activityView).pipe(asActivityProblem),
      )
      .handle("touch", ({ path, request }) =>
        noting(request, touchSession(fleet, path.id), () => ({ session: path.id })).pipe(asActivityProblem),
      )
  }),
)
