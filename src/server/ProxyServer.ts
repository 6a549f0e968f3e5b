import { type AddressInfo, BlockList, createServer, isIPv4, type Server, type Socket } from "node:net"
import { Context, Effect, FiberSet, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { Deadlines } from "../clock/Deadlines.js"
import { EndOfTurn } from "../clock/EndOfTurn.js"
import { OwnListeners } from "../downstream/OwnListeners.js"
import type { ExchangeContext } from "../http/ExchangeFacts.js"
import { Forwarder } from "../http/Forwarder.js"
import { makeAnswerEditsFor } from "../http/AnswerEditsFor.js"
import { makeOriginsFor } from "../http/OriginsFor.js"
import { Upgrader } from "../http/Upgrader.js"
import type { SessionDirectory } from "../sessions/SessionDirectory.js"
import { ErrorRing } from "../telemetry/ErrorRing.js"
import { Telemetry } from "../telemetry/Telemetry.js"
import { forkInto } from "../step/Call.js"
import { makeTracing } from "../traces/Tracing.js"
import { probeInterval } from "../traffic/PeerProbe.js"
import { SendLimit } from "../traffic/SendClock.js"
import { Slots } from "../traffic/Slots.js"
import { Traffic } from "../traffic/Traffic.js"
import { recordSinks } from "../traffic/TrafficObservers.js"
import { WsBridge } from "../websocket/WsBridge.js"
import { SessionHosts } from "../wire/SessionHosts.js"
import { readingIntoOurMemory } from "../socket/AcceptedSocket.js"
import { ClientConnection, clientAddress, type ConnectionContext } from "./ClientConnection.js"
import { ConnectionSlots } from "./ConnectionSlots.js"
import { chanceWithin, drain, retire } from "./Drain.js"
import { exchangeReporter } from "./ExchangeLog.js"
import { ExchangeObserver } from "./ExchangeObserver.js"
import { listen, type ListenError, ListenOn, listenOnInherited } from "./Listening.js"
import { OpenConnections } from "./OpenConnections.js"

/** So many connections may wait to be accepted. */
const maxWaiting = 4_096

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

/** How long a connection stays open for what its client still sends, once it is answered for good. Milliseconds. */
const lingerTime = 2_000

/** After so long without traffic, TCP asks whether the client is still there. Milliseconds. */
const keepAliveProbeDelay = 30_000

/** What an answer says about its connection, which stays open (RFC 9112 section 9.3). */
const persistenceLines = (keepAliveTimeout: number): string =>
  keepAliveTimeout === 0
    ? "Connection: keep-alive\r\n"
    : `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveTimeout / 1_000)}\r\n`

const makeServer = (): Server =>
  createServer({
    pauseOnConnect: true,
    // `ClientConnection` decides which ends mean that a client leaves.
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeDelay,
  })

/** Begins to listen. Gives the real address, and the host to reach it by: where the settings name one, that. */
const openListener = (
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Effect.Effect<{ readonly address: AddressInfo; readonly host: string }, ListenError> =>
  Effect.gen(function* () {
    const on = yield* ListenOn
    if (on._tag === "Address") {
      const place = { host, port, flags: { host: "--host", port: "--port" } }
      return { address: yield* listen(server, place, maxWaiting), host }
    }
    const address = yield* listenOnInherited(server, on.fd, maxWaiting)
    return { address, host: address.address }
  })

/** Most clients that a line of the log names. */
const mostNamed = 5

/** Tells of clients that have been sending the head of a request until now: nothing else names them. */
const logUnfinished = (clients: ReadonlyArray<string>): Effect.Effect<void> =>
  clients.length === 0
    ? Effect.void
    : Effect.logWarning("cut: requests whose head was not complete").pipe(
        Effect.annotateLogs({ count: clients.length, clients: [...new Set(clients)].slice(0, mostNamed).join(", ") }),
      )

/** The proxy's listener. It is up as long as its Layer is. */
export class ProxyServer extends Context.Tag("@ss-proxy/ProxyServer")<
  ProxyServer,
  {
    /** Where it listens; the port is the real one, also where the kernel chose it. */
    readonly address: { readonly host: string; readonly port: number }
    /** Stops politely, and without failing a request, within delay and grace; see `drain` in `Drain.ts`. */
    readonly drain: Effect.Effect<void>
    /** The same of one process of many on a socket: without the delay, and its health does not turn; see `retire` there. */
    readonly retire: Effect.Effect<void>
    /** Cuts everything now. */
    readonly cut: Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<
    ProxyServer,
    ListenError,
    ProxyConfig | SessionDirectory | Traffic | Slots | Forwarder | Upgrader | WsBridge | ErrorRing
  > = Layer.scoped(
    ProxyServer,
    Effect.gen(function* () {
      const settings = yield* ProxyConfig
      const traffic = yield* Traffic
      const reporter = yield* exchangeReporter
      const counters = yield* Telemetry
      const sinks = yield* recordSinks()
      const withRing = yield* recordSinks(yield* ErrorRing)
      const observer = new ExchangeObserver(counters, sinks, withRing, reporter.defect)
      const tracing = yield* makeTracing
      const forwarder = yield* Forwarder
      const upgrader = yield* Upgrader
      const bridge = yield* WsBridge
      const server = makeServer()
      const fork = yield* FiberSet.makeRuntime<never>()
      const originsFor = yield* makeOriginsFor
      const answerEditsFor = yield* makeAnswerEditsFor
      const connections = new OpenConnections()

      const progress = new Deadlines(settings.bodyTimeout)
      const paceWindows = new Deadlines(settings.minRateTime)
      const headDeadlines = new Deadlines(settings.headTimeout)
      const idleDeadlines = new Deadlines(settings.keepAliveTimeout)
      const lastChances = new Deadlines(chanceWithin(settings.grace))
      const lingerDeadlines = new Deadlines(lingerTime)
      const probeRounds = new Deadlines(probeInterval)
      const sendLimit = new SendLimit(settings.sendTimeout)
      const leastPace = { bytes: (settings.minRate * settings.minRateTime) / 1_000, windows: paceWindows }
      const exchanges: ExchangeContext = {
        endOfTurn: new EndOfTurn(),
        progress,
        leastPace: settings.minRate > 0 ? leastPace : undefined,
        maxBytes: settings.maxBodyBytes,
        open: traffic.open,
        close: traffic.close,
        isClosing: traffic.isClosing,
        logError: reporter.logError,
        logRepair: reporter.logRepair,
        tracing,
        counters,
        finished: observer.finished,
        originsFor,
        answerEditsFor,
        // Whoever looks comes and goes.
        keepsHandshakes: () => sinks.length > 0,
      }
      const context: ConnectionContext = {
        exchanges,
        forwarder,
        upgrader,
        bridge,
        isTrusted: trustOf(settings.trustedProxies),
        maxHeaderBytes: settings.maxHeaderBytes,
        maxRequests: settings.maxRequestsPerConnection,
        headDeadlines,
        idleDeadlines,
        lingerDeadlines,
        probeRounds,
        sendLimit,
        persistence: persistenceLines(settings.keepAliveTimeout),
        refused: (refused) => {
          reporter.refused(refused.client, refused.requestId, refused.error)
          observer.refused(refused)
        },
        defect: reporter.defect,
      }

      const { connections: places } = yield* Slots
      const stepFork = forkInto(yield* Effect.runtime<never>())
      const slots = places === undefined ? undefined : new ConnectionSlots(places, settings, stepFork)
      const stopAccepting = () => {
        server.close()
        context.idleDeadlines = lastChances
        slots?.letIn()
      }
      const cut = Effect.gen(function* () {
        for (const { kind, sessionId, requestId } of yield* traffic.live)
          yield* Effect.logWarning("cut").pipe(Effect.annotateLogs({ kind, session: sessionId, request_id: requestId }))
        yield* logUnfinished(connections.unfinishedHeads())
        yield* traffic.cutAll
        slots?.cut()
        connections.cut()
      })

      const open = (accepted: Socket): ClientConnection => {
        const socket = readingIntoOurMemory(accepted)
        const connection = new ClientConnection(context, socket)
        // It was reset before it was accepted. What it has sent can still be read, but nobody could say who asks.
        if (connection.client.address === "") socket.destroy()
        connections.add(connection)
        counters.connectionOpened()
        fork(connection.serve).addObserver((exit) => {
          connections.delete(connection)
          counters.connectionClosed()
          connection.fiberEnded(exit)
        })
        return connection
      }
      const admit = (accepted: Socket, to: ConnectionSlots): void => {
        const address = clientAddress(accepted)
        const client = { address, trusted: context.isTrusted(address) }
        to.admit(client, { open: () => open(accepted), cut: () => accepted.destroy() })
      }
      server.on("connection", (accepted: Socket) => {
        if (slots === undefined) open(accepted)
        else admit(accepted, slots)
      })
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          server.close()
          slots?.cut()
          connections.cut()
          for (const deadlines of [progress, paceWindows, headDeadlines, idleDeadlines, lastChances]) deadlines.clear()
          for (const deadlines of [lingerDeadlines, probeRounds]) deadlines.clear()
          sendLimit.stop()
        }),
      )
      const ownListeners = yield* OwnListeners
      const { address, host } = yield* openListener(server, settings)
      ownListeners.add(address)
      ownListeners.addNames(SessionHosts.of(settings.sessionHosts))
      // From here on an error of the listener is about one connection that could not be accepted.
      server.on("error", reporter.defect)
      const drained = { settings, traffic, connections, stopAccepting, cut }
      return { address: { host, port: address.port }, drain: drain(drained), retire: retire(drained), cut }
    }),
  )
}
