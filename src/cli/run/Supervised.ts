import { Deferred, Effect, Layer, Queue, type Scope } from "effect"
import { Reload } from "../../admin/access/Reload.js"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { ListenerAddresses, OwnListeners } from "../../downstream/OwnListeners.js"
import { newPseudonym } from "../../http/Pseudonym.js"
import { LogControl, type LogSteering, type LogThreshold } from "../../log/LogControl.js"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { cannotHold, type HeldSockets, holdSockets, sharedSocket } from "../../workers/HeldSocket.js"
import { reopenLog, setLogLevel } from "../../workers/Messages.js"
import { keepSlots } from "../../workers/SlotKeeper.js"
import { type Supervision, supervise } from "../../workers/Supervisor.js"
import { type PoolOptions, WorkerPool } from "../../workers/WorkerPool.js"
import { Workers } from "../../workers/Workers.js"
import type { WorkerFailed } from "../../workers/WorkerFailed.js"
import { openForProxy } from "../Database.js"
import { demoSession } from "./Demo.js"
import { CommandFailed, type UsageError } from "../Failure.js"
import { inheritedSocket } from "./InheritedSocket.js"
import { callOffEnd, endProcessWithin } from "./LastResort.js"
import type { ProgramLog } from "../Log.js"
import { workerFile } from "../ProgramName.js"
import { type ResolvedChoice, resolveChoice, type RunChoice } from "./RunChoice.js"
import { activityOf, startPatience } from "./ActivityOf.js"
import { type AdminModule, cannotListen, layerAdminListener, noSocket, noTokens } from "./AdminListening.js"
import { announce, printWhatToTry } from "./Announcement.js"
import { longestEnd } from "./LongestEnd.js"
import { followSignals, type SignalActions } from "./SignalLog.js"
import { stopSignals } from "../StopSignal.js"
import { warnOfUnknownVariables } from "../UnknownVariables.js"
import { type Running, untilStopped } from "./UntilStopped.js"

/** A worker that has not been heard of for so many seconds is stuck. */
const longestSilence = 10

/** How long the supervisor waits behind the end that its workers see to themselves, in milliseconds. */
const burialTime = 1_000

/** How many workers there are to be: one, which is this process, where there cannot be more. */
export const workersOf = (
  asked: { readonly exactly: number } | { readonly most: number },
): Effect.Effect<number, CommandFailed> =>
  Effect.gen(function* () {
    const problem = cannotHold()
    if ("exactly" in asked) {
      if (problem === undefined || asked.exactly === 1) return asked.exactly
      return yield* new CommandFailed({
        problem: `cannot run ${asked.exactly} workers: ${problem}`,
        hint: "start without --workers",
      })
    }
    if (problem === undefined || asked.most === 1) return asked.most
    yield* Effect.logInfo(`running as one process, because workers are not possible here: ${problem}`)
    return 1
  })

const heldSockets = ({ settings }: RunChoice, count: number) =>
  Effect.gen(function* () {
    const listenOn = yield* inheritedSocket(settings)
    if (listenOn._tag === "Inherited") return sharedSocket(listenOn.fd)
    const { host, port } = settings
    return yield* holdSockets({ host, port, flags: { host: "--host", port: "--port" } }, count)
  }).pipe(Effect.catchTag("ListenError", cannotListen))

/** Whether the access log is a file, which can be opened anew. */
const isFile = (accessLog: string): boolean => !["off", "pretty", "json", "-"].includes(accessLog)

/** What the workers to come are told, and changes while others work. */
interface Told {
  /** The level of the log, where it is no longer that of the command line. */
  logLevel?: LogThreshold
  /** Where this process listens. */
  readonly listeners: ListenerAddresses
}

/** The log of all processes as one: what is asked of it, workers do as well. */
const wholeLog = (log: ProgramLog, accessLog: string, pool: WorkerPool, told: Told): LogSteering & SignalActions => {
  const pass = (level: LogThreshold): void => {
    told.logLevel = level
    pool.tell(setLogLevel, { level })
  }
  return {
    level: log.level,
    setLevel: (level) => {
      log.setLevel(level)
      pass(level)
    },
    toggleDebug: () => {
      const level = log.toggleDebug()
      pass(level)
      return level
    },
    reopen: isFile(accessLog) ? () => pool.tell(reopenLog, {}) : undefined,
    reload: undefined,
  }
}

const makePool = (sockets: HeldSockets, count: number, told: Told) => {
  const [words, pseudonym] = [process.argv.slice(2), newPseudonym()]
  const task = (): ReturnType<PoolOptions["task"]> => {
    const { listeners, ...others } = told
    return { words, pseudonym, ownListeners: listeners.all, ...others }
  }
  return WorkerPool.make({ file: workerFile, sockets, count, task, longestSilence })
}

