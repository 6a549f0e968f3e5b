import { Clock, Context, Effect, Layer, Option } from "effect"
import { SessionNotFound, type StoreUnavailable } from "../domain/ProxyError.js"
import type { Session } from "../domain/Session.js"
import { ActivityStore } from "../sessions/ActivityStore.js"
import {
  type ActivityTimes,
  idleSince,
  idleTime,
  mergedTimes,
  neverActive,
  SessionActivity,
} from "../sessions/SessionActivity.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import type { OpenTraffic } from "./ActivityRound.js"
import { Traffic } from "./Traffic.js"

/** Why a session counts as in use or as idle: plain data, a copy. Its times are those that are stored or later. */
export interface ActivityReport extends ActivityTimes {
  readonly sessionId: string
  /** IP address of the client of the last sign that this process has seen. */
  readonly lastClient: string | undefined
  /** Of this process, since it first looked the session up; what is under way included. */
  readonly requests: number
  readonly errors: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** What is under way, and for how long it has been silent. An open connection alone is no activity. */
  readonly open: ReadonlyArray<OpenTraffic>
  /** What was seen of it and does not count; of this process as well. */
  readonly uncounted: { readonly pings: number; readonly ignoredRequests: number }
  /** Since when it is idle, in milliseconds since the epoch, and for how many seconds; `undefined` where nobody knows. */
  readonly idleSince: number | undefined
  readonly idleSeconds: number | undefined
  /** Why nothing is known of what was before this process began, where it cannot be read. */
  readonly problem: string | undefined
}

/** What is to be known of the activity of sessions, for whoever asks. */
export class Activity extends Context.Tag("@ss-proxy/Activity")<
  Activity,
  {
    /** Why a session counts as in use or as idle. */
    readonly report: (id: string) => Effect.Effect<ActivityReport, SessionNotFound | StoreUnavailable>
    /** Counts as a sign of a client, now. */
    readonly touch: (id: string) => Effect.Effect<void, SessionNotFound | StoreUnavailable>
  }
>() {
  static readonly layer: Layer.Layer<Activity, never, Traffic | SessionDirectory | SessionRepo> = Layer.effect(
    Activity,
    Effect.gen(function* () {
      const { activity: round } = yield* Traffic
      const directory = yield* SessionDirectory
      const repo = yield* SessionRepo
      const store = Option.getOrUndefined(yield* Effect.serviceOption(ActivityStore))

      const rowOf = (id: string): Effect.Effect<Session, SessionNotFound | StoreUnavailable> =>
        Effect.flatMap(
          repo.find(id),
          Option.match({
            onNone: () => new SessionNotFound({ sessionId: id }),
            onSome: ({ session }) => Effect.succeed(session),
          }),
        )
      const storedOf = (id: string): Effect.Effect<Stored> =>
        store === undefined ? Effect.succeed(nothingStored) : Effect.match(store.find([id]), readStored)

      const report = (id: string) =>
        Effect.gen(function* () {
          const session = yield* rowOf(id)
          const stored = yield* storedOf(id)
          const known = directory.activityOf(id) ?? new SessionActivity(id)
          const open = round.openOf(id, known)
          return reportOf(session, known, open, stored, yield* Clock.currentTimeMillis)
        })

      const touch = (id: string) =>
        Effect.gen(function* () {
          yield* rowOf(id)
          const now = yield* Clock.currentTimeMillis
          directory.activityOf(id)?.touched(now)
          const row = { ...neverActive, sessionId: id, lastClientAt: now, lastKind: "touch" } as const
          if (store !== undefined) yield* store.write([row])
        })

      return { report, touch }
    }),
  )
}

interface Stored {
  readonly times: ActivityTimes
  readonly problem: string | undefined
}

const nothingStored: Stored = { times: neverActive, problem: undefined }

const readStored = {
  onFailure: ({ problem }: StoreUnavailable): Stored => ({ times: neverActive, problem }),
  onSuccess: ([times = neverActive]: ReadonlyArray<ActivityTimes>): Stored => ({ times, problem: undefined }),
}

const sumOf = (open: ReadonlyArray<OpenTraffic>, count: (one: OpenTraffic) => number): number =>
  open.reduce((sum, one) => sum + count(one), 0)

const reportOf = (
  { id, createdAt }: Session,
  known: SessionActivity,
  open: ReadonlyArray<OpenTraffic>,
  { times: stored, problem }: Stored,
  now: number,
): ActivityReport => {
  const times = mergedTimes(known, stored)
  const since = idleSince(createdAt, times)
  return {
    ...times,
    sessionId: id,
    lastClient: known.lastClient,
    requests: known.requests,
    errors: known.errors,
    bytesIn: known.bytesIn + sumOf(open, ({ bytesIn }) => bytesIn),
    bytesOut: known.bytesOut + sumOf(open, ({ bytesOut }) => bytesOut),
    open,
    uncounted: {
      pings: known.pings + sumOf(open, ({ pings }) => pings),
      ignoredRequests: known.ignoredRequests,
    },
    idleSince: since,
    idleSeconds: since === undefined ? undefined : Math.floor(idleTime(since, now) / 1_000),
    problem,
  }
}
