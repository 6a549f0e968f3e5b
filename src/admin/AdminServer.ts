import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { Context, Deferred, Effect, FiberSet, Layer, Runtime, type Scope } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import { OwnListeners } from "../downstream/OwnListeners.js"
import { listen, type ListenError, localUrl } from "../server/Listening.js"
import type { SessionDirectory } from "../sessions/SessionDirectory.js"
import type { SessionRepo } from "../sessions/SessionRepo.js"
import { exposition, expositionType, prepareExposition } from "../telemetry/Exposition.js"
import { type Counters, Telemetry } from "../telemetry/Telemetry.js"
import type { ErrorRing } from "../telemetry/ErrorRing.js"
import type { Activity } from "../traffic/Activity.js"
import { Traffic } from "../traffic/Traffic.js"
import { Access } from "./access/Access.js"
import { problemAnswer, rawAnswer, type TextAnswer } from "./AdminAnswer.js"
import { TokenGate } from "./AdminGate.js"
import { AdminConnections, maxConnections } from "./AdminConnections.js"
import { AdminHandler, type Door, type Entrance, type LazyApi } from "./AdminHandler.js"
import type { AdminRoute } from "./AdminRoute.js"
import { type AdminSocketError, listenOnSocket } from "./AdminSocket.js"
import { makeTokens } from "./access/AdminTokens.js"
import type { ApiParts } from "./calls/ApiServer.js"
import { ChangeNotes } from "./access/ChangeNotes.js"
import { makePage } from "./Page.js"
import { FailedTries } from "./access/FailedTries.js"
import { livez, makeReadyz } from "./Probes.js"
import { Sampler, SecondSampler } from "./Sampler.js"
import type { TokenFileError } from "./access/TokenFile.js"

/** Largest head of a request, in bytes. */
const maxHeadBytes = 16_384
/** Within this time a whole request has to come, and an answer has to be taken on; milliseconds. */
const longestWait = 30_000
/** How often Node looks for requests that take longer; milliseconds. */
const lookEvery = 1_000
/** How long it may take to end, in milliseconds: what is under way is answered, then it is cut. */
const endTime = 1_000

const metricsRoute = (counters: Counters): AdminRoute => ({
  path: "/metrics",
  answer: () =>
    Effect.map(counters.snapshot, (snapshot) => ({ status: 200, type: expositionType, body: exposition(snapshot) })),
})

/** So that not even the first scrape takes long. */
const prepareScrape = (counters: Counters): Effect.Effect<void> =>
  Effect.zipRight(nextTurn, Effect.flatMap(counters.snapshot, prepareExposition))

const codeOf = (error: Error): unknown => ("code" in error ? error.code : undefined)

/** A whole request has not come within its time. */
const isLate = (error: Error): boolean => codeOf(error) === "ERR_HTTP_REQUEST_TIMEOUT"

/** What Node found wrong with the bytes of a connection. */
const brokenAnswer = (error: Error): TextAnswer => {
  if (codeOf(error) === "HPE_HEADER_OVERFLOW")
    return problemAnswer(431, "headers_too_large", `The head of the request is larger than ${maxHeadBytes} bytes.`)
  if (isLate(error)) return problemAnswer(408, "request_timeout", "The request did not arrive in time.")
  return problemAnswer(400, "bad_request", "The request is not valid HTTP/1.1.")
}

/** The listener's own answer to a connection whose bytes are no request. Node calls this again for what still comes. */
const refuseBytes = (error: Error, socket: Duplex): void => {
  if (!socket.writable) return void socket.destroy()
  socket.end(rawAnswer(brokenAnswer(error)))
}

/**
 * Node's server, held to limits. It has no `upgrade` listener, so that a request for an upgrade is one like any other, and
 * its socket stays in Node's care.
 */
const makeServer = (): Server => {
  const server = createServer({
    maxHeaderSize: maxHeadBytes,
    requestTimeout: longestWait,
    headersTimeout: longestWait,
    connectionsCheckingInterval: lookEvery,
    // The gate asks for it.
    requireHostHeader: false,
  })
  server.timeout = longestWait
  // Lines beyond a number would be left out in silence, a second `Host` among them. The size of the head limits them.
  server.maxHeadersCount = 0
  return server
}

/** Stops within `endTime`. */
const stop = (server: Server): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const cut = setTimeout(() => server.closeAllConnections(), endTime)
    server.close(() => {
      clearTimeout(cut)
      resume(Effect.void)
    })
    server.closeIdleConnections()
  })

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

/** What becomes of the requests of a listener. */
export interface AdminRequests {
  readonly handle: (request: IncomingMessage, response: ServerResponse, entrance: Entrance) => void
  /** Whether this connection brings what may take any time to come. */
  readonly mayTakeTime: (socket: Duplex) => boolean
}

/** What listens, whichever way requests come in to it. */
export const listener = (admin: AdminRequests, door: Door): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(Effect.sync(makeServer), stop)
    const connections = new AdminConnections()
    server.on("connection", connections.opened)
    server.on("clientError", (error, socket) => {
      // Node does not ask about it again while it is under way.
      if (isLate(error) && admin.mayTakeTime(socket)) return
      refuseBytes(error, socket)
    })
    server.on("request", (request, response) => {
      if (connections.admits(request, response)) admin.handle(request, response, { door, connections })
    })
    return server
  })

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
    const server = yield* listener(admin, "tcp")
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
    const server = yield* listener(admin, "socket")
    const path = yield* listenOnSocket(server, settings)
    if (path !== undefined) yield* logFailures(server)
    return path
  })

/** What is loaded when it is asked for first, and then kept as long as the listener. */
const lazyApi: Effect.Effect<LazyApi, never, ApiParts | Scope.Scope> = Effect.gen(function* () {
  const context = yield* Effect.context<ApiParts | Scope.Scope>()
  const loaded = Effect.promise(() => import("./calls/ApiServer.js"))
  const description = yield* Effect.cached(Effect.map(loaded, ({ openApi }) => openApi()))
  const renderer = Effect.promise(() => import("./calls/Reference.js"))
  return {
    handler: yield* Effect.cached(
      Effect.flatMap(loaded, ({ makeApiHandler }) => Effect.provide(makeApiHandler, context)),
    ),
    description,
    reference: yield* Effect.cached(
      Effect.zipWith(renderer, description, ({ referencePage }, text) => referencePage(text)),
    ),
  }
})

/** Parts of the proxy that the admin listener shows and steers. */
export type AdminParts = ProxyConfig | SessionRepo | SessionDirectory | Traffic | Activity | ErrorRing

/** The admin listener of the proxy below, as its settings say. It answers while that drains, and ends within a second. */
export const layerAdmin: Layer.Layer<AdminServer, AdminError, AdminParts> = Layer.scoped(
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
    const sampler = new SecondSampler(counters, (yield* Traffic).things)
    const api = yield* lazyApi.pipe(Effect.provideService(Access, access), Effect.provideService(Sampler, sampler))
    const routes = [metricsRoute(counters), livez, yield* makeReadyz]
    const gate = new TokenGate(tokens, new FailedTries())
    const page = yield* makePage
    const admin = new AdminHandler(settings, routes, page, gate, api, changes, counters, fork)
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
