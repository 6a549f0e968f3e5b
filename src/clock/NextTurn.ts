import { Effect } from "effect"

/** Lets the event loop run: sockets, timers, signals. Effect's own yield only goes to the end of the microtasks. */
export const nextTurn: Effect.Effect<void> = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
