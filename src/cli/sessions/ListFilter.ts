import { Clock, Context, Effect, Layer, type Scope } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { neverActive } from "../../sessions/SessionActivity.js"
import { type Database, openActivity } from "../Database.js"
import { CommandFailed } from "../Failure.js"
import { activityViewOf, idleTimeOf } from "./ActivityView.js"
import type { Listed } from "./ListColumns.js"
import { type LiveNow, noneLive } from "./LiveNow.js"
import { viewOf } from "./SessionView.js"

const nobodyKnows = ({ problem }: StoreUnavailable): CommandFailed =>
  new CommandFailed({
    code: "store_unavailable",
    problem: `cannot tell which sessions are idle: ${problem}`,
    hint: "a running proxy records this, unless its --activity-interval is 0",
  })

/** Leaves of a page those that have been idle for so long. Without what is known of activity none may be taken for idle. */
export type Filter = (sessions: ReadonlyArray<Session>) => Effect.Effect<ReadonlyArray<Listed>, CommandFailed>

/** Everything, as it is. */
export const everything: Filter = (sessions) =>
  Effect.succeed(sessions.map((session) => ({ session, idle: undefined, live: undefined, view: viewOf(session) })))

/** Those that have been idle for so many milliseconds. What is known of activity is opened when the first page comes. */
export const idleFilter = (database: Database, milliseconds: number): Effect.Effect<Filter, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const store = yield* openActivity(database, "read")
    const open = Layer.buildWithScope(store, scope)
    const opened = yield* Effect.cached(Effect.map(open, Context.get(ActivityStore)))
    const now = yield* Clock.currentTimeMillis
    const find = (sessions: ReadonlyArray<Session>) =>
      Effect.mapError(
        Effect.flatMap(opened, (store) => store.find(sessions.map(({ id }) => id))),
        nobodyKnows,
      )
    return (sessions) =>
      Effect.map(find(sessions), (rows) => {
        const known = new Map(rows.map((row) => [row.sessionId, row]))
        return sessions.flatMap((session) => {
          const times = known.get(session.id) ?? neverActive
          const idle = idleTimeOf(session, times, now)
          if (idle === undefined || idle < milliseconds) return []
          return [
            { session, idle, live: undefined, view: { ...viewOf(session), ...activityViewOf(session, times, now) } },
          ]
        })
      })
  })

/** Leaves those of a filter on which something is live. */
export const liveFilter =
  (filter: Filter, live: ReadonlyMap<string, LiveNow>): Filter =>
  (sessions) =>
    Effect.map(filter(sessions.filter(({ id }) => live.has(id))), (listed) =>
      listed.map((one) => {
        const { idle_seconds, ...now } = live.get(one.session.id) ?? noneLive
        return { ...one, live: { ...now, idle_seconds }, view: { ...one.view, live: now, idle_seconds } }
      }),
    )
