import { Context, Effect, Layer, Runtime } from "effect"
import type { Queue, Scope } from "effect"
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
import { type Database, openActivity, openForProxy } from "./Database.js"
import { besideOf } from "./DatabasePlace.js"
import { demoSession, whatToTry } from "./Demo.js"
import { CommandFailed } from "./Failure.js"
import type { FollowedTls } from "./FollowedTls.js"
import { endTime } from "./LastResort.js"
import { printResult } from "./Output.js"
import { databaseFlag, programName } from "./ProgramName.js"
import { stopAtSignal } from "./Stop.js"
import { flushTime } from "./traces/Traces.js"
import type { TraceChoice } from "./traces/TraceVariables.js"

export interface ServeOptions {
  readonly settings: ProxySettings
  /** The files of TLS to servers of sessions; `undefined` for none. */
  readonly tls: FollowedTls | undefined
  /** What the variables of OpenTelemetry ask for; `undefined` for nothing. */
  readonly traces: TraceChoice | undefined
  readonly database: Database
  /** Brings the demo server along, as the session `demo`. */
  readonly demo: boolean
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

const cannotListen = ({ where, reason, hint }: ListenError): CommandFailed =>
  new CommandFailed({ problem: `cannot listen on ${where}: ${reason}`, hint })

const noSocket = ({ path, problem, hint }: AdminSocketError): CommandFailed =>
  new CommandFailed({ problem: `cannot listen on ${path}: ${problem}`, hint })

const noTokens = ({ path, problem }: TokenFileError): CommandFailed =>
  new CommandFailed({ problem: `cannot use the tokens in ${path}: ${problem}`, hint: "check --admin-token-file" })

/** The admin listener, which is loaded only where the settings ask for it. */
const layerAdminListener = (settings: ProxySettings, database: Database) => {
  if (settings.adminPort === "off" && settings.adminSocket === "off") return Layer.empty
  const loaded = Effect.promise(() => import("../admin/AdminServer.js"))
  return Layer.unwrapEffect(
    Effect.map(loaded, ({ AdminServer, AdminSocketBeside, layerAdmin, SettingOrigins }) =>
      Layer.effectDiscard(
        Effect.flatMap(AdminServer, ({ address }) =>
          address === undefined ? Effect.void : Effect.logInfo(`admin listener on ${localUrl(address)}`),
        ),
      ).pipe(
        Layer.provide(layerAdmin),
        Layer.provide([
          Layer.succeed(AdminSocketBeside, besideOf(database)),
          Layer.succeed(SettingOrigins, originOf(settings)),
        ]),
      ),
    ),
  )
}

const announce = (database: Database): Effect.Effect<void, StoreUnavailable, ProxyServer | SessionRepo> =>
  Effect.gen(function* () {
    const { address } = yield* ProxyServer
    const sessions = yield* Effect.flatMap(SessionRepo, (repo) => repo.count)
    yield* Effect.logInfo(`listening on ${localUrl(address)}; stop with Ctrl-C or SIGTERM`).pipe(
      Effect.annotateLogs({ ...address, database: database.shown, sessions }),
    )
    if (sessions === 0)
      yield* Effect.logInfo(
        `no sessions yet; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(database)}`,
      )
  })

const withDemo = (
  database: Database,
  { sessionHosts: hosts }: ProxySettings,
): Effect.Effect<void, CommandFailed | StoreUnavailable, Serving> =>
  Effect.gen(function* () {
    const { address } = yield* ProxyServer
    yield* demoSession
    yield* printResult(whatToTry({ url: localUrl(address), port: address.port, hosts, database }))
  })

/** How long a database that cannot be reached is waited for at the start, in milliseconds: it may be starting itself. */
const startPatience = 5_000

/** When sessions were last active, where that is to be written down. */
const activityOf = (database: Database, { activityInterval }: ProxySettings) =>
  activityInterval === 0 ? Effect.succeed(Layer.empty) : openActivity(database, "make")

type Serving = ProxyServer | SessionRepo | Scope.Scope

/**
 * A proxy that is up, for as long as the scope is open. What this gives runs it until one of the signals tells it to
 * stop, and it has stopped.
 */
export const serve = ({
  settings,
  tls,
  traces,
  database,
  demo,
  accessLog,
  listenOn,
}: ServeOptions): Effect.Effect<
  (signals: Queue.Dequeue<NodeJS.Signals>) => Effect.Effect<void>,
  CommandFailed | StoreUnavailable,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const store = yield* openForProxy(database, settings.idCase, startPatience)
    const activity = yield* activityOf(database, settings)
    const proxy = layerAdminListener(settings, database).pipe(
      Layer.provideMerge(layerProxy),
      Layer.provideMerge(store),
      Layer.provide([ProxyConfig.layerOf({ ...settings, traces: traces !== undefined }), layerTls(tls)]),
      Layer.provide([activity, accessLog.layer, layerTraces(traces), Layer.succeed(ListenOn, listenOn)]),
    )
    const context = yield* Layer.build(proxy)
    accessLog.countIn?.(Context.get(context, Telemetry))
    yield* Effect.provide(
      Effect.zipRight(demo ? withDemo(database, settings) : Effect.void, announce(database)),
      context,
    )
    const longestEnd = traces === undefined ? endTime : endTime + flushTime
    return (signals: Queue.Dequeue<NodeJS.Signals>) =>
      Effect.provide(stopAtSignal(signals, settings.drainDelay + settings.grace, longestEnd), context)
  }).pipe(Effect.catchTags({ ListenError: cannotListen, AdminSocketError: noSocket, TokenFileError: noTokens }))
