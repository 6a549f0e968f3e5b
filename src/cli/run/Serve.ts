import { Context, Effect, Layer, Runtime } from "effect"
import type { Queue, Scope } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { DownstreamCertificates } from "../../downstream/DownstreamTls.js"
import { layerProxy } from "../../server/Proxy.js"
import { type ListeningSocket, ListenOn } from "../../server/Listening.js"
import { ProxyServer } from "../../server/ProxyServer.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Telemetry } from "../../telemetry/Telemetry.js"
import type { AccessLogOutput } from "./AccessLogOutput.js"
import { activityOf, startPatience } from "./ActivityOf.js"
import { type AdminModule, cannotListen, layerAdminListener, noSocket, noTokens } from "./AdminListening.js"
import { announce, printWhatToTry } from "./Announcement.js"
import { openForProxy } from "../Database.js"
import { demoSession } from "./Demo.js"
import type { CommandFailed } from "../Failure.js"
import type { FollowedTls } from "./FollowedTls.js"
import { longestEnd } from "./LongestEnd.js"
import type { ResolvedChoice } from "./RunChoice.js"
import { stopAtSignal } from "./Stop.js"
import type { TraceChoice } from "../traces/TraceVariables.js"

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
      Effect.promise(() => import("../traces/OtelTracer.js")),
      ({ layerOtelTracer }) => layerOtelTracer(traces),
    ),
  )
}

/** The proxy itself, on its store. */
export const layerServing = ({ settings, tls, traces, database, accessLog, listenOn }: Omit<ServeOptions, "demo">) =>
  Effect.gen(function* () {
    const store = yield* openForProxy(database, settings.idCase, startPatience)
    const activity = yield* activityOf(database, settings)
    return layerProxy.pipe(
      Layer.provideMerge(Layer.merge(store, activity)),
      Layer.provideMerge(ProxyConfig.layerOf({ ...settings, traces: traces !== undefined })),
      Layer.provide([layerTls(tls), accessLog.layer, layerTraces(traces), Layer.succeed(ListenOn, listenOn)]),
    )
  })

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
