import { Effect, Metric } from "effect"
import { NotSeen, patience } from "../support/Changes.js"

/** Fibers that are alive in this process, the asking one included. */
export const liveFibers: Effect.Effect<number> = Effect.map(
  Metric.value(Metric.counter("effect_fiber_active")),
  ({ count }) => count,
)

/** Waits until there are no more than `baseline` fibers; a fiber's end is no event that could be awaited from outside. */
export const fibersBackTo = (baseline: number): Effect.Effect<void, NotSeen> =>
  Effect.gen(function* () {
    // No `Effect.timeout` here: it would add fibers of its own to the count.
    const deadline = performance.now() + patience
    for (let live = yield* liveFibers; live > baseline; live = yield* liveFibers) {
      if (performance.now() > deadline)
        return yield* new NotSeen({ message: `there are ${live} fibers, and ${baseline} before` })
      yield* Effect.sleep(5)
    }
  })
