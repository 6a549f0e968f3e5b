import { Effect, Either, Exit } from "effect"
import { Call, type CallListener, type Fork } from "./Call.js"

/*
 * Sequences of effects, each run in the cheapest way that it allows. A known result (an `Exit` or an `Either`) is used
 * at once. A `Call` is driven by callbacks. Anything else runs in a fiber. A request that waits for nothing but the
 * network consists of the first two kinds, because starting a fiber costs more than all the rest of a request.
 *
 * Known results are used while the sequence is built. So a sequence is built for each run, and cannot be run again.
 * Each function takes the effect before it as its first argument (data-first): the data-last form would allocate a
 * closure for each request.
 */

/** A known result as a call. */
class SettledCall<A, E> extends Call<A, E> {
  constructor(private readonly exit: Exit.Exit<A, E>) {
    super()
  }

  override start(listener: CallListener<A, E>): void {
    listener.settled(this.exit)
  }

  override cancel(): void {}
}

/** An effect in a fiber, as a call. */
class ForkedCall<A, E> extends Call<A, E> {
  private interrupt: (() => void) | undefined
  private isCancelled = false

  constructor(private readonly effect: Effect.Effect<A, E>) {
    super()
  }

  override start(listener: CallListener<A, E>, fork: Fork): void {
    if (this.isCancelled) return
    this.interrupt = fork(this.effect, {
      settled: (exit) => {
        if (!this.isCancelled) listener.settled(exit)
      },
    })
  }

  override cancel(): void {
    this.isCancelled = true
    this.interrupt?.()
  }
}

/** A call, followed by the effect that `next` makes of its value. */
class ChainedCall<A, B, E, E2> extends Call<B, E | E2> implements CallListener<A, E> {
  private running: Call<A, E> | Call<B, E2>
  private isCancelled = false
  private listener: CallListener<B, E | E2> | undefined
  private fork: Fork | undefined

  constructor(
    private readonly first: Call<A, E>,
    private readonly next: (value: A) => Effect.Effect<B, E2>,
  ) {
    super()
    this.running = first
  }

  override start(listener: CallListener<B, E | E2>, fork: Fork): void {
    this.listener = listener
    this.fork = fork
    this.first.start(this, fork)
  }

  settled(exit: Exit.Exit<A, E>): void {
    const { fork, listener } = this
    if (this.isCancelled || listener === undefined || fork === undefined) return
    if (Exit.isFailure(exit)) return listener.settled(Exit.failCause(exit.cause))
    const next = this.following(exit.value)
    this.running = next
    next.start(listener, fork)
  }

  /**
   * An exception of `next` becomes a defect of this sequence, as in a fiber. The caller that settled `first` must not
   * see it.
   */
  private following(value: A): Call<B, E2> {
    try {
      return toCall(this.next(value))
    } catch (cause) {
      return new SettledCall(Exit.die(cause))
    }
  }

  override cancel(): void {
    this.isCancelled = true
    this.running.cancel()
  }
}

/*
 * The kind of an effect, by its tag. The library's own guards read symbols on prototypes, which costs several times as
 * much, and they lose the types of value and error.
 */
const tagOf = (effect: object): unknown => ("_tag" in effect ? effect._tag : undefined)
const isCall = <A, E>(effect: Effect.Effect<A, E>): effect is Call<A, E> => effect instanceof Call
const isSuccess = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Success<A, E> => tagOf(effect) === "Success"
const isFailure = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Failure<A, E> => tagOf(effect) === "Failure"
const isRight = <A, E>(effect: Effect.Effect<A, E>): effect is Either.Right<E, A> => tagOf(effect) === "Right"
const isLeft = <A, E>(effect: Effect.Effect<A, E>): effect is Either.Left<E, A> => tagOf(effect) === "Left"

/** Any effect as a `Call`. */
export const toCall = <A, E>(effect: Effect.Effect<A, E>): Call<A, E> => {
  if (isCall(effect)) return effect
  if (isSuccess(effect) || isFailure(effect)) return new SettledCall(effect)
  return new ForkedCall(effect)
}

/** Continues with the value of `self`: at once if it is known, by callback if `self` is a call, else after a fiber. */
export const andThen = <A, E, B, E2>(
  self: Effect.Effect<A, E>,
  next: (value: A) => Effect.Effect<B, E2>,
): Effect.Effect<B, E | E2> => {
  if (isSuccess(self)) return next(self.value)
  if (isRight(self)) return next(self.right)
  if (isFailure(self)) return Exit.failCause(self.cause)
  if (isLeft(self)) return Exit.fail(self.left)
  // `next` does not run in the fiber of `self`: if that fiber were interrupted, a socket that `next` got would leak.
  return new ChainedCall(toCall(self), next)
}

/** `andThen` for a function that neither fails nor waits. */
export const map = <A, E, B>(self: Effect.Effect<A, E>, change: (value: A) => B): Effect.Effect<B, E> =>
  andThen(self, (value) => Exit.succeed(change(value)))

/** The same effect with another error. */
export const mapError = <A, E, E2>(self: Effect.Effect<A, E>, change: (error: E) => E2): Effect.Effect<A, E2> => {
  if (isSuccess(self)) return Exit.succeed(self.value)
  if (isFailure(self)) return Exit.mapError(self, change)
  return Effect.mapError(self, change)
}
