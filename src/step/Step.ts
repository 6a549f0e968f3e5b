import { Effect, Either, Exit } from "effect"
import { Call, type CallListener, type Fork } from "./Call.js"

/*
 * Effects in a row, at the price that each of them needs. A result that is known (an `Exit` or an `Either`) is used at
 * once. A `Call` is driven by callbacks. Anything else runs in a fiber. The first two are what a request is made of as
 * long as nothing has to be waited for but the network, and starting a fiber costs more than all the rest of a request.
 *
 * Known results are used while the row is put together, so a row is made once for each run and is not run again. The
 * steps take what comes before them as their first argument: a function that waits for it would be made for each request.
 */

/** A result that is known, as a call. */
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

/** A call, and what follows from its value. */
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

  /** What follows may be somebody else's code, and whoever has settled the first call is not to hear of its bugs. */
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
 * Which kind of effect it is, by its tag: the libraries' own tests look at symbols on prototypes, which costs a request
 * several times as much, and forget the types of value and error.
 */
const tagOf = (effect: object): unknown => ("_tag" in effect ? effect._tag : undefined)
const isCall = <A, E>(effect: Effect.Effect<A, E>): effect is Call<A, E> => effect instanceof Call
const isSuccess = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Success<A, E> => tagOf(effect) === "Success"
const isFailure = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Failure<A, E> => tagOf(effect) === "Failure"
const isRight = <A, E>(effect: Effect.Effect<A, E>): effect is Either.Right<E, A> => tagOf(effect) === "Right"
const isLeft = <A, E>(effect: Effect.Effect<A, E>): effect is Either.Left<E, A> => tagOf(effect) === "Left"

/** Any effect as a `Call`, which is how it is driven. */
export const toCall = <A, E>(effect: Effect.Effect<A, E>): Call<A, E> => {
  if (isCall(effect)) return effect
  if (isSuccess(effect) || isFailure(effect)) return new SettledCall(effect)
  return new ForkedCall(effect)
}

/** Goes on with the value of `self`: at once where it is known, by callback where `self` is a call, else in a fiber. */
export const andThen = <A, E, B, E2>(
  self: Effect.Effect<A, E>,
  next: (value: A) => Effect.Effect<B, E2>,
): Effect.Effect<B, E | E2> => {
  if (isSuccess(self)) return next(self.value)
  if (isRight(self)) return next(self.right)
  if (isCall(self)) return new ChainedCall(self, next)
  if (isFailure(self)) return Exit.failCause(self.cause)
  if (isLeft(self)) return Exit.fail(self.left)
  return Effect.flatMap(self, next)
}

/** The same for what cannot fail and needs no waiting. */
export const map = <A, E, B>(self: Effect.Effect<A, E>, change: (value: A) => B): Effect.Effect<B, E> =>
  andThen(self, (value) => Exit.succeed(change(value)))

/** The same effect with another error. */
export const mapError = <A, E, E2>(self: Effect.Effect<A, E>, change: (error: E) => E2): Effect.Effect<A, E2> => {
  if (isSuccess(self)) return Exit.succeed(self.value)
  if (isFailure(self)) return Exit.mapError(self, change)
  return Effect.mapError(self, change)
}
