import { Effect } from "effect"
import type { LogThreshold } from "../../log/LogControl.js"
import { answersIn, type FleetService } from "./Fleet.js"
import type { AnswerOf } from "./Questions.js"

/** Sets the level of the log everywhere, for so many milliseconds or for good. `false`: it is steered nowhere. */
export const setLevel = (
  { ask, supervisor }: FleetService,
  level: LogThreshold,
  time: number | undefined,
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const question = { level, for: time }
    const set = answersIn(yield* ask((process) => process.setLevel(question)))
    const own = supervisor !== undefined && (yield* supervisor.setLevel(question))
    return own || set.includes(true)
  })

/** What the best of them says. */
const byGoodness: ReadonlyArray<AnswerOf<"reopen">> = ["reopened", "no file"]

/** Opens the file of the access log anew, in every process. */
export const reopenLog = ({ ask, supervisor }: FleetService): Effect.Effect<AnswerOf<"reopen">> =>
  Effect.gen(function* () {
    const answers = answersIn(yield* ask((process) => process.reopen({})))
    const all = supervisor === undefined ? answers : [...answers, yield* supervisor.reopen({})]
    return byGoodness.find((one) => all.includes(one)) ?? "no control"
  })
