import { Effect, Queue } from "effect"
import type { Scope } from "effect"

/** npm passes a Ctrl-C on to a program that the terminal has sent it to already: two signals that mean one. */
const echoWindow = 100

/** SIGHUP: the terminal is gone. There is nothing to reload, which it means to some. */
const stopping = ["SIGTERM", "SIGINT", "SIGHUP"] as const

/**
 * Signals that ask the process to stop, one at a time and none lost, as long as the scope lasts.
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
    // Unsafe only where an offer may have to wait: this queue has no bound.
    signals.unsafeOffer(signal)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      for (const signal of stopping) process.on(signal, listener)
    }),
    () =>
      Effect.sync(() => {
        for (const signal of stopping) process.off(signal, listener)
      }),
  )
  return signals
})
