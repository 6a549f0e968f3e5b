import { Context, Effect, Layer, Option, Runtime } from "effect"
import type { Queue, Scope } from "effect"
import type { AdminError, AdminServer } from "../admin/AdminServer.js"
import type { AdminSocketError } from "../admin/AdminSocket.js"
import type { TokenFileError } from "../admin/access/TokenFile.js"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { DownstreamCertificates } from "../downstream/DownstreamTls.js"
import { layerProxy } from "../server/Proxy.js"
import { type ListenError, type ListeningSocket, ListenOn, localUrl } from "../server/Listening.js"
import { ProxyServer } from "../server/ProxyServer.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import { Telemetry } from "../telemetry/Telemetry.js"
import type { AccessLogOutput } from "./AccessLogOutput.js"
import { originOf } from "./AdminVariables.js"
import { type Database, openActivity, openDatabase } from "./Database.js"
import { besideOf } from "./DatabasePlace.js"
import { demoSession, whatToTry } from "./Demo.js"
import { CommandFailed } from "./Failure.js"
import type { FollowedTls } from "./FollowedTls.js"
import type { ResolvedChoice } from "./RunChoice.js"
import { endTime } from "./LastResort.js"
import { printResult } from "./Output.js"
import { databaseFlag, programName } from "./ProgramName.js"
import { stopAtSignal } from "./Stop.js"
import { flushTime } from "./traces/Traces.js"
import type { TraceChoice } from "./traces/TraceVariables.js"

export interface ServeOptions extends ResolvedChoice {
  readonly accessLog: AccessLogOutput
  /** Where the proxy's listener gets its socket. */
  readonly listenOn: ListeningSocket
}

/** Certificates and key as they are in their files at any moment. */
const layerTls = (tls: FollowedTls | undefined): Layer.Layer<never> => {
  if (tls === undefined) return Layer.empty
  return Layer.effect(
    DownstreamCertificates,
    Effect.map(Effect.runtime<never>(), (runtime) => {
      const log = Runtime.runFork(runtime)
      return () => tls.current(log)
    }),
  )
}

/** Sends spans where they are asked for. What does so is large, and loaded only there. */
const layerTraces = (traces: TraceChoice | undefined): Layer.Layer<never> => {
  if (traces === undefined) return Layer.empty
  return Layer.unwrapEffect(
    Effect.map(
      Effect.promise(() => import("./traces/OtelTracer.js")),
      ({ layerOtelTracer }) => layerOtelTracer(traces),
    ),
  )
}

export const cannotListen = ({ where, reason, hint }: ListenError): CommandFailed =>
  new CommandFailed({ problem: `cannot listen on ${where}: ${reason}`, hint })

export const noSocket = ({ path, problem, hint }: AdminSocketError): CommandFailed =>
  new CommandFailed({ problem: `cannot listen on ${path}: ${problem}`, hint })

export const noTokens = ({ path, problem }: TokenFileError): CommandFailed =>
  new CommandFailed({ problem: `cannot use the tokens in ${path}: ${problem}`, hint: "check --admin-token-file" })

/** What there is to an admin listener. */
type AdminModule = typeof import("../admin/AdminServer.js")

/** The admin listener, which is loaded only where the settings ask for it. `layerOf`: that of this process, or of others. */
export const layerAdminListener = <R>(
  settings: ProxySettings,
  database: Database,
  layerOf: (module: AdminModule) => Effect.Effect<Layer.Layer<AdminServer, AdminError, R>>,
) => {
  if (settings.adminPort === "off" && settings.adminSocket === "off") return Layer.empty
  const loaded = Effect.promise(() => import("../admin/AdminServer.js"))
  const withLayer = Effect.flatMap(loaded, (module) => Effect.map(layerOf(module), (layer) => ({ ...module, layer })))
  return Layer.unwrapEffect(
    Effect.map(withLayer, ({ AdminServer, AdminSocketBeside, layer, SettingOrigins }) =>
      Layer.effectDiscard(
        Effect.flatMap(AdminServer, ({ address }) =>
          address === undefined ? Effect.void : Effect.logInfo(`admin listener on ${localUrl(address)}`),
        ),
      ).pipe(
        Layer.provide(layer),
        Layer.provide([
          Layer.succeed(AdminSocketBeside, besideOf(database)),
          Layer.succeed(SettingOrigins, originOf(settings)),
        ]),
      ),
    ),
  )
}

