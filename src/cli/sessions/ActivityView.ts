import { Effect } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { inWords } from "../InWords.js"
import { type ActivityTimes, idleSince, idleTime, neverActive } from "../../sessions/SessionActivity.js"

/** When a session was last active, as `--json` prints it. These names are stable. Times as RFC 3339 has them, in UTC. */
export interface ActivityView {
  readonly last_request_at: string | null
  readonly last_client_at: string | null
  readonly last_server_at: string | null
  readonly last_kind: string | null
  /** Whole seconds; null where nobody knows. */
  readonly idle_seconds: number | null
}

/** Their names, for the help. */
export const activityFields = "last_request_at, last_client_at, last_server_at, last_kind, idle_seconds"

/** How long a session has been idle, in milliseconds; `undefined` where nobody knows. */
export const idleTimeOf = ({ createdAt }: Session, times: ActivityTimes, now: number): number | undefined => {
  const since = idleSince(createdAt, times)
  return since === undefined ? undefined : idleTime(since, now)
}

const timestamp = (time: number): string | null => (time === 0 ? null : new Date(time).toISOString())

const unknown: ActivityView = {
  last_request_at: null,
  last_client_at: null,
  last_server_at: null,
  last_kind: null,
  idle_seconds: null,
}

/** `times`: `undefined` where nobody knows, which is not to be taken for never. */
export const activityViewOf = (session: Session, times: ActivityTimes | undefined, now: number): ActivityView => {
  if (times === undefined) return unknown
  const idle = idleTimeOf(session, times, now)
  return {
    last_request_at: timestamp(times.lastRequestAt),
    last_client_at: timestamp(times.lastClientAt),
    last_server_at: timestamp(times.lastServerAt),
    last_kind: times.lastKind ?? null,
    idle_seconds: idle === undefined ? null : Math.floor(idle / 1_000),
  }
}

const ago = (time: number, now: number): string => (time === 0 ? "never" : `${inWords(idleTime(time, now))} ago`)

/** When a session was last active, for people. */
export const activityInWords = (times: ActivityTimes, now: number): string => {
  const { lastRequestAt, lastClientAt, lastServerAt } = times
  if (lastRequestAt === 0 && lastClientAt === 0 && lastServerAt === 0) return "never"
  return `last request ${ago(lastRequestAt, now)}, client ${ago(lastClientAt, now)}, server ${ago(lastServerAt, now)}`
}

/** What is known of one session. */
export const activityOf = (id: string): Effect.Effect<ActivityTimes, StoreUnavailable, ActivityStore> =>
  Effect.gen(function* () {
    const { find } = yield* ActivityStore
    const [found = neverActive] = yield* find([id])
    return found
  })
