import { Effect, type Scope } from "effect"
import { type Answers, questions } from "../admin/fleet/Questions.js"
import type { Row } from "../admin/fleet/Row.js"
import { makeAnswers, type ProcessParts } from "../admin/process/FleetHere.js"
import type { Channel } from "./Channel.js"
import { lastCounted, onWire } from "./FleetQuestions.js"

/** How long the last numbers may take, in milliseconds: the process is about to end. */
const longestLast = 500

/** Tells the supervisor what was counted in all. */
const tellLast = (channel: Channel, { series, snapshot }: Answers): Effect.Effect<void> =>
  Effect.zipWith(snapshot({}), series({}), ({ layout, values: counted }, all) =>
    channel.tell(lastCounted, { layout, counted, series: all }),
  ).pipe(Effect.interruptible, Effect.timeoutOption(longestLast), Effect.asVoid)

/** Answers whatever the admin listener of the supervisor asks, for as long as the scope lasts; then tells it the last numbers. */
export const answerFleet = (channel: Channel): Effect.Effect<void, never, ProcessParts | Scope.Scope> =>
  Effect.gen(function* () {
    const { answers } = yield* makeAnswers
    const answer = <Q, I, A>(row: Row<Q, I, A>, answerTo: (asked: Q) => Effect.Effect<A>) =>
      channel.answer(onWire(row), (asked) => Effect.flatMap(answerTo(asked), row.write))
    yield* Effect.addFinalizer(() => tellLast(channel, answers))
    answer(questions.process, answers.process)
    answer(questions.ready, answers.ready)
    answer(questions.look, answers.look)
    answer(questions.snapshot, answers.snapshot)
    answer(questions.series, answers.series)
    answer(questions.live, answers.live)
    answer(questions.find, answers.find)
    answer(questions.end, answers.end)
    answer(questions.counts, answers.counts)
    answer(questions.numbers, answers.numbers)
    answer(questions.known, answers.known)
    answer(questions.draining, answers.draining)
    answer(questions.rows, answers.rows)
    answer(questions.seen, answers.seen)
    answer(questions.watched, answers.watched)
    answer(questions.activity, answers.activity)
    answer(questions.touch, answers.touch)
    answer(questions.errors, answers.errors)
    answer(questions.explain, answers.explain)
    answer(questions.tail, answers.tail)
    answer(questions.leave, answers.leave)
  })
