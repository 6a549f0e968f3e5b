import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { BlockList, isIPv4, type AddressInfo, type Socket } from "node:net"
import { Context, Data, Effect, FiberSet, Layer, Runtime } from "effect"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import { BadRequest } from "../domain/ProxyError.js"
import { Deadlines } from "../downstream/Deadlines.js"
import { EndOfTurn } from "../downstream/EndOfTurn.js"
import { OwnListeners } from "../downstream/OwnListeners.js"
import type { ExchangeContext } from "../http/Exchange.js"
import { Forwarder } from "../http/Forwarder.js"
import { asksForWebSocket, Upgrader } from "../http/Upgrader.js"
import { Traffic } from "../traffic/Traffic.js"
import { WsBridge } from "../websocket/WsBridge.js"
import { ClientConnection, type ConnectionContext } from "./ClientConnection.js"
import { ConnectionSlots } from "./ConnectionSlots.js"
import { exchangeReporter } from "./ExchangeLog.js"
import { plainAgain } from "./PlainAgain.js"

/** The proxy cannot listen where it was told to. */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly host: string
  readonly port: number
  /** What is wrong, as a phrase. */
  readonly reason: string
  /** What to do about it. */
  readonly hint: string
}> {}

/** Part of the grace period in which WebSockets are told to go; the rest is for them to do so. */
const farewellShare = 0.8

const listenProblems: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  EADDRINUSE: ["the port is in use", "stop the program that listens there, or choose another with --port"],
  EADDRNOTAVAIL: ["this machine has no such address", "choose another with --host, for example 127.0.0.1"],
  EACCES: ["not allowed to listen there", "choose a port above 1023 with --port"],
  ENOTFOUND: ["the host name cannot be resolved", "choose another with --host, for example 127.0.0.1"],
  EAI_AGAIN: ["the host name cannot be resolved", "choose another with --host, for example 127.0.0.1"],
}

const listenError = (host: string, port: number, cause: Error): ListenError => {
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : ""
  const [reason, hint] = listenProblems[code] ?? [cause.message, "check --host and --port"]
  return new ListenError({ host, port, reason, hint })
}

const listen = (server: Server, { host, port }: ProxySettings): Effect.Effect<AddressInfo, ListenError> =>
  Effect.async((resume) => {
    const failed = (cause: Error) => resume(Effect.fail(listenError(host, port, cause)))
    server.once("error", failed)
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.removeListener("error", failed)
      const address = server.address()
      if (address !== null && typeof address === "object") resume(Effect.succeed(address))
    })
  })

/** Whether an address is in one of the blocks. The blocks have been checked by whoever made the settings. */
const trustOf = (blocks: ReadonlyArray<string>): ((address: string) => boolean) => {
  const list = new BlockList()
  const family = (address: string) => (isIPv4(address) ? "ipv4" : "ipv6")
  for (const block of blocks) {
    const [address = "", prefix] = block.split("/")
    if (prefix === undefined) list.addAddress(address, family(address))
    else list.addSubnet(address, Number(prefix), family(address))
  }
  return (address) => blocks.length > 0 && address !== "" && list.check(address, family(address))
}

const makeServer = (settings: ProxySettings): Server => {
  const server = createServer({
    keepAliveTimeout: settings.keepAliveTimeout,
    headersTimeout: settings.headTimeout,
    // A long upload is no fault: its progress is watched instead.
    requestTimeout: 0,
    // Late by at most this much, and no more than a fraction of the time allowed.
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, (settings.headTimeout || Infinity) / 4)),
    maxHeaderSize: settings.maxHeaderBytes,
    // Checked by `requestFraming`, which answers as the rest of the proxy does.
    requireHostHeader: false,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  })
  // Node would silently drop the fields beyond this many; `maxHeaderSize` bounds them.
  server.maxHeadersCount = 0
  // Node would take every end for a client that leaves; `ClientConnection` decides which are. No type knows this switch.
  return Object.assign(server, { httpAllowHalfOpen: true })
}

