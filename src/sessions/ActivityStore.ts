import { Context, Effect } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import type { StoredActivity } from "./SessionActivity.js"

/**
 * When sessions were last active, kept across restarts. Nothing is forwarded by it: where it fails, dates are lost and
 * traffic goes on. It is not the store of sessions, whose every change makes proxies read rows again.
 */
export class ActivityStore extends Context.Tag("@ss-proxy/ActivityStore")<
  ActivityStore,
  {
    /**
     * Stores the times of so many sessions, a slice in each turn of the event loop. Of each time the later one stays, so
     * that several processes agree. Where it fails, a part may be stored; all may be stored again.
     */
    readonly write: (rows: ReadonlyArray<StoredActivity>) => Effect.Effect<void, StoreUnavailable>
    /** The rows of those ids that are known; at most a few hundred ids a call. */
    readonly find: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<StoredActivity>, StoreUnavailable>
    /** The next rows behind this id, in the order of ids; `""` begins. Empty at the end. */
    readonly page: (after: string) => Effect.Effect<ReadonlyArray<StoredActivity>, StoreUnavailable>
    /** Forgets those of these sessions that were not active since `before`, milliseconds since the epoch. */
    readonly forget: (ids: ReadonlyArray<string>, before: number) => Effect.Effect<void, StoreUnavailable>
  }
>() {}

/** The file with the activity of an SQLite database of sessions. */
export const activityFileOf = (sessions: string): string => `${sessions}.activity`

/** Rows of a page, and of what is written or forgotten by one change. */
export const pageSize = 500

/** Hands every row to `take`, a page in each turn of the event loop. */
export const forEachPage = <E, R>(
  { page }: typeof ActivityStore.Service,
  take: (rows: ReadonlyArray<StoredActivity>) => Effect.Effect<void, E, R>,
): Effect.Effect<void, E | StoreUnavailable, R> =>
  Effect.gen(function* () {
    let after = ""
    for (;;) {
      const rows = yield* page(after)
      const last = rows.at(-1)
      if (last === undefined) return
      yield* take(rows)
      after = last.sessionId
      yield* nextTurn
    }
  })
