import { Deferred, Effect, Option, Queue } from "effect"
import { endProcessWithin, endTime } from "./LastResort.js"

/** What has started, and runs until it is told to stop. */
export type Running<Order, E = never> = (orders: Queue.Dequeue<Order>) => Effect.Effect<void, E>

/**
 * How long a start goes on that is told to stop, in milliseconds. It may have accepted requests, which only what has started can
 * let finish. One that waits for a database is ended then.
 */
const lateStart = 1_000

/** Hands the orders on, and says when the first and the second have come. */
const following = <Order>(orders: Queue.Dequeue<Order>) =>
  Effect.gen(function* () {
    const handed = yield* Queue.unbounded<Order>()
    const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const next = Effect.flatMap(Queue.take(orders), (order) => Queue.offer(handed, order))
    const told = Effect.zipRight(next, Deferred.succeed(first, undefined))
    const toldAgain = Effect.zipRight(next, Deferred.succeed(second, undefined))
    yield* Effect.fork(Effect.zipRight(Effect.zipRight(told, toldAgain), Effect.forever(next)))
    return { handed, first: Deferred.await(first), second: Deferred.await(second) }
  })

/** Runs what `start` gives until the first of `orders` says to stop, which may be before it has started. */
export const untilStopped = <Order, E, E2, R>(
  orders: Queue.Dequeue<Order>,
  start: Effect.Effect<Running<Order, E>, E2, R>,
): Effect.Effect<void, E | E2, R> =>
  Effect.gen(function* () {
    const { first, handed, second } = yield* following(orders)
    const tooLate = Effect.zipRight(first, Effect.raceFirst(Effect.sleep(lateStart), second))
    const givenUp = Effect.zipRight(tooLate, endProcessWithin(endTime, Effect.succeed([])))
    const run = yield* Effect.raceFirst(Effect.map(start, Option.some), Effect.as(givenUp, Option.none()))
    if (Option.isSome(run)) yield* run.value(handed)
  })
