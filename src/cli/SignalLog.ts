import { Effect, Runtime } from "effect"
import type { Scope } from "effect"
import { IgnoredSignals } from "./IgnoredSignals.js"

const told = (signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.logInfo(
    signal === "SIGHUP"
      ? "SIGHUP is ignored: there is nothing to read again, and standard input is no terminal that is gone; stop with SIGTERM"
      : `${signal} is ignored: it means nothing here`,
  )

/** Ignores signals that mean nothing here and tells the log of them, as long as the scope lasts. */
export const logIgnoredSignals: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function* () {
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  yield* Effect.acquireRelease(
    Effect.sync(() => IgnoredSignals.start().tell((signal) => void fork(told(signal)))),
    (letGo) => Effect.sync(letGo),
  )
})
