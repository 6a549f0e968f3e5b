import { Effect } from "effect"
import { mergedTimes } from "../../sessions/SessionActivity.js"
import type { HealthView } from "../api/SessionViews.js"
import { byIdOf } from "./ById.js"
import { answersIn, type FleetService } from "./Fleet.js"
import type { NumbersQuestion, SeenSession } from "./Questions.js"

type Health = typeof HealthView.Type
type SeenActivity = NonNullable<SeenSession["activity"]>

/** Of what several processes know of a server, what is worst. */
const ranks: Readonly<Record<Health["state"], number>> = { failing: 0, ok: 1, unknown: 2 }

const worse = (one: Health, other: Health): Health => (ranks[other.state] < ranks[one.state] ? other : one)

/** Numbers add up; of times the latest counts. */
const both = (one: SeenActivity, other: SeenActivity): SeenActivity => ({
  ...mergedTimes(one, other),
  requests: one.requests + other.requests,
  errors: one.errors + other.errors,
  bytesIn: one.bytesIn + other.bytesIn,
  bytesOut: one.bytesOut + other.bytesOut,
})

/** Of what one of two does not know, that of the other. */
const eitherOf = <A>(one: A | null, other: A | null, merge: (one: A, other: A) => A): A | null =>
  one === null ? other : other === null ? one : merge(one, other)

/** What two processes have seen of a session, together. */
export const mergedSeen = (one: SeenSession, other: SeenSession): SeenSession => ({
  activity: eitherOf(one.activity, other.activity, both),
  health: eitherOf(one.health, other.health, worse),
})

/** What is known of a session that nobody has seen. */
export const unseen: SeenSession = { activity: null, health: null }

/** What has been seen of sessions: those with these ids. */
export const seenSessions = (
  { ask }: FleetService,
  ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlyMap<string, SeenSession>> =>
  Effect.map(
    ask((process) => process.seen({ ids })),
    (gathered) => byIdOf(answersIn(gathered), mergedSeen),
  )

/** Of so many sessions numbers are kept in the memory of a process. */
const mostKnown = 50_000

/** Sessions with a number above 0; `truncated`: there may be more, among those that are not known any more. */
export interface NumberedSessions {
  readonly numbers: ReadonlyMap<string, number>
  readonly truncated: boolean
}

/** Sessions with a number above 0, of all processes together: the latest of times, the sum of the others. */
export const numberedSessions = (
  fleet: FleetService,
  query: Omit<NumbersQuestion, "most">,
): Effect.Effect<NumberedSessions> =>
  Effect.gen(function* () {
    const lists = answersIn(yield* fleet.ask((process) => process.numbers({ ...query, most: mostKnown })))
    const merge = query.sort === "activity" ? Math.max : (one: number, other: number) => one + other
    const known = mostOf(answersIn(yield* fleet.ask((process) => process.known({}))))
    return { numbers: byIdOf(lists, merge), truncated: known >= mostKnown }
  })

/** Of numbers of sessions in memory, that of all: mostly processes know the same ones, so it is that of the one that knows most. */
export const mostOf = (answers: ReadonlyArray<number>): number => answers.reduce((most, one) => Math.max(most, one), 0)
