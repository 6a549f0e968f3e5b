import { Effect, Either } from "effect"
import { SessionNotFound, StoreUnavailable } from "../../domain/ProxyError.js"
import { mergedTimes } from "../../sessions/SessionActivity.js"
import type { ActivityReport } from "../../traffic/Activity.js"
import type { ExplainView } from "../api/ExplainView.js"
import { answersIn, type FleetService, ProcessSilent } from "./Fleet.js"
import type { QuestionOf, Trouble } from "./Questions.js"

type Explanation = typeof ExplainView.Type

const errorOf = (trouble: Trouble): SessionNotFound | StoreUnavailable =>
  trouble._tag === "SessionNotFound"
    ? new SessionNotFound({ sessionId: trouble.sessionId })
    : new StoreUnavailable({ problem: trouble.problem, hint: trouble.hint })

/** What those came to that could tell, or why none could. */
const orError = <A>(
  answers: ReadonlyArray<Either.Either<A, Trouble>>,
  merge: (one: A, other: A) => A,
): Effect.Effect<A, SessionNotFound | StoreUnavailable | ProcessSilent> => {
  const [first, ...others] = answers.flatMap((answer) => (Either.isRight(answer) ? [answer.right] : []))
  if (first !== undefined) return Effect.succeed(others.reduce(merge, first))
  const [trouble] = answers.flatMap((answer) => (Either.isLeft(answer) ? [answer.left] : []))
  return trouble === undefined ? new ProcessSilent() : errorOf(trouble)
}

/** Of what one of two does not know, that of the other. */
const known = (one: number | undefined, other: number | undefined, of: (one: number, other: number) => number) =>
  one === undefined ? other : other === undefined ? one : of(one, other)

/** Why a session counts as in use or idle, by what two processes have seen. */
export const mergedReports = (one: ActivityReport, other: ActivityReport): ActivityReport => {
  const times = mergedTimes(one, other)
  return {
    ...times,
    sessionId: one.sessionId,
    lastClient:
      (times.lastKind === one.lastKind ? one.lastClient : other.lastClient) ?? one.lastClient ?? other.lastClient,
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    open: [...one.open, ...other.open],
    uncounted: {
      pings: one.uncounted.pings + other.uncounted.pings,
      ignoredRequests: one.uncounted.ignoredRequests + other.uncounted.ignoredRequests,
    },
    idleSince: known(one.idleSince, other.idleSince, Math.max),
    idleSeconds: known(one.idleSeconds, other.idleSeconds, Math.min),
    problem: one.problem ?? other.problem,
  }
}

/** Why a session counts as in use or as idle. */
export const activityReport = (
  { ask }: FleetService,
  id: string,
): Effect.Effect<ActivityReport, SessionNotFound | StoreUnavailable | ProcessSilent> =>
  Effect.flatMap(
    ask((process) => process.activity({ id })),
    (gathered) => orError(answersIn(gathered), mergedReports),
  )

/** Counts as a sign of a client, now. All are told: what is not stored, only they know. */
export const touchSession = (
  { ask }: FleetService,
  id: string,
): Effect.Effect<void, SessionNotFound | StoreUnavailable | ProcessSilent> =>
  Effect.flatMap(
    ask((process) => process.touch({ id })),
    (gathered) => Effect.asVoid(orError(answersIn(gathered), () => null)),
  )

/** What a limit holds back is what all processes have together. */
const bothLimits = (one: Explanation["limits"], other: Explanation["limits"]): Explanation["limits"] =>
  one.map((limit) => ({ ...limit, now: limit.now + (other.find(({ name }) => name === limit.name)?.now ?? 0) }))

/** The explanation of one process, of those that know the session if there are such; with the limits of both. */
export const mergedExplanations = (one: Explanation, other: Explanation): Explanation => {
  const otherKnows = one.lifetime?.known_from !== "memory" && other.lifetime?.known_from === "memory"
  return otherKnows
    ? { ...other, limits: bothLimits(other.limits, one.limits) }
    : { ...one, limits: bothLimits(one.limits, other.limits) }
}

/** What would become of a request. */
export const explanation = (
  { ask }: FleetService,
  query: QuestionOf<"explain">,
): Effect.Effect<Explanation, SessionNotFound | StoreUnavailable | ProcessSilent> =>
  Effect.flatMap(
    ask((process) => process.explain(query)),
    ({ found }) => {
      const answers = found.map(({ answer, from }) =>
        Either.map(answer, (told) => (from === undefined ? told : { ...told, worker: from.name })),
      )
      return orError(answers, mergedExplanations)
    },
  )
