import { Context, Effect, FiberRef, LogLevel } from "effect"

/** The level in force. */
export interface LimitInForce {
  readonly level: LogLevel.LogLevel
}

/** The level of a log that may change while the proxy runs. `undefined`: it does not, and Effect's minimum holds. */
export class LogLimit extends Context.Reference<LogLimit>()("@ss-proxy/LogLimit", {
  defaultValue: (): LimitInForce | undefined => undefined,
}) {}

/** Tells whether a line of a level is written at all, by the log of whoever builds this: where it is not, none is made. */
export const levelCheck: Effect.Effect<(level: LogLevel.LogLevel) => boolean> = Effect.gen(function* () {
  const limit = yield* LogLimit
  const minimum = yield* FiberRef.get(FiberRef.currentMinimumLogLevel)
  return (level) => LogLevel.greaterThanEqual(level, limit?.level ?? minimum)
})
