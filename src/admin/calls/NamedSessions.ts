import { Clock, Effect, Exit, Option } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import type { Session } from "../../domain/Session.js"
import { drainOf } from "../../domain/SessionControl.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { type ActivityTimes, idleSince, idleTime, mergedTimes, neverActive } from "../../sessions/SessionActivity.js"
import { forwards } from "../../sessions/SessionShape.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { LiveCounts } from "../api/SessionViews.js"
import type { SessionEventView } from "../api/StatsGroup.js"
import { Fleet } from "../fleet/Fleet.js"
import type { SeenSession } from "../fleet/Questions.js"
import { liveCountsView, watchedSessions } from "../fleet/SessionRates.js"
import { seenSessions, unseen } from "../fleet/SessionsSeen.js"
import { timestamp } from "../fleet/Shapes.js"

/** Rows that are read in one turn of the event loop: a millisecond of work at most. */
const sliceSize = 40

type Seen = typeof SessionEventView.Type

/** What is stored of a session. */
interface Stored {
  readonly session: Session
  readonly times: ActivityTimes
}

/**
 * Watches the sessions with these ids. Gives a look at them, which tells what has changed since the one before, of all at first; it reads no
 * more than that.
 */
export const makeSessionChanges = (ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const fleet = yield* Fleet
    const activity = Option.getOrUndefined(yield* Effect.serviceOption(ActivityStore))
    let version: number | undefined
    let stored: ReadonlyMap<string, Stored> = new Map()
    /** What was told last of each, but for what time alone changes. */
    const told = new Map<string, string>()

    const readSlice = (slice: ReadonlyArray<string>, into: Map<string, Stored>) =>
      Effect.gen(function* () {
        const rows = yield* repo.findMany(slice)
        // Where it cannot be read, nothing is known of what was before this process began.
        const found = activity === undefined ? [] : yield* Effect.orElseSucceed(activity.find(slice), () => [])
        for (const { session } of rows)
          into.set(session.id, { session, times: found.find((one) => one.sessionId === session.id) ?? neverActive })
        yield* nextTurn
      })

    /** Reads the rows again if any may have changed. While the store cannot be read, what was read last stands. */
    const refresh = Effect.gen(function* () {
      const current = yield* repo.version()
      if (current === version) return
      const found = new Map<string, Stored>()
      for (let at = 0; at < ids.length; at += sliceSize) yield* readSlice(ids.slice(at, at + sliceSize), found)
      stored = found
      version = current
    })

    /** What is to be told of a session, and by what that differs from what was told before. */
    const look = (id: string, { activity, health }: SeenSession, live: typeof LiveCounts.Type, now: number) => {
      const known = stored.get(id)
      if (known === undefined) return { view: { id, removed: true } as const, mark: "removed" }
      const { session, times } = known
      const drain = drainOf(session.control)
      const since = idleSince(session.createdAt, mergedTimes(activity ?? neverActive, times))
      const view = {
        id,
        status: session.status,
        forwards: forwards(session),
        draining_until: drain === undefined ? null : timestamp(drain.until),
        health,
        live,
      }
      const idle_seconds = since === undefined ? null : Math.floor(idleTime(since, now) / 1_000)
      return { view: { ...view, idle_seconds }, mark: JSON.stringify([view, since]) }
    }

    return Effect.gen(function* () {
      if (ids.length === 0) return []
      const read = yield* Effect.exit(refresh)
      // Nobody knows yet whether they are there.
      if (Exit.isFailure(read) && version === undefined) return []
      const watched = yield* watchedSessions(fleet, ids)
      const seen = yield* seenSessions(fleet, ids)
      const now = yield* Clock.currentTimeMillis
      const changed: Array<Seen> = []
      for (const id of ids) {
        const { mark, view } = look(id, seen.get(id) ?? unseen, liveCountsView(watched.get(id)), now)
        if (told.get(id) === mark) continue
        told.set(id, mark)
        changed.push(view)
      }
      return changed
    })
  })
