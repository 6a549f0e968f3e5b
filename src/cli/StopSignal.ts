import { Effect, Queue } from "effect"
import type { Scope } from "effect"
import { SignalCatcher } from "./SignalCatcher.js"

/** The program's signal catcher, or one for the scope if the program has not started one. */
const catcher: Effect.Effect<SignalCatcher, never, Scope.Scope> = Effect.suspend(() => {
  const { current } = SignalCatcher
  if (current !== undefined) return Effect.succeed(current)
  return Effect.acquireRelease(Effect.sync(SignalCatcher.start), (started) => Effect.sync(() => started.stop()))
})

/** A queue of all signals that ask the process to stop, until the scope closes. */
export const stopSignals: Effect.Effect<Queue.Dequeue<NodeJS.Signals>, never, Scope.Scope> = Effect.gen(function* () {
  const signals = yield* Queue.unbounded<NodeJS.Signals>()
  const caught = yield* catcher
  yield* Effect.acquireRelease(
    // `unsafeOffer` is safe because the queue is unbounded, so an offer never waits.
    Effect.sync(() => caught.handTo((signal) => void signals.unsafeOffer(signal))),
    (stopHanding) => Effect.sync(stopHanding),
  )
  return signals
})
