import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect, FiberHandle } from "effect"
import { LogControl, type LogSteering, type LogThreshold } from "../../log/LogControl.js"
import { AdminApi } from "../api/AdminApi.js"
import { ApiProblem, invalidRequest } from "../api/ApiProblem.js"
import { makeNoting } from "./ChangeLog.js"

/** The longest time for which a level may be set, in milliseconds. */
const longestTime = 7 * 86_400_000

const notAvailable = (detail: string): ApiProblem => new ApiProblem({ status: 404, code: "not_available", detail })

const noControl = (): ApiProblem =>
  notAvailable("The program that runs this proxy has a log of its own, which is not steered here.")

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

/** Calls that do to the log what signals do. */
export const layerLogCalls = HttpApiBuilder.group(AdminApi, "log", (handlers) =>
  Effect.gen(function* () {
    const log = yield* LogControl
    const noting = yield* makeNoting
    const setLevel = yield* makeLevels
    return handlers
      .handle("setLogLevel", ({ payload: { for: time, level }, request }) =>
        Effect.gen(function* () {
          if (log === undefined) return yield* noControl()
          if (time !== undefined && (time <= 0 || time > longestTime))
            return yield* invalidRequest("for must be a time of more than 0 and at most 7d.")
          const note = { level, ...(time !== undefined && { for: `${time / 1_000}s` }) }
          yield* noting(request, setLevel(log, level, time), () => note)
        }),
      )
      .handle("reopenLog", ({ request }) =>
        Effect.gen(function* () {
          if (log === undefined) return yield* noControl()
          const { reopen } = log
          if (reopen === undefined) return yield* notAvailable("There is no access log file to open again.")
          yield* noting(request, Effect.sync(reopen), () => ({ reopened: "access log" }))
        }),
      )
  }),
)
