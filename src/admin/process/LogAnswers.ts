import { Effect, FiberHandle, type Scope } from "effect"
import { LogControl, type LogSteering, type LogThreshold } from "../../log/LogControl.js"
import type { Answers } from "../fleet/Questions.js"

/** Sets levels, for a time or for good. One set for a time goes back to what was in force before the first of them. */
const makeLevels = Effect.gen(function* () {
  const goingBack = yield* FiberHandle.make<void>()
  let before: LogThreshold | undefined

  const goBack = (log: LogSteering, level: LogThreshold): Effect.Effect<void> =>
    Effect.suspend(() => {
      before = undefined
      log.setLevel(level)
      return Effect.logInfo(`the log level is ${level} again`)
    })

  return (log: LogSteering, level: LogThreshold, time: number | undefined): Effect.Effect<void> =>
    Effect.gen(function* () {
      yield* FiberHandle.clear(goingBack)
      const usual = before ?? log.level()
      log.setLevel(level)
      before = time === undefined ? undefined : usual
      if (time !== undefined) yield* FiberHandle.run(goingBack, Effect.delay(goBack(log, usual), time))
    })
})

/** Does to the log what signals do. */
export const makeLogAnswers: Effect.Effect<Pick<Answers, "setLevel" | "reopen">, never, Scope.Scope> = Effect.gen(
  function* () {
    const log = yield* LogControl
    const setLevel = yield* makeLevels
    return {
      setLevel: ({ for: time, level }) =>
        log === undefined ? Effect.succeed(false) : Effect.as(setLevel(log, level, time), true),
      reopen: () =>
        Effect.sync(() => {
          if (log === undefined) return "no control"
          if (log.reopen === undefined) return "no file"
          log.reopen()
          return "reopened"
        }),
    }
  },
)
