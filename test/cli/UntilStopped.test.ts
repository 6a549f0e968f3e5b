import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, TestClock } from "effect"
import { callOffEnd } from "../../src/cli/run/LastResort.js"
import { untilStopped } from "../../src/cli/run/UntilStopped.js"

/** A start that ends when it is told to, and what came of it. */
const startLab = Effect.gen(function* () {
  const orders = yield* Queue.unbounded<string>()
  const mayStart = yield* Deferred.make<void>()
  const isStarting = yield* Deferred.make<void>()
  const wasInterrupted = yield* Deferred.make<void>()
  const obeyed: Array<string> = []
  const start = Effect.gen(function* () {
    yield* Deferred.succeed(isStarting, undefined)
    yield* Deferred.await(mayStart)
    return (handed: Queue.Dequeue<string>) => Effect.map(Queue.take(handed), (order) => void obeyed.push(order))
  }).pipe(Effect.onInterrupt(() => Deferred.succeed(wasInterrupted, undefined)))
  // The end that is planned for this process would end the tests.
  const running = yield* Effect.fork(Effect.ensuring(untilStopped(orders, start), callOffEnd))
  yield* Deferred.await(isStarting)
  return { mayStart, obeyed, orders, running, wasInterrupted }
})

describe("what is told to stop while it starts", () => {
  it.effect("starts, and then does as it is told: it may have accepted requests", () =>
    Effect.gen(function* () {
      const { mayStart, obeyed, orders, running } = yield* startLab
      yield* Queue.offer(orders, "drain")
      yield* TestClock.adjust("900 millis")
      yield* Deferred.succeed(mayStart, undefined)
      yield* Fiber.join(running)
      assert.deepStrictEqual(obeyed, ["drain"])
    }),
  )

  it.effect("starts no more where that takes too long", () =>
    Effect.gen(function* () {
      const { obeyed, orders, running, wasInterrupted } = yield* startLab
      yield* Queue.offer(orders, "drain")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(running)
      yield* Deferred.await(wasInterrupted)
      assert.deepStrictEqual(obeyed, [])
    }),
  )

  it.effect("starts no more where it is told twice", () =>
    Effect.gen(function* () {
      const { obeyed, orders, running, wasInterrupted } = yield* startLab
      yield* Queue.offerAll(orders, ["drain", "cut"])
      yield* Fiber.join(running)
      yield* Deferred.await(wasInterrupted)
      assert.deepStrictEqual(obeyed, [])
    }),
  )
})
