import { Deferred, Effect, Queue } from "effect"
import { version } from "../domain/Version.js"
import type { Channel } from "./Channel.js"
import {
  beat,
  beatInterval,
  cut,
  failed,
  greeting,
  protocol,
  reopenLog,
  retire,
  setLogLevel,
  start,
} from "./Messages.js"
import { WorkerFailed } from "./WorkerFailed.js"

/** What a worker is told to do: `drain` where the proxy stops, `retire` where others go on. */
export type Order = "drain" | "retire" | "cut"

/** What is asked of the log of all processes: a level, or to open its file anew. */
export type LogOrder =
  | { readonly _tag: "Level"; readonly level: (typeof setLogLevel.body.Type)["level"] }
  | { readonly _tag: "Reopen" }

/** What a process is to the supervisor that has started it. */
export interface Role {
  readonly channel: Channel
  readonly task: typeof start.body.Type
  /** What it has been ordered, from the first moment on. */
  readonly orders: Queue.Queue<Order>
  /** What was asked of its log, from the first moment on. */
  readonly logging: Queue.Queue<LogOrder>
}

/**
 * What the supervisor orders. It is heard before anything else: a reload that fails, or a signal to stop, may come while this
 * process begins, and nobody says it twice.
 */
const ordersOn = (channel: Channel): Effect.Effect<Queue.Queue<Order>> =>
  Effect.map(Queue.unbounded<Order>(), (orders) => {
    // `unsafeOffer` is safe because the queue is unbounded, so an offer never waits.
    channel.hear(retire, ({ othersGoOn }) => orders.unsafeOffer(othersGoOn ? "retire" : "drain"))
    channel.hear(cut, () => orders.unsafeOffer("cut"))
    return orders
  })

/** The same of the log, which is open only when this process has its settings. */
const loggingOn = (channel: Channel): Effect.Effect<Queue.Queue<LogOrder>> =>
  Effect.map(Queue.unbounded<LogOrder>(), (logging) => {
    // Safe for the same reason.
    channel.hear(setLogLevel, ({ level }) => logging.unsafeOffer({ _tag: "Level", level }))
    channel.hear(reopenLog, () => logging.unsafeOffer({ _tag: "Reopen" }))
    return logging
  })

const otherVersion = (supervisor: string): string =>
  `the program on the disk is version ${version}, and the one that runs, ${supervisor}, cannot work with it; restart the proxy`

/** The role that the supervisor gives to this process. Fails where the two are of versions that do not understand each other. */
export const takeRole = (channel: Channel): Effect.Effect<Role, WorkerFailed> =>
  Effect.gen(function* () {
    const given = yield* Deferred.make<Role, WorkerFailed>()
    const orders = yield* ordersOn(channel)
    const logging = yield* loggingOn(channel)
    // Safe: it is told once, by the first thing that the supervisor says.
    channel.hear(greeting, ({ protocol: spoken, version: supervisor }) => {
      if (spoken !== protocol)
        Deferred.unsafeDone(given, new WorkerFailed({ problem: otherVersion(supervisor), exitCode: 1 }))
    })
    channel.hear(start, (task) => Deferred.unsafeDone(given, Effect.succeed({ channel, task, orders, logging })))
    return yield* Deferred.await(given)
  })

/** Tells the supervisor each second that this process is not stuck. `connections`: of clients, now. */
export const beats = (channel: Channel, connections: () => number): Effect.Effect<never> => {
  let due = performance.now()
  const one = Effect.sync(() => {
    const now = performance.now()
    channel.tell(beat, { connections: connections(), loopDelay: Math.max(0, now - due) })
    due = now + beatInterval
  })
  return Effect.forever(Effect.zipRight(one, Effect.sleep(beatInterval)))
}

/** Tells the supervisor with what this process ends. */
export const tellFailure = (channel: Channel, problem: string, exitCode: number): void =>
  channel.tell(failed, { problem, exitCode })