/** Hands what happens on the server's sockets to their connections. */
const attach = (
  server: Server,
  context: ConnectionContext,
  slots: ConnectionSlots | undefined,
  serve: (effect: Effect.Effect<void>) => void,
): void => {
  // A refused connection is not among them, so that nothing that comes on it is heard.
  const connections = new WeakMap<Socket, ClientConnection>()
  const request = (message: IncomingMessage, response: ServerResponse): void =>
    connections.get(message.socket)?.request(message, response)

  server.on("connection", (socket: Socket) => {
    if (connections.has(socket)) return
    serve(
      ClientConnection.serve(context, socket, (connection) => {
        if (slots === undefined || slots.admits(socket, connection)) connections.set(socket, connection)
      }),
    )
  })
  server.on("request", request)
  server.on("checkContinue", request)
  server.on("checkExpectation", request)
  server.on("upgrade", (message: IncomingMessage, socket: Socket, head: Buffer) => {
    const connection = connections.get(socket)
    if (connection === undefined) return
    if (asksForWebSocket(message.rawHeaders)) connection.upgrade(message, head)
    else plainAgain(server, message, socket, head)
  })
  server.on("connect", (_message: IncomingMessage, socket: Socket) =>
    connections.get(socket)?.refuse(new BadRequest({ detail: "CONNECT is not for a reverse proxy." })),
  )
  server.on("clientError", (error: Error, socket: Socket) => connections.get(socket)?.malformed(error))
}

/** The proxy's listener. It is up as long as its Layer is. */
export class ProxyServer extends Context.Tag("@ss-proxy/ProxyServer")<
  ProxyServer,
  {
    /** Where it listens; the port is the real one, also where the kernel chose it. */
    readonly address: { readonly host: string; readonly port: number }
    /**
     * Stops politely: health turns 503, accepting stops, what is in flight may finish, WebSockets are told to go, all
     * within the grace period; then the rest is cut, and named in the log.
     */
    readonly drain: Effect.Effect<void>
    /** Cuts everything now. */
    readonly cut: Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<
    ProxyServer,
    ListenError,
    ProxyConfig | Traffic | Forwarder | Upgrader | WsBridge
  > = Layer.scoped(
    ProxyServer,
    Effect.gen(function* () {
      const settings = yield* ProxyConfig
      const traffic = yield* Traffic
      const reporter = yield* exchangeReporter
      const forwarder = yield* Forwarder
      const upgrader = yield* Upgrader
      const bridge = yield* WsBridge
      const server = makeServer(settings)
      const fork = yield* FiberSet.makeRuntime<never>()

      const progress = new Deadlines(settings.bodyTimeout)
      const paceWindows = new Deadlines(settings.minRateTime)
      const leastPace = { bytes: (settings.minRate * settings.minRateTime) / 1_000, windows: paceWindows }
      const exchanges: ExchangeContext = {
        endOfTurn: new EndOfTurn(),
        progress,
        leastPace: settings.minRate > 0 ? leastPace : undefined,
        maxBytes: settings.maxBodyBytes || Infinity,
        open: traffic.open,
        close: traffic.close,
        report: reporter.report,
        finished: reporter.finished,
      }
      const context: ConnectionContext = {
        exchanges,
        forwarder,
        upgrader,
        bridge,
        fork: Runtime.runFork(yield* Effect.runtime<never>()),
        isTrusted: trustOf(settings.trustedProxies),
        maxHeaderBytes: settings.maxHeaderBytes,
        maxRequests: settings.maxRequestsPerConnection || Infinity,
        defect: reporter.defect,
      }

      const stopAccepting = Effect.sync(() => {
        server.close()
        server.closeIdleConnections()
      })
      const cut = Effect.gen(function* () {
        for (const { kind, sessionId, requestId } of yield* traffic.live)
          yield* Effect.logWarning("cut").pipe(Effect.annotateLogs({ kind, session: sessionId, request_id: requestId }))
        yield* traffic.cutAll
        server.closeAllConnections()
      })
      const drain = Effect.gen(function* () {
        yield* traffic.startDraining
        yield* stopAccepting
        const polite = Effect.zipRight(traffic.farewell(settings.grace * farewellShare), traffic.idle)
        yield* Effect.timeoutOption(polite, settings.grace)
        yield* cut
      })

      const limited = settings.maxConnections > 0 || settings.maxConnectionsPerClient > 0
      attach(server, context, limited ? new ConnectionSlots(settings) : undefined, fork)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
          progress.clear()
          paceWindows.clear()
        }),
      )
      const ownListeners = yield* OwnListeners
      const address = yield* listen(server, settings)
      ownListeners.add(address)
      // From here on an error of the listener is about one connection that could not be accepted.
      server.on("error", reporter.defect)
      return { address: { host: settings.host, port: address.port }, drain, cut }
    }),
  )
}
