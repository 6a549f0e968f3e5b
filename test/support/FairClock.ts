import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { NotSeen, patience } from "./Changes.js"

/**
 * Milliseconds, since it began, for which this process could have run and no core was free for it (proc(5), schedstat); 0 where the
 * system does not tell.
 */
export const lostTime = (): number => {
  try {
    const [, nanoseconds] = readFileSync("/proc/self/schedstat", "utf8").split(" ")
    return Number(nanoseconds) / 1e6
  } catch {
    return 0
  }
}

/**
 * A clock, in milliseconds, that stands still while this process waits for a core. What takes a second by it is slow by itself, and
 * not because the machine has other work. It is behind `performance.now()`, so it is for "not longer than", never for "not sooner than".
 */
export const fairNow = (): number => performance.now() - lostTime()

/** Fails where an effect takes longer than this, in milliseconds of a core that is free; on a busy machine it may take longer. */
export const within =
  (milliseconds: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | NotSeen, R> =>
    Effect.gen(function* () {
      const began = fairNow()
      const late = () => new NotSeen({ message: `not within ${milliseconds} ms` })
      const result = yield* Effect.timeoutFail(effect, { duration: patience, onTimeout: late })
      return fairNow() - began > milliseconds ? yield* late() : result
    })
