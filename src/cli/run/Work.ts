import { Context, Effect, Layer, Queue } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import { OwnListeners } from "../../downstream/OwnListeners.js"
import { Pseudonym } from "../../http/Pseudonym.js"
import { ProxyServer } from "../../server/ProxyServer.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { SlotsElsewhere } from "../../traffic/Slots.js"
import { Traffic } from "../../traffic/Traffic.js"
import { version } from "../../domain/Version.js"
import { askedSlots } from "../../workers/AskedSlots.js"
import { ready, socketDescriptor } from "../../workers/Messages.js"
import { answerFleet } from "../../workers/FleetAnswers.js"
import { beats, type Order, type Role } from "../../workers/Role.js"
import { type AccessLogOutput, openAccessLog } from "./AccessLogOutput.js"
import { callOffEnd, endProcessWithin } from "./LastResort.js"
import { openLog, type ProgramLog } from "../Log.js"
import { resolveChoice, type RunChoice } from "./RunChoice.js"
import { cannotListen } from "./AdminListening.js"
import { longestEnd } from "./LongestEnd.js"
import { layerServing } from "./Serve.js"
import { followSignals } from "./SignalLog.js"
import { untilStopped } from "./UntilStopped.js"

/** What the supervisor orders. When it is gone, others go on, or nobody does. */
const ordersOf = ({ channel, orders }: Role) =>
  Effect.gen(function* () {
    const orphaned = Effect.zipRight(Effect.logWarning("the supervisor is gone"), Queue.offer(orders, "retire"))
    yield* Effect.forkScoped(Effect.zipRight(channel.closed, orphaned))
    return orders
  })

/**
 * Waits for an order, and does as it says. A drain takes at most `drainTime` milliseconds, and the end of the process behind it
 * `endTime`. Beside it only an order to cut is obeyed.
 */
const obey = (
  orders: Queue.Dequeue<Order>,
  drainTime: number,
  endTime: number,
): Effect.Effect<void, never, ProxyServer | Traffic> =>
  Effect.gen(function* () {
    const { cut, drain, retire } = yield* ProxyServer
    const { live } = yield* Traffic
    const cutNow = Effect.zipRight(endProcessWithin(endTime, live), cut)
    const impatient = Effect.zipRight(Effect.repeat(Queue.take(orders), { until: (order) => order === "cut" }), cutNow)
    const order = yield* Queue.take(orders)
    yield* endProcessWithin(drainTime + endTime, live)
    yield* order === "cut" ? cutNow : Effect.raceFirst(order === "drain" ? drain : retire, impatient)
    yield* endProcessWithin(endTime, live)
  })

/** Connections to servers are a worker's own: each has its part of as many as there may be. */
const shareOf = (limit: number, count: number): number => Math.ceil(limit / count)

const start = (given: RunChoice, accessLog: AccessLogOutput, { channel, task }: Role) =>
  Effect.gen(function* () {
    const { settings: whole, ...resolved } = yield* resolveChoice(given)
    const settings = {
      ...whole,
      maxDownstreamConnections: shareOf(whole.maxDownstreamConnections, task.count),
      maxDownstreamConnectionsPerSession: shareOf(whole.maxDownstreamConnectionsPerSession, task.count),
    }
    const listenOn = { _tag: "Inherited", fd: socketDescriptor } as const
    const serving = yield* layerServing({ ...resolved, settings, accessLog, listenOn })
    const slots = yield* Effect.provide(askedSlots(channel), ProxyConfig.layerOf(settings))
    const ofAll = Layer.merge(Layer.succeed(Pseudonym, task.pseudonym), Layer.succeed(SlotsElsewhere, slots))
    const context = yield* Layer.build(Layer.provide(serving, ofAll))
    const counters = Context.get(context, Telemetry)
    accessLog.countIn?.(counters)
    for (const address of task.ownListeners) Context.get(context, OwnListeners).add(address)
    yield* Effect.provide(answerFleet(channel), context)
    const { address } = Context.get(context, ProxyServer)
    const sessions = yield* Context.get(context, SessionRepo).count
    yield* Effect.forkScoped(beats(channel, () => counters.openConnections))
    channel.tell(ready, { version, address, sessions })
    const end = longestEnd(resolved.traces)
    return (orders: Queue.Dequeue<Order>) =>
      Effect.provide(obey(orders, settings.drainDelay + settings.grace, end), context)
  }).pipe(Effect.catchTag("ListenError", cannotListen))

/** Does what is asked of the log, also what was asked before there was one. */
const followLogging = ({ logging }: Role, log: ProgramLog, accessLog: AccessLogOutput): Effect.Effect<never> =>
  Effect.forever(
    Effect.map(Queue.take(logging), (order) => {
      if (order._tag === "Level") log.setLevel(order.level)
      else accessLog.reopen?.()
    }),
  )

const withAccessLog = (given: RunChoice, role: Role, log: ProgramLog) =>
  Effect.gen(function* () {
    const { task } = role
    const accessLog = yield* openAccessLog(given.accessLog, log, given.settings.logQuery)
    if (task.logLevel !== undefined) log.setLevel(task.logLevel)
    yield* Effect.forkScoped(followLogging(role, log, accessLog))
    yield* followSignals({ reopen: accessLog.reopen, toggleDebug: log.toggleDebug, reload: undefined })
    const orders = yield* ordersOf(role)
    yield* Effect.scoped(untilStopped(orders, start(given, accessLog, role)))
    yield* callOffEnd
  })

/** Serves the socket that this process has inherited, until the supervisor orders otherwise or is gone. */
export const work = (given: RunChoice, role: Role) =>
  Effect.scoped(
    Effect.flatMap(openLog(given.log, { worker: role.task.number }), (log) =>
      Effect.provide(Effect.scoped(withAccessLog(given, role, log)), log.layer),
    ),
  )
