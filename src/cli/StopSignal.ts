import { Effect, Queue } from "effect"
import type { Scope } from "effect"

/** npm passes a Ctrl-C on to a program that the terminal has sent it to already: two signals that mean one. */
const echoWindow = 100

/**
 * Signals that ask the process to stop, SIGTERM and SIGINT, one at a time and none lost, as long as the scope lasts.
 * The third ends the process where it stands, so that one which hangs can still be stopped from the keyboard.
 */
export const stopSignals: Effect.Effect<Queue.Dequeue<NodeJS.Signals>, never, Scope.Scope> = Effect.gen(function* () {
  const signals = yield* Queue.unbounded<NodeJS.Signals>()
  let count = 0
  let last: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  const listener = (signal: NodeJS.Signals): void => {
    const at = performance.now()
    if (last !== undefined && last.signal === signal && at - last.at < echoWindow) return
    last = { signal, at }
    if (++count > 2) process.exit(1)
    signals.unsafeOffer(signal)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      process.on("SIGTERM", listener)
      process.on("SIGINT", listener)
    }),
    () =>
      Effect.sync(() => {
        process.off("SIGTERM", listener)
        process.off("SIGINT", listener)
      }),
  )
  return signals
})
