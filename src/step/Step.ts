import { Effect, Either, Exit } from "effect"
import { Call, type CallListener, type Fork } from "./Call.js"

/*
 * Effects in a row, at the price that each of them needs. A result that is known (an `Exit` or an `Either`) is used at
 * once. A `Call` is driven by callbacks. Anything else runs in a fiber. The first two are what a request is made of as
 * long as nothing has to be waited for but the network, and starting a fiber costs more than all the rest of a request.
 *
 * Known results are used while the row is put together, so a row is made once for each run and is not run again.
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
    const next = toCall(this.next(exit.value))
    this.running = next
    next.start(listener, fork)
  }

  override cancel(): void {
    this.isCancelled = true
    this.running.cancel()
  }
}

// Narrowed here, for what the libraries' own tests narrow to has forgotten the types of value and error.
const isCall = <A, E>(effect: Effect.Effect<A, E>): effect is Call<A, E> => effect instanceof Call
const isExit = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)
const isEither = <A, E>(effect: Effect.Effect<A, E>): effect is Either.Either<A, E> => Either.isEither(effect)

/** Any effect as a `Call`, which is how it is driven. */
export const toCall = <A, E>(effect: Effect.Effect<A, E>): Call<A, E> => {
  if (isCall(effect)) return effect
  if (isExit(effect)) return new SettledCall(effect)
  return new ForkedCall(effect)
}

/** Goes on with the value of `self`: at once where it is known, by callback where `self` is a call, else in a fiber. */
export const andThen =
  <A, B, E2>(next: (value: A) => Effect.Effect<B, E2>) =>
  <E>(self: Effect.Effect<A, E>): Effect.Effect<B, E | E2> => {
    if (isExit(self)) return Exit.isSuccess(self) ? next(self.value) : Exit.failCause(self.cause)
    if (isEither(self)) return Either.isRight(self) ? next(self.right) : Exit.fail(self.left)
    if (isCall(self)) return new ChainedCall(self, next)
    return Effect.flatMap(self, next)
  }

/** The same for what cannot fail and needs no waiting. */
export const map = <A, B>(change: (value: A) => B): (<E>(self: Effect.Effect<A, E>) => Effect.Effect<B, E>) =>
  andThen((value: A) => Exit.succeed(change(value)))
