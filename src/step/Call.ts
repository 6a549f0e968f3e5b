import { Cause, Effect, Effectable, Exit, Runtime } from "effect"

/** Who is told the result of a `Call`. */
export interface CallListener<A, E> {
  /** The result. Called once, possibly from within `start`; never after a `cancel`. */
  settled(exit: Exit.Exit<A, E>): void
}

/** Runs an effect in a fiber that somebody supervises, and returns what interrupts it. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>, listener: CallListener<A, E>) => () => void

/** Forks into a runtime. What is cancelled tells its listener nothing; what is interrupted by itself or by others does. */
export const forkInto =
  (runtime: Runtime.Runtime<never>): Fork =>
  (effect, listener) => {
    let isCancelled = false
    const onExit = <A, E>(exit: Exit.Exit<A, E>, to: CallListener<A, E>): void => {
      if (!isCancelled) to.settled(exit)
    }
    const cancel = Runtime.runCallback(runtime, effect, { onExit: (exit) => onExit(exit, listener) })
    return () => {
      isCancelled = true
      cancel()
    }
  }

/**
 * An Effect that can also be driven by callbacks, without a fiber: `start` instead of `yield*`. Both ways are one
 * implementation. A call runs once.
 */
export abstract class Call<A, E = never> extends Effectable.Class<A, E> {
  /** Begins. `fork` is for steps that need a fiber. */
  abstract start(listener: CallListener<A, E>, fork: Fork): void

  /** Ends the call; its listener is told nothing after this. Does nothing where it has settled. */
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

/** The typed error of a failed exit; `undefined` where it died or was interrupted. */
export const errorOf = <E>(cause: Cause.Cause<E>): E | undefined => {
  const reason = Cause.failureOrCause(cause)
  return reason._tag === "Left" ? reason.left : undefined
}
