import { Data, Effect, Schedule } from "effect"

/** What a test waited for did not come in time. The message tells what was there instead. */
export class NotSeen extends Data.TaggedError("NotSeen")<{ readonly message: string }> {}

/** How long a test waits for an event that should come at once, in milliseconds. Only a failing test waits so long. */
export const patience = 15_000

/** Tells when something has changed, so that a test can await a state and never has to sleep. */
export class Changes {
  private readonly checks = new Set<() => void>()

  /** Something changed: whoever waits looks again. */
  announce(): void {
    for (const check of this.checks) check()
  }

  /** Waits, for as long as it takes, until `condition` holds. What `condition` throws is a defect. */
  when(condition: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const check = () => {
        try {
          if (!condition()) return
          resume(Effect.void)
        } catch (defect) {
          resume(Effect.die(defect))
        }
        this.checks.delete(check)
      }
      this.checks.add(check)
      check()
      return Effect.sync(() => this.checks.delete(check))
    })
  }

  /** Waits until `condition` holds; fails with `NotSeen` when patience is at its end. `seen` tells what is there. */
  until(what: string, condition: () => boolean, seen: () => string): Effect.Effect<void, NotSeen> {
    return this.when(condition).pipe(
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () => new NotSeen({ message: `waited ${patience} ms for ${what}; there is: ${seen()}` }),
      }),
    )
  }
}

/** Asks again and again until `condition` holds, for what tells nobody that it changes; fails with `NotSeen` after `within` milliseconds. */
export const eventually = <E, R>(
  condition: Effect.Effect<boolean, E, R>,
  what: string,
  within = patience,
): Effect.Effect<void, E | NotSeen, R> =>
  Effect.repeat(condition, { until: (holds) => holds, schedule: Schedule.spaced(5) }).pipe(
    Effect.asVoid,
    Effect.timeoutFail({
      duration: within,
      onTimeout: () => new NotSeen({ message: `waited ${within} ms for ${what}` }),
    }),
  )
