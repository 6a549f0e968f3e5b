import { Data, Duration, Effect, Option, RcMap, type Scope } from "effect"
import type { Answers, QuestionOf } from "../fleet/Questions.js"
import type { Tail } from "./Tail.js"

/** So long a question waits for records, in milliseconds: less than whoever asks waits for an answer. */
const longestWait = 500

/** A reader who has not asked for so long has left. */
const patience = Duration.seconds(3)

class Reader extends Data.Class<QuestionOf<"tail">> {}

/** Hands records to readers who ask for them again and again, for another process. What comes in between waits for them. */
export const makeTailAnswers = (tail: Tail): Effect.Effect<Pick<Answers, "tail" | "leave">, never, Scope.Scope> =>
  Effect.map(
    RcMap.make({ lookup: (query: Reader) => tail.read(query), idleTimeToLive: patience }),
    (readers): Pick<Answers, "tail" | "leave"> => ({
      tail: (query) =>
        Effect.scoped(
          Effect.flatMap(RcMap.get(readers, new Reader(query)), (next) =>
            Effect.map(
              Effect.timeoutOption(next, longestWait),
              Option.getOrElse(() => ""),
            ),
          ),
        ),
      leave: (query) => Effect.as(RcMap.invalidate(readers, new Reader(query)), null),
    }),
  )