/**
 * Waits for a signal, and lets the workers retire; a second one cuts what is left on them. They see to it that it takes no longer
 * than it may.
 */
const stopAtSignal = (
  signals: Queue.Dequeue<NodeJS.Signals>,
  { cut, drain, kill }: Supervision,
  { settings, traces }: ResolvedChoice,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const signal = yield* Queue.take(signals)
    // If this process ends where it stands, it takes them along.
    process.once("exit", kill)
    const end = longestEnd(traces) + burialTime
    const endWithin = (time: number) => endProcessWithin(time, Effect.succeed([]))
    yield* endWithin(settings.drainDelay + settings.grace + end)
    yield* Effect.annotateLogs(Effect.logInfo("stopping; a second signal cuts at once"), { signal })
    const impatient = Effect.gen(function* () {
      const second = yield* Queue.take(signals)
      yield* endWithin(end)
      yield* Effect.annotateLogs(Effect.logWarning("cutting what is left"), { signal: second })
      yield* cut
      yield* Effect.never
    })
    yield* Effect.raceFirst(drain, impatient)
    yield* endWithin(end)
  })

const adminOfWorkers = ({ layerAdminOf }: AdminModule) =>
  Effect.map(
    Effect.promise(() => import("../../workers/FleetOfWorkers.js")),
    ({ layerFleetOfWorkers }) => Layer.provide(layerAdminOf, layerFleetOfWorkers),
  )

/** What this process does itself, beside its workers: the admin listener, and the demo server. For both it needs the store. */
const startOwnPart = (
  { database, demo, settings, traces }: ResolvedChoice,
  pool: WorkerPool,
  told: Told,
  controls: Layer.Layer<never>,
) =>
  Effect.gen(function* () {
    const hasAdmin = settings.adminPort !== "off" || settings.adminSocket !== "off"
    if (!hasAdmin && !demo) return
    const store = yield* openForProxy(database, settings.idCase, startPatience)
    const activity = yield* activityOf(database, settings)
    const admin = layerAdminListener(settings, database, adminOfWorkers).pipe(
      Layer.provide([Layer.succeed(Workers, pool.service), Layer.succeed(OwnListeners, told.listeners)]),
      Layer.provide([Telemetry.layer, activity, controls]),
      Layer.provideMerge(store),
      Layer.provide(ProxyConfig.layerOf({ ...settings, traces: traces !== undefined })),
    )
    const context = yield* Layer.build(admin)
    if (demo) yield* Effect.provide(demoSession, context)
  }).pipe(Effect.catchTags({ ListenError: cannotListen, AdminSocketError: noSocket, TokenFileError: noTokens }))

/** Starts the workers, and gives what keeps them until a signal says to stop. */
const start = (
  given: RunChoice,
  log: ProgramLog,
  count: number,
): Effect.Effect<
  Running<NodeJS.Signals, WorkerFailed>,
  UsageError | CommandFailed | StoreUnavailable | WorkerFailed,
  Scope.Scope
> =>
  Effect.gen(function* () {
    yield* warnOfUnknownVariables
    const resolved = yield* resolveChoice(given)
    const { database, demo, settings } = resolved
    const told: Told = { listeners: new ListenerAddresses() }
    const pool = yield* makePool(yield* heldSockets(given, count), count, told)
    const steering = wholeLog(log, given.accessLog, pool, told)
    const begun = yield* Deferred.make<Supervision>()
    const reload = Effect.flatMap(Deferred.await(begun), ({ reload }) => reload)
    yield* startOwnPart(
      resolved,
      pool,
      told,
      Layer.merge(Layer.succeed(Reload, reload), Layer.succeed(LogControl, steering)),
    )
    yield* Effect.provide(keepSlots(pool.service), ProxyConfig.layerOf(settings))
    const supervision = yield* supervise(pool)
    yield* Deferred.succeed(begun, supervision)
    yield* followSignals({ ...steering, reload: Effect.ignore(reload) })
    const { address, sessions } = supervision.begun
    if (demo) yield* printWhatToTry(address, database, settings)
    yield* announce(address, database, sessions, count)
    return (signals) => Effect.raceFirst(stopAtSignal(signals, supervision, resolved), supervision.failed)
  })

/** Runs several processes until a signal says to stop, and they have stopped. */
export const supervised = (given: RunChoice, log: ProgramLog, count: number) =>
  Effect.gen(function* () {
    const signals = yield* stopSignals
    yield* Effect.scoped(untilStopped(signals, start(given, log, count)))
    yield* callOffEnd
  }).pipe(Effect.scoped)
