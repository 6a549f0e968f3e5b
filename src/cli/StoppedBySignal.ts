import { Data, Effect } from "effect"
import { printDiagnostic } from "./Output.js"
import { SignalCatcher } from "./SignalCatcher.js"

/** A signal came that asks the process to stop. */
export class StoppedBySignal extends Data.TaggedError("StoppedBySignal")<{ readonly signal: NodeJS.Signals }> {}

/** Fails with the signal, once one comes that asks the process to stop; then, and when interrupted, lets the next through. */
const signalled: Effect.Effect<never, StoppedBySignal> = Effect.async((resume) => {
  const catcher = SignalCatcher.current
  const letThrough = () => catcher?.letThrough()
  catcher?.handTo((signal) => {
    letThrough()
    resume(new StoppedBySignal({ signal }))
  })
  return Effect.sync(letThrough)
})

/** Interrupts `work` where a signal asks the process to stop, and fails with it once `work` has taken back what it did. */
export const untilSignal = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoppedBySignal, R> =>
  Effect.raceFirst(work, signalled)

/** Says what the signal found, and ends the process by it, the way it ends every program. */
export const endBySignal = ({ signal }: StoppedBySignal, what: string): Effect.Effect<never> =>
  Effect.gen(function* () {
    yield* printDiagnostic(`ss-proxy: stopped by ${signal}; ${what}`)
    SignalCatcher.current?.stop()
    process.kill(process.pid, signal)
    return yield* Effect.never
  })
