import { Context, Effect, Layer, Runtime } from "effect"
import type { Queue, Scope } from "effect"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { DownstreamCertificates } from "../downstream/DownstreamTls.js"
import { layerProxy } from "../server/Proxy.js"
import { type ListenError, ProxyServer } from "../server/ProxyServer.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import { Telemetry } from "../telemetry/Telemetry.js"
import type { AccessLogOutput } from "./AccessLogOutput.js"
import { type Database, openDatabase } from "./Database.js"
import { demoSession, whatToTry } from "./Demo.js"
import { CommandFailed } from "./Failure.js"
import type { FollowedTls } from "./FollowedTls.js"
import { printResult } from "./Output.js"
import { databaseFlag, programName } from "./ProgramName.js"
import { stopAtSignal } from "./Stop.js"

export interface ServeOptions {
  readonly settings: ProxySettings
  /** The files of TLS to servers of sessions; `undefined` for none. */
  readonly tls: FollowedTls | undefined
  readonly database: Database
  /** Brings the demo server along, as the session `demo`. */
  readonly demo: boolean
  readonly accessLog: AccessLogOutput
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

const cannotListen = ({ host, port, reason, hint }: ListenError): CommandFailed =>
  new CommandFailed({ problem: `cannot listen on ${host}:${port}: ${reason}`, hint })

/** Where somebody on this machine reaches the proxy. */
const localUrl = (address: { readonly host: string; readonly port: number }): string => {
  const isEverywhere = address.host === "0.0.0.0" || address.host === "::"
  const host = isEverywhere ? "localhost" : address.host
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`
}

const announce = (database: Database): Effect.Effect<void, StoreUnavailable, ProxyServer | SessionRepo> =>
  Effect.gen(function* () {
    const { address } = yield* ProxyServer
    const sessions = yield* Effect.flatMap(SessionRepo, (repo) => repo.count)
    yield* Effect.logInfo(`listening on ${localUrl(address)}; stop with Ctrl-C or SIGTERM`).pipe(
      Effect.annotateLogs({ ...address, database: database.filename, sessions }),
    )
    if (sessions === 0)
      yield* Effect.logInfo(
        `no sessions yet; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(database.filename)}`,
      )
  })

const withDemo = (database: Database): Effect.Effect<void, CommandFailed | StoreUnavailable, Serving> =>
  Effect.gen(function* () {
    const { address } = yield* ProxyServer
    yield* demoSession
    yield* printResult(whatToTry(localUrl(address), database.filename))
  })

type Serving = ProxyServer | SessionRepo | Scope.Scope

/**
 * A proxy that is up, for as long as the scope is open. What this gives runs it until one of the signals tells it to
 * stop, and it has stopped.
 */
export const serve = ({
  settings,
  tls,
  database,
  demo,
  accessLog,
}: ServeOptions): Effect.Effect<
  (signals: Queue.Dequeue<NodeJS.Signals>) => Effect.Effect<void>,
  CommandFailed | StoreUnavailable,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const store = yield* openDatabase(database, "make")
    const proxy = layerProxy.pipe(
      Layer.provideMerge(store),
      Layer.provide([ProxyConfig.layerOf(settings), layerTls(tls), accessLog.layer]),
    )
    const context = yield* Layer.build(proxy)
    accessLog.lines?.countIn(Context.get(context, Telemetry))
    yield* Effect.provide(Effect.zipRight(demo ? withDemo(database) : Effect.void, announce(database)), context)
    return (signals: Queue.Dequeue<NodeJS.Signals>) => Effect.provide(stopAtSignal(signals, settings.grace), context)
  }).pipe(Effect.catchTag("ListenError", cannotListen))
