import { Effect, Runtime } from "effect"

/** Tells an operator of what goes on, and should not. A plain call: who warns has no fiber. */
export type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void

/** Warns in the log of whoever builds it. */
export const warnInLog: Effect.Effect<Warn> = Effect.map(Effect.runtime<never>(), (runtime) => {
  const fork = Runtime.runFork(runtime)
  return (message, fields) => void fork(Effect.annotateLogs(Effect.logWarning(message), fields))
})
