import { Effect, Runtime } from "effect"

/** Logs a warning for the operator. A plain function, because its callers have no fiber. */
export type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void

/** Logs with the loggers of the fiber that runs this effect. */
export const warnInLog: Effect.Effect<Warn> = Effect.map(Effect.runtime<never>(), (runtime) => {
  const fork = Runtime.runFork(runtime)
  return (message, fields) => void fork(Effect.annotateLogs(Effect.logWarning(message), fields))
})
