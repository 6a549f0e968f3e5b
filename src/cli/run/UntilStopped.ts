import { Effect, Queue } from "effect"
import { endProcessWithin, endTime } from "./LastResort.js"

/** What has started, and runs until it is told to stop. */
export type Running<Order, E = never> = (orders: Queue.Dequeue<Order>) => Effect.Effect<void, E>

/** Runs what `start` gives until the first of `orders` says to stop, which may be before it has started. */
export const untilStopped = <Order, E, E2, R>(
  orders: Queue.Dequeue<Order>,
  start: Effect.Effect<Running<Order, E>, E2, R>,
): Effect.Effect<void, E | E2, R> => {
  const started = Effect.map(start, (run) => run(orders))
  const stopped = Effect.zipRight(Queue.take(orders), endProcessWithin(endTime, Effect.succeed([])))
  return Effect.flatten(Effect.raceFirst(started, Effect.as(stopped, Effect.void)))
}
