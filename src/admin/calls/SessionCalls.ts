import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Clock, Effect, Either, Option } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { type ActivityTimes, mergedTimes, neverActive, SessionActivity } from "../../sessions/SessionActivity.js"
import { SessionDirectory } from "../../sessions/SessionDirectory.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Activity } from "../../traffic/Activity.js"
import { Traffic } from "../../traffic/Traffic.js"
import { AdminApi } from "../api/AdminApi.js"
import type { SessionsQuery } from "../api/SessionGroup.js"
import { type ApiProblem, sessionNotFound, storeUnavailable } from "../api/ApiProblem.js"
import { makeNoting } from "./ChangeLog.js"
import { makeSessionControl } from "./ControlCalls.js"
import { cursorOf, cursorOfPlace, placeIn, textIn } from "./Cursor.js"
import { Fleet, type TrafficCounts } from "./Fleet.js"
import { type ListQuery, makeSessionList, sliceSize } from "./SessionList.js"
import { SessionRates } from "./SessionRates.js"
import { makeSessionWrites } from "./SessionWrites.js"
import { activityTimesView, activityView, etagOf, healthView, type SessionExtras, sessionView } from "./Shapes.js"
import { jsonArraySliced } from "./Sliced.js"
import type { Place } from "./TopList.js"

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
  const { activity: round } = yield* Traffic
  const store = Option.getOrUndefined(yield* Effect.serviceOption(ActivityStore))
  const rates = yield* SessionRates

  const activityOf = (sessions: ReadonlyArray<Session>) =>
    Effect.gen(function* () {
      const stored = store === undefined ? noTimes : yield* storedTimes(store, sessions)
      const now = yield* Clock.currentTimeMillis
      return (session: Session) => {
        const known = directory.activityOf(session.id) ?? new SessionActivity(session.id)
        round.update(known)
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
    const activity = yield* Activity
    const extrasOf = yield* makeExtras
    const list = yield* makeSessionList

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
    const control = yield* makeSessionControl
    const noting = yield* makeNoting

    return handlers
      .handle("list", ({ urlParams }) =>
        Effect.gen(function* () {
          const { include = [], sort = "id" } = urlParams
          const { last, sessions, truncated } = yield* list(yield* listQueryOf(urlParams))
          const extras = yield* extrasOf(sessions, include)
          const array = yield* jsonArraySliced(sessions, (session) => sessionView(session, extras(session)))
          const cursor = sort === "id" ? ({ id }: Place) => cursorOf(id) : cursorOfPlace
          const rest = JSON.stringify({ next: last === undefined ? null : cursor(last), truncated, missing: [] })
          return HttpServerResponse.text(`{"sessions":${array},${rest.slice(1)}`, {
            contentType: "application/json",
          })
        }).pipe(asProblem),
      )
      .handle("find", ({ path }) => Effect.flatMap(find(path.id), (session) => tagged(session, 200)).pipe(asProblem))
      .handle("put", writes.put)
      .handleRaw("patch", writes.patch)
      .handle("remove", writes.remove)
      .handle("drain", control.drain)
      .handle("resume", control.resume)
      .handle("kill", control.kill)
      .handle("activity", ({ path }) =>
        Effect.map(activity.report(path.id), activityView).pipe(
          Effect.catchTags({
            SessionNotFound: sessionNotFound,
            StoreUnavailable: ({ problem }) => storeUnavailable(problem),
          }),
        ),
      )
      .handle("touch", ({ path, request }) =>
        noting(request, activity.touch(path.id), () => ({ session: path.id })).pipe(
          Effect.catchTags({
            SessionNotFound: sessionNotFound,
            StoreUnavailable: ({ problem }) => storeUnavailable(problem),
          }),
        ),
      )
  }),
)
