import { Effect, Either } from "effect"
import type { SessionNotFound, StoreUnavailable } from "../../domain/ProxyError.js"
import { latestOf, type SessionActivity } from "../../sessions/SessionActivity.js"
import type { SessionDirectory } from "../../sessions/SessionDirectory.js"
import type { Activity } from "../../traffic/Activity.js"
import type { Traffic } from "../../traffic/Traffic.js"
import type { Answers, NumbersQuestion, SeenSession, Trouble } from "../fleet/Questions.js"
import { healthView } from "../fleet/Shapes.js"
import { eachSliced } from "../fleet/Sliced.js"
import { sumsBySession } from "./LiveAnswers.js"
import type { WatchedSessions } from "./WatchedSessions.js"

/** What this process knows of sessions. */
export interface SessionParts {
  readonly directory: typeof SessionDirectory.Service
  readonly traffic: typeof Traffic.Service
  readonly activity: typeof Activity.Service
  readonly watched: WatchedSessions
}

const troubleOf = (error: SessionNotFound | StoreUnavailable): Trouble =>
  error._tag === "SessionNotFound"
    ? { _tag: "SessionNotFound", sessionId: error.sessionId }
    : { _tag: "StoreUnavailable", problem: error.problem, hint: error.hint }

/** What there is to be told, or why there is nothing. */
export const orTrouble = <A>(
  told: Effect.Effect<A, SessionNotFound | StoreUnavailable>,
): Effect.Effect<Either.Either<A, Trouble>> => Effect.either(Effect.mapError(told, troubleOf))

const numberBy = {
  activity: latestOf,
  requests: ({ requests }: SessionActivity) => requests,
  bytes: ({ bytesIn, bytesOut }: SessionActivity) => bytesIn + bytesOut,
  errors: ({ errors }: SessionActivity) => errors,
} as const

type Numbered = ReadonlyArray<readonly [string, number]>

/** Those of the largest numbers, in any order. */
const largest = (all: Numbered, most: number): Numbered => {
  if (all.length <= most) return all
  const least = Float64Array.from(all, ([, number]) => number).sort()[all.length - most] ?? 0
  return all.filter(([, number]) => number >= least).slice(0, most)
}

const copyOf = (activity: SessionActivity): NonNullable<SeenSession["activity"]> => ({
  requests: activity.requests,
  errors: activity.errors,
  bytesIn: activity.bytesIn,
  bytesOut: activity.bytesOut,
  lastRequestAt: activity.lastRequestAt,
  lastClientAt: activity.lastClientAt,
  lastServerAt: activity.lastServerAt,
  lastKind: activity.lastKind,
})

/** Answers about sessions. */
export const sessionAnswers = ({
  activity,
  directory,
  traffic,
  watched,
}: SessionParts): Pick<
  Answers,
  "numbers" | "known" | "draining" | "rows" | "seen" | "watched" | "activity" | "touch"
> => {
  /** Those with a number above 0. */
  const numbersOf = (sort: Exclude<NumbersQuestion["sort"], "live">, wanted: (id: string) => boolean) =>
    Effect.gen(function* () {
      const number = numberBy[sort]
      const found: Array<readonly [string, number]> = []
      yield* eachSliced(Array.from(directory.known()), (id) => {
        const known = wanted(id) ? directory.activityOf(id) : undefined
        const own = known === undefined ? 0 : number(known)
        if (own > 0) found.push([id, own])
      })
      return found
    })
  const seen = (id: string): SeenSession => {
    const known = directory.activityOf(id)
    const health = directory.healthOf(id)
    if (known !== undefined) traffic.activity.update(known)
    return {
      activity: known === undefined ? null : copyOf(known),
      health: health === undefined ? null : healthView(health),
    }
  }

  return {
    numbers: ({ most, part, prefix, sort }) =>
      Effect.gen(function* () {
        const wanted = (id: string) => id.startsWith(prefix) && (part === undefined || id.includes(part))
        const all =
          sort === "live" ? Array.from(yield* sumsBySession(traffic.things(), wanted)) : yield* numbersOf(sort, wanted)
        return largest(all, most)
      }),
    known: () => Effect.sync(() => directory.numbers().entries),
    draining: () => Effect.sync(() => directory.draining()),
    rows: ({ ids }) => Effect.sync(() => ids.flatMap((id) => directory.rowOf(id) ?? [])),
    seen: ({ ids }) => Effect.sync(() => ids.map((id) => [id, seen(id)] as const)),
    watched: ({ ids }) => Effect.sync(() => watched.look(ids)),
    activity: ({ id }) => orTrouble(activity.report(id)),
    touch: ({ id }) => orTrouble(Effect.as(activity.touch(id), null)),
  }
}