/** Where the proxy listens. */
interface Listening {
  readonly host: string
  readonly port: number
}

/** What is said when the proxy has come up. `workers`: how many processes listen. */
export const announce = (
  { host, port }: Listening,
  database: Database,
  sessions: number,
  workers = 1,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const by = workers === 1 ? "" : ` with ${workers} workers`
    yield* Effect.logInfo(`listening on ${localUrl({ host, port })}${by}; stop with Ctrl-C or SIGTERM`).pipe(
      Effect.annotateLogs({ host, port, database: database.shown, sessions }),
    )
    if (sessions === 0)
      yield* Effect.logInfo(
        `no sessions yet; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(database)}`,
      )
  })

/** Prints what to try of the demo server. */
export const printWhatToTry = (
  { host, port }: Listening,
  database: Database,
  { sessionHosts: hosts }: ProxySettings,
): Effect.Effect<void> => printResult(whatToTry({ url: localUrl({ host, port }), port, hosts, database }))

/** How long a database that cannot be reached is waited for at the start, in milliseconds: it may be starting itself. */
export const startPatience = 5_000

/** When sessions were last active, where that is to be written down and there is a place for it. */
const activityOf = (database: Database, { activityInterval }: ProxySettings) =>
  Effect.gen(function* () {
    if (activityInterval === 0) return Layer.empty
    const store = yield* openActivity(database, "make")
    if (Option.isSome(store)) return store.value
    yield* Effect.logInfo("when sessions were last active is not written down: the database is no SQLite file")
    return Layer.empty
  })

/** The proxy itself, on its store. */
export const layerServing = ({ settings, tls, traces, database, accessLog, listenOn }: Omit<ServeOptions, "demo">) =>
  Effect.gen(function* () {
    const store = yield* openDatabase(database, "make", settings.idCase, startPatience)
    const activity = yield* activityOf(database, settings)
    return layerProxy.pipe(
      Layer.provideMerge(Layer.merge(store, activity)),
      Layer.provideMerge(ProxyConfig.layerOf({ ...settings, traces: traces !== undefined })),
      Layer.provide([layerTls(tls), accessLog.layer, layerTraces(traces), Layer.succeed(ListenOn, listenOn)]),
    )
  })

/** How long the end of the process may take behind the drain, in milliseconds. */
export const longestEnd = (traces: TraceChoice | undefined): number =>
  traces === undefined ? endTime : endTime + flushTime

const adminHere = ({ layerAdmin }: AdminModule) => Effect.succeed(layerAdmin)

/**
 * A proxy that is up, for as long as the scope is open. What this gives runs it until one of the signals tells it to
 * stop, and it has stopped.
 */
export const serve = (
  options: ServeOptions,
): Effect.Effect<
  (signals: Queue.Dequeue<NodeJS.Signals>) => Effect.Effect<void>,
  CommandFailed | StoreUnavailable,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const { accessLog, database, demo, settings, traces } = options
    const serving = yield* layerServing(options)
    const context = yield* Layer.build(Layer.provideMerge(layerAdminListener(settings, database, adminHere), serving))
    accessLog.countIn?.(Context.get(context, Telemetry))
    const { address } = Context.get(context, ProxyServer)
    const began = Effect.gen(function* () {
      if (demo) yield* Effect.zipRight(demoSession, printWhatToTry(address, database, settings))
      yield* announce(address, database, yield* Effect.flatMap(SessionRepo, (repo) => repo.count))
    })
    yield* Effect.provide(began, context)
    return (signals: Queue.Dequeue<NodeJS.Signals>) =>
      Effect.provide(stopAtSignal(signals, settings.drainDelay + settings.grace, longestEnd(traces)), context)
  }).pipe(Effect.catchTags({ ListenError: cannotListen, AdminSocketError: noSocket, TokenFileError: noTokens }))
