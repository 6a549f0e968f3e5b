import { Effect, Queue } from "effect"
import type { Scope } from "effect"
import { SignalCatcher } from "./SignalCatcher.js"

/** Catches signals as long as the scope lasts, unless the program has done so from its first line on. */
const catcher: Effect.Effect<SignalCatcher, never, Scope.Scope> = Effect.suspend(() => {
  const { current } = SignalCatcher
  if (current !== undefined) return Effect.succeed(current)
  return Effect.acquireRelease(Effect.sync(SignalCatcher.start), (started) => Effect.sync(() => started.stop()))
})

/** Signals that ask the process to stop, one at a time and none lost, as long as the scope lasts. */
export const stopSignals: Effect.Effect<Queue.Dequeue<NodeJS.Signals>, never, Scope.Scope> = Effect.gen(function* () {
  const signals = yield* Queue.unbounded<NodeJS.Signals>()
  const caught = yield* catcher
  yield* Effect.acquireRelease(
    // Unsafe only where an offer may have to wait: this queue has no bound.
    Effect.sync(() => caught.handTo((signal) => void signals.unsafeOffer(signal))),
    (letGo) => Effect.sync(letGo),
  )
  return signals
})
