import type { Server } from "node:http"
import { Context, Deferred, Effect, FiberSet, Layer, Runtime, type Scope } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import { OwnListeners } from "../downstream/OwnListeners.js"
import { listen, type ListenError, localUrl } from "../server/Listening.js"
import type { SessionRepo } from "../sessions/SessionRepo.js"
import { prepareExposition } from "../telemetry/Exposition.js"
import { type Counters, Telemetry } from "../telemetry/Telemetry.js"
import { Access } from "./access/Access.js"
import { makeTokens } from "./access/AdminTokens.js"
import { ChangeNotes } from "./access/ChangeNotes.js"
import { FailedTries } from "./access/FailedTries.js"
import type { TokenFileError } from "./access/TokenFile.js"
import { maxConnections } from "./AdminConnections.js"
import { TokenGate } from "./AdminGate.js"
import { AdminHandler } from "./AdminHandler.js"
import { type AdminRequests, makeListener } from "./AdminListener.js"
import { type AdminSocketError, listenOnSocket } from "./AdminSocket.js"
import { lookAtAll } from "./fleet/Counts.js"
import { Fleet } from "./fleet/Fleet.js"
import { lazyApi } from "./LazyApi.js"
import { makeMetricsRoute } from "./MetricsRoute.js"
import { makePage } from "./Page.js"
import { livez, makeReadyz } from "./Probes.js"
import { layerFleetHere, type ProcessParts } from "./process/FleetHere.js"
import { Sampler, SecondSampler } from "./Sampler.js"

/** So that not even the first scrape takes long. */
const prepareScrape = (counters: Counters): Effect.Effect<void> =>
  Effect.zipRight(nextTurn, Effect.flatMap(counters.snapshot, prepareExposition))

/** A second listener, for whoever operates the proxy. It is up as long as its Layer is, and no session's URL leads to it. */
export class AdminServer extends Context.Tag("@ss-proxy/AdminServer")<
  AdminServer,
  {
    /** Where it listens; `undefined` where the settings say `off`. */
    readonly address: { readonly host: string; readonly port: number } | undefined
    /** The path of its Unix socket; `undefined` where it has none. */
    readonly socket: string | undefined
  }
>() {}

export { SettingOrigins } from "./access/Access.js"
export { AdminSocketBeside } from "./AdminSocket.js"

/** Why there is no admin listener where the settings ask for one. */
export type AdminError = ListenError | AdminSocketError | TokenFileError

/** From here on an error of a listener is about one connection that could not be accepted. */
const logFailures = (server: Server): Effect.Effect<void> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const log = Runtime.runFork(runtime)
    server.on("error", (cause) => log(Effect.logWarning("the admin listener could not accept a connection", cause)))
  })

const listenOnPort = (
  admin: AdminRequests,
  { adminHost: host, adminPort: port }: ProxySettings,
): Effect.Effect<(typeof AdminServer.Service)["address"], ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    if (port === "off") return undefined
    const ownListeners = yield* OwnListeners
    const server = yield* makeListener(admin, "tcp")
    const flags = { host: "--admin-host", port: "--admin-port" }
    const address = yield* listen(server, { host, port, flags }, maxConnections)
    ownListeners.add(address)
    yield* logFailures(server)
    return { host, port: address.port }
  })

const listenOnPath = (
  admin: AdminRequests,
  settings: ProxySettings,
): Effect.Effect<string | undefined, AdminSocketError, Scope.Scope> =>
  Effect.gen(function* () {
    if (settings.adminSocket === "off") return undefined
    const server = yield* makeListener(admin, "socket")
    const path = yield* listenOnSocket(server, settings)
    if (path !== undefined) yield* logFailures(server)
    return path
  })

/** Parts of the proxy that the admin listener shows and steers. */
export type AdminParts = ProcessParts

/** The admin listener of the proxy whose processes are those of `Fleet`. It answers while that drains, and ends within a second. */
export const layerAdminOf: Layer.Layer<AdminServer, AdminError, ProxyConfig | SessionRepo | Fleet> = Layer.scoped(
  AdminServer,
  Effect.gen(function* () {
    const settings = yield* ProxyConfig
    const counters = yield* Telemetry
    const fork = yield* FiberSet.makeRuntime<never>()
    const tokens = yield* makeTokens(settings)
    /** What is known once it listens. */
    const bound: { address?: (typeof AdminServer.Service)["address"] } = {}
    const changes = new ChangeNotes()
    const ended = yield* Deferred.make<void>()
    const url = () => bound.address && localUrl(bound.address)
    const access = { tokens, changes, url, ended: Deferred.await(ended) }
    const sampler = new SecondSampler(lookAtAll(yield* Fleet))
    const api = yield* lazyApi.pipe(Effect.provideService(Access, access), Effect.provideService(Sampler, sampler))
    const routes = [yield* makeMetricsRoute, livez, yield* makeReadyz]
    const gate = new TokenGate(tokens, new FailedTries())
    const page = yield* makePage
    const admin = new AdminHandler(settings, { api, changes, counters, fork, gate, page, routes })
    const address = yield* listenOnPort(admin, settings)
    bound.address = address
    const socket = yield* listenOnPath(admin, settings)
    // Before the listeners end: whoever reads a stream of events is told.
    yield* Effect.addFinalizer(() => Deferred.succeed(ended, undefined))
    if (address !== undefined || socket !== undefined) yield* Effect.forkScoped(sampler.run)
    if (address !== undefined) yield* Effect.forkScoped(prepareScrape(counters))
    return { address, socket }
  }),
)

/** The same of the proxy in this process. */
export const layerAdmin: Layer.Layer<AdminServer, AdminError, AdminParts> = Layer.provide(layerAdminOf, layerFleetHere)
