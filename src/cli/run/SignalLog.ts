import { Effect, Runtime } from "effect"
import type { Scope } from "effect"
import { IgnoredSignals } from "../IgnoredSignals.js"
import type { LogThreshold } from "../../log/LogControl.js"

/** What signals ask for that do not stop the proxy. */
export interface SignalActions {
  /** SIGUSR1: opens the file of the access log anew; `undefined` where there is none. */
  readonly reopen: (() => void) | undefined
  /** SIGUSR2: logs in detail, or no longer; gives the level from now on. */
  readonly toggleDebug: () => LogThreshold
  /** SIGHUP, where it does not stop the proxy: starts its workers anew; `undefined` where there is one process. */
  readonly reload: Effect.Effect<void> | undefined
}

const answerTo = (signal: NodeJS.Signals, { reload, reopen, toggleDebug }: SignalActions): Effect.Effect<void> => {
  if (signal === "SIGUSR2")
    return Effect.suspend(() => {
      const level = toggleDebug()
      return Effect.logInfo(`the log level is ${level} from now on; another SIGUSR2 sets it back`)
    })
  if (signal === "SIGUSR1")
    return reopen === undefined
      ? Effect.logInfo("SIGUSR1 is ignored: there is no access log file to open again")
      : Effect.zipRight(Effect.sync(reopen), Effect.logInfo("the access log file was opened again"))
  if (reload !== undefined) return reload
  return Effect.logInfo(
    `${signal} is ignored: there is nothing to read again, and standard input is no terminal that is gone; stop with SIGTERM`,
  )
}

/** Does what signals ask for that do not stop the proxy, and tells the log of them, as long as the scope lasts. */
export const followSignals = (actions: SignalActions): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    yield* Effect.acquireRelease(
      Effect.sync(() => IgnoredSignals.start().tell((signal) => void fork(answerTo(signal, actions)))),
      (letGo) => Effect.sync(letGo),
    )
  })
