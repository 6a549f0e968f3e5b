import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Either, Exit, Fiber, pipe } from "effect"
import { Call, type CallListener, errorOf, type Fork, forkInto } from "../../src/step/Call.js"
import * as Step from "../../src/step/Step.js"

/** A call that a test settles by hand. */
class ByHand<A, E> extends Call<A, E> {
  private listener: CallListener<A, E> | undefined
  starts = 0
  cancels = 0

  override start(listener: CallListener<A, E>): void {
    this.starts++
    this.listener = listener
  }

  override cancel(): void {
    this.cancels++
  }

  settle(exit: Exit.Exit<A, E>): void {
    this.listener?.settled(exit)
  }
}

const noFiber: Fork = () => {
  throw new Error("this needs no fiber")
}

/** Drives an effect by callback, and gives what it has come to so far. */
const drive = <A, E>(effect: Effect.Effect<A, E>, fork: Fork = noFiber) => {
  const call = Step.toCall(effect)
  const exits: Array<Exit.Exit<A, E>> = []
  call.start({ settled: (exit) => exits.push(exit) }, fork)
  return { call, exits }
}

const half = (value: number): Either.Either<number, string> =>
  value % 2 === 0 ? Either.right(value / 2) : Either.left(`${value} is odd`)

describe("steps in a row", () => {
  it("use results that are known at once, without a fiber", () => {
    const halves = Step.andThen(Exit.succeed(12), half)
    const more = Step.andThen(halves, (value) => Exit.succeed(value + 1))
    const row = Step.map(more, (value) => `${value}`)
    assert.deepStrictEqual(row, Exit.succeed("7"))
  })

  it("end with the first error that is known, and take no step behind it", () => {
    const taken: Array<number> = []
    const row = Step.map(Step.andThen(half(6), half), (value) => taken.push(value))
    assert.deepStrictEqual(row, Exit.fail("3 is odd"))
    assert.deepStrictEqual(taken, [])
  })

  it("drive a call by callback, and what follows from it", () => {
    const first = new ByHand<number, string>()
    const second = new ByHand<string, boolean>()
    const { exits } = drive(
      Step.andThen(
        Step.map(first, (value) => value + 1),
        (value) => (value === 2 ? second : Exit.fail(true)),
      ),
    )
    assert.deepStrictEqual([first.starts, second.starts], [1, 0])
    first.settle(Exit.succeed(1))
    assert.deepStrictEqual([second.starts, exits], [1, []])
    second.settle(Exit.succeed("done"))
    assert.deepStrictEqual(exits, [Exit.succeed("done")])
  })

  it("pass on why a call failed, or died", () => {
    for (const exit of [Exit.fail("broken"), Exit.die("a defect")]) {
      const first = new ByHand<number, string>()
      const { exits } = drive(Step.andThen(first, half))
      first.settle(exit)
      assert.deepStrictEqual(exits, [exit])
    }
  })

  it("cancel the call that is under way, and tell nothing after that", () => {
    const first = new ByHand<number, never>()
    const second = new ByHand<number, never>()
    const { call, exits } = drive(Step.andThen(first, () => second))
    first.settle(Exit.succeed(1))
    call.cancel()
    assert.deepStrictEqual([first.cancels, second.cancels, exits], [0, 1, []])
  })

  it("take no step behind a call that was cancelled", () => {
    const first = new ByHand<number, never>()
    const { call, exits } = drive(Step.andThen(first, () => Exit.succeed(assert.fail("taken"))))
    call.cancel()
    first.settle(Exit.succeed(1))
    assert.deepStrictEqual([first.cancels, exits], [1, []])
  })

  it.live("run anything else in a fiber, and interrupt it when they are cancelled", () =>
    Effect.gen(function* () {
      const fork = forkInto(yield* Effect.runtime<never>())
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
      const slow = pipe(
        Deferred.succeed(begun, undefined),
        Effect.zipRight(Effect.never),
        Effect.onExit((exit) => Deferred.succeed(ended, exit)),
      )
      const { call, exits } = drive(
        Step.andThen(Exit.succeed(1), () => slow),
        fork,
      )
      yield* Deferred.await(begun)
      call.cancel()
      assert.isTrue(Exit.isInterrupted(yield* Deferred.await(ended)))
      assert.deepStrictEqual(exits, [])
    }),
  )

  it.live("tell the result of a fiber", () =>
    Effect.gen(function* () {
      const fork = forkInto(yield* Effect.runtime<never>())
      const told = yield* Deferred.make<Exit.Exit<number, string>>()
      const later = Effect.as(Effect.yieldNow(), 4)
      Step.toCall(Step.andThen(later, half)).start(
        { settled: (exit) => void Deferred.unsafeDone(told, Exit.succeed(exit)) },
        fork,
      )
      assert.deepStrictEqual(yield* Deferred.await(told), Exit.succeed(2))
    }),
  )

  it.effect("are effects like any other", () =>
    Effect.gen(function* () {
      const call = new ByHand<number, string>()
      const asked = yield* Effect.fork(Step.andThen(call, half))
      yield* Effect.yieldNow()
      call.settle(Exit.succeed(8))
      assert.strictEqual(yield* Fiber.join(asked), 4)
    }),
  )

  it.effect("are cancelled when the fiber that runs them is interrupted", () =>
    Effect.gen(function* () {
      const call = new ByHand<number, string>()
      const asked = yield* Effect.fork(Step.andThen(call, half))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(asked)
      assert.strictEqual(call.cancels, 1)
    }),
  )

  it.effect("change the reason of a failure, known or in a fiber, and leave a value", () =>
    Effect.gen(function* () {
      const loud = <A>(effect: Effect.Effect<A, string>) =>
        Step.mapCause(effect, (cause) => Cause.map(cause, (error) => error.toUpperCase()))
      assert.deepStrictEqual(loud(Exit.fail("odd")), Exit.fail("ODD"))
      assert.deepStrictEqual(loud(Exit.die("odd")), Exit.die("odd"))
      assert.deepStrictEqual(loud(Exit.succeed(1)), Exit.succeed(1))
      const later = Effect.zipRight(Effect.yieldNow(), Effect.fail("odd"))
      assert.deepStrictEqual(yield* Effect.exit(loud(later)), Exit.fail("ODD"))
    }),
  )
})

describe("the error of a cause", () => {
  it("is the typed one, where there is one", () => {
    assert.strictEqual(errorOf(Cause.fail("broken")), "broken")
    assert.isUndefined(errorOf(Cause.die("broken")))
    assert.isUndefined(errorOf(Cause.empty))
  })
})
