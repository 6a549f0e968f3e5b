import { Cause, Effect, Effectable, Exit, Runtime } from "effect"

/** Receives the result of a `Call`. */
export interface CallListener<A, E> {
  /** The result. Called once, possibly from within `start`; never after a `cancel`. */
  settled(exit: Exit.Exit<A, E>): void
}

/** Runs an effect in a supervised fiber, and returns a function that interrupts it. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>, listener: CallListener<A, E>) => () => void

/** Forks into a runtime. The listener is not called after the returned function has interrupted the fiber. */
export const forkInto =
  (runtime: Runtime.Runtime<never>): Fork =>
  (effect, listener) => {
    let isCancelled = false
    const interrupt = Runtime.runCallback(runtime, effect, {
      onExit: (exit) => {
        if (!isCancelled) listener.settled(exit)
      },
    })
    return () => {
      isCancelled = true
      interrupt()
    }
  }

/**
 * An Effect that can also be driven by callbacks, without a fiber: `start` instead of `yield*`. Both ways are one
 * implementation. A call runs once.
 */
export abstract class Call<A, E = never> extends Effectable.Class<A, E> {
  /** Begins. `fork` is for steps that need a fiber. */
  abstract start(listener: CallListener<A, E>, fork: Fork): void

  /** Ends the call; its listener is not called after this. Does nothing if the call has settled. */
  abstract cancel(): void

  override commit(): Effect.Effect<A, E> {
    return Effect.flatMap(Effect.runtime<never>(), (runtime) =>
      Effect.async<A, E>((resume) => {
        this.start({ settled: resume }, forkInto(runtime))
        return Effect.sync(() => this.cancel())
      }),
    )
  }
}

/** The typed error of a cause; `undefined` for a defect or an interruption. */
export const errorOf = <E>(cause: Cause.Cause<E>): E | undefined => {
  const reason = Cause.failureOrCause(cause)
  return reason._tag === "Left" ? reason.left : undefined
}
