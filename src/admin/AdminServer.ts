import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { Context, Effect, FiberSet, Layer, Runtime } from "effect"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import { OwnListeners } from "../downstream/OwnListeners.js"
import { listen, type ListenError } from "../server/Listening.js"
import type { SessionDirectory } from "../sessions/SessionDirectory.js"
import { exposition, expositionType, prepareExposition } from "../telemetry/Exposition.js"
import { type Counters, Telemetry } from "../telemetry/Telemetry.js"
import type { Traffic } from "../traffic/Traffic.js"
import { type AdminAnswer, problemAnswer, rawAnswer, writeAnswer } from "./AdminAnswer.js"
import { refusalOf } from "./AdminGate.js"
import type { AdminRoute } from "./AdminRoute.js"
import { livez, makeReadyz } from "./Probes.js"

/** Connections at a time; for one more, that is closed which has asked for nothing for longest. */
const maxConnections = 64
/** Requests of a connection at a time. Each holds a whole answer until it is taken; who sends more without a wait is cut. */
const maxPipelined = 4
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

const notFound = (): AdminAnswer =>
  problemAnswer(404, "not_found", "There is nothing here. There is /metrics, /livez and /readyz.")

const methodNotAllowed = (): AdminAnswer =>
  problemAnswer(405, "method_not_allowed", "This path only answers GET and HEAD.", [["Allow", "GET, HEAD"]])

/** What Node found wrong with the bytes of a connection. */
const brokenAnswer = (error: Error): AdminAnswer => {
  const code = "code" in error ? error.code : undefined
  if (code === "HPE_HEADER_OVERFLOW")
    return problemAnswer(431, "headers_too_large", `The head of the request is larger than ${maxHeadBytes} bytes.`)
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return problemAnswer(408, "request_timeout", "The request did not arrive in time.")
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
  server.on("clientError", refuseBytes)
  return server
}

/** The target of a request is a path and a query; what is in front of it in absolute form does not count. */
const urlOf = ({ url = "/" }: IncomingMessage): URL | undefined => {
  try {
    return new URL(url, "http://admin")
  } catch {
    return undefined
  }
}

/** Connections in the order of their last requests, so that those who only hold theirs open keep nobody out. */
class AdminConnections {
  /** And how many requests are under way on each. */
  private readonly underWay = new Map<Socket, number>()

  readonly opened = (socket: Socket): void => {
    this.underWay.set(socket, 0)
    socket.once("close", () => this.underWay.delete(socket))
    const [oldest] = this.underWay.keys()
    if (this.underWay.size > maxConnections) oldest?.destroy()
  }

  /** Whether one more request may come. Node makes requests of all that has arrived before anything is answered. */
  admits({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const underWay = this.underWay.get(socket) ?? maxPipelined
    if (underWay >= maxPipelined) socket.destroy()
    if (socket.destroyed) return false
    this.underWay.delete(socket)
    this.underWay.set(socket, underWay + 1)
    response.once("close", () => this.answered(socket))
    return true
  }

  private answered(socket: Socket): void {
    const underWay = this.underWay.get(socket)
    if (underWay !== undefined) this.underWay.set(socket, underWay - 1)
  }
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

/** Answers requests, one fiber each: they are few. */
class AdminHandler {
  private readonly names: ReadonlySet<string>
  private readonly routes: ReadonlyMap<string, AdminRoute>
  readonly connections = new AdminConnections()

  constructor(
    { adminHosts }: Pick<ProxySettings, "adminHosts">,
    routes: ReadonlyArray<AdminRoute>,
    private readonly counters: Counters,
    private readonly fork: (effect: Effect.Effect<void>) => unknown,
  ) {
    this.names = new Set(adminHosts.map((name) => name.toLowerCase()))
    this.routes = new Map(routes.map((route) => [route.path, route]))
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (!this.connections.admits(request, response)) return
    const url = urlOf(request)
    const route = url === undefined ? undefined : this.routes.get(url.pathname)
    const answered = Effect.map(this.answerTo(request, route, url), (answer) => {
      this.counters.adminAnswered(route?.path ?? "other", answer.status)
      writeAnswer(response, answer)
    })
    this.fork(answered)
  }

  private answerTo(
    { method, rawHeaders }: IncomingMessage,
    route: AdminRoute | undefined,
    url: URL | undefined,
  ): Effect.Effect<AdminAnswer> {
    const refusal = refusalOf(rawHeaders, this.names)
    if (refusal !== undefined) return Effect.succeed(refusal)
    if (method === "OPTIONS") return Effect.sync(methodNotAllowed)
    if (route === undefined || url === undefined) return Effect.sync(notFound)
    if (method !== "GET" && method !== "HEAD") return Effect.sync(methodNotAllowed)
    return Effect.catchAllCause(route.answer(url.searchParams), (cause) =>
      Effect.as(
        Effect.logError("a defect in ss-proxy; please report it", cause),
        problemAnswer(500, "internal_error", "Something went wrong. The log says what."),
      ),
    )
  }
}

/** A second listener, for whoever operates the proxy. It is up as long as its Layer is, and no session's URL leads to it. */
export class AdminServer extends Context.Tag("@ss-proxy/AdminServer")<
  AdminServer,
  {
    /** Where it listens; `undefined` where the settings say `off`. */
    readonly address: { readonly host: string; readonly port: number } | undefined
  }
>() {}

/** The admin listener of the proxy below, as its settings say. It answers while that drains, and ends within a second. */
export const layerAdmin: Layer.Layer<AdminServer, ListenError, ProxyConfig | Traffic | SessionDirectory> = Layer.scoped(
  AdminServer,
  Effect.gen(function* () {
    const settings = yield* ProxyConfig
    const { adminHost: host, adminPort: port } = settings
    if (port === "off") return { address: undefined }
    const counters = yield* Telemetry
    prepareExposition()
    const ownListeners = yield* OwnListeners
    const fork = yield* FiberSet.makeRuntime<never>()
    const log = Runtime.runFork(yield* Effect.runtime<never>())
    const handler = new AdminHandler(settings, [metricsRoute(counters), livez, yield* makeReadyz], counters, fork)
    const server = yield* Effect.acquireRelease(Effect.sync(makeServer), stop)
    server.on("connection", handler.connections.opened)
    server.on("request", handler.handle)
    const address = yield* listen(
      server,
      { host, port, flags: { host: "--admin-host", port: "--admin-port" } },
      maxConnections,
    )
    ownListeners.add(address)
    // From here on an error of the listener is about one connection that could not be accepted.
    server.on("error", (cause) => log(Effect.logWarning("the admin listener could not accept a connection", cause)))
    return { address: { host, port: address.port } }
  }),
)
