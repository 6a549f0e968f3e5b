import { Data, Effect } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { printDiagnostic } from "./Output.js"
import { SignalCatcher } from "./SignalCatcher.js"

/** A signal asked the process to stop. */
export class StoppedBySignal extends Data.TaggedError("StoppedBySignal")<{ readonly signal: NodeJS.Signals }> {}

/**
 * Waits for a signal that asks the process to stop, and fails with it. After that, and if interrupted, the next signal
 * has its default action.
 */
const signalled: Effect.Effect<never, StoppedBySignal> = Effect.async((resume) => {
  const catcher = SignalCatcher.current
  const letThrough = () => catcher?.letThrough()
  catcher?.handTo((signal) => {
    letThrough()
    resume(new StoppedBySignal({ signal }))
  })
  return Effect.sync(letThrough)
})

/**
 * Runs `work`. If a signal asks the process to stop, interrupts `work`, waits for its finalizers, and fails with the
 * signal.
 */
export const untilSignal = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoppedBySignal, R> =>
  Effect.raceFirst(work, signalled)

/**
 * From now on a signal ends the process at once, even during a long turn of the event loop. For commands that only
 * read. Waits a turn first, so that a signal that Node has already received is not lost.
 */
export const endAtOnceBySignal: Effect.Effect<void> = Effect.zipRight(
  nextTurn,
  Effect.sync(() => SignalCatcher.current?.stop()),
)

/** Prints a diagnostic, and ends the process by the signal's default action, so that the shell sees the signal. */
export const endBySignal = ({ signal }: StoppedBySignal, what: string): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* printDiagnostic(`ss-proxy: stopped by ${signal}; ${what}`)
    SignalCatcher.current?.stop()
    process.kill(process.pid, signal)
    return yield* Effect.never
  })
