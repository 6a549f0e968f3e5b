import { Cause, Context, Effect, Fiber, Layer, LogLevel, Runtime } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { Deadlines } from "../clock/Deadlines.js"
import { levelCheck } from "../log/LogLimit.js"
import { annotationsOf } from "../log/LogSink.js"
import { ErrorRing } from "../telemetry/ErrorRing.js"
import { tellSinks } from "../telemetry/RecordSinks.js"
import type { WebSocketTrace } from "../traces/RequestTrace.js"
import { Telemetry } from "../telemetry/Telemetry.js"
import { probeInterval } from "../traffic/PeerProbe.js"
import { SendLimit } from "../traffic/SendClock.js"
import { Traffic } from "../traffic/Traffic.js"
import { recordSinks } from "../traffic/TrafficObservers.js"
import { type BridgeEnds, BridgedSocket, type BridgeWatches } from "./BridgedSocket.js"
import { rulesFor } from "./WebSocketRules.js"
import { WebSocketTimers } from "./WebSocketTimers.js"

/** Codes with which a WebSocket ends as it may: as both sides wanted, or as one of them says itself (RFC 6455 section 7.4). */
const isGoodEnd = (code: number): boolean => code === 1000 || code === 1001 || code === 1005 || code >= 3_000

/** Bridges WebSockets: two supervised pumps a connection, neither of which outlives the other. */
export class WsBridge extends Context.Tag("@ss-proxy/WsBridge")<
  WsBridge,
  {
    /**
     * Moves frames between both ends until one of them, or the proxy, ends it. Both sockets are closed when this ends, in
     * every case; an interruption sends both a close frame first.
     */
    readonly bridge: (ends: BridgeEnds) => Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<WsBridge, never, Traffic | ProxyConfig | ErrorRing> = Layer.scoped(
    WsBridge,
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const settings = yield* ProxyConfig
      const counters = yield* Telemetry
      const sinks = yield* recordSinks()
      const withRing = yield* recordSinks(yield* ErrorRing)
      const logDefect = Runtime.runFork(yield* Effect.runtime<never>())
      const timers = new WebSocketTimers()
      const watches: BridgeWatches = {
        sendLimit: new SendLimit(settings.sendTimeout),
        probeRounds: new Deadlines(probeInterval),
      }
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          watches.sendLimit.stop()
          watches.probeRounds.clear()
        }),
      )

      const begin = (ends: BridgeEnds): BridgedSocket => {
        const socket = new BridgedSocket(ends, rulesFor(settings, ends.session.policy), watches)
        traffic.open(socket)
        counters.webSocketOpened()
        socket.trace = ends.begun()
        timers.add(socket, socket.rules)
        // All others were told to close before this one came.
        if (traffic.isClosing()) socket.close()
        return socket
      }

      const hasLevel = yield* levelCheck

      /** A line that nobody asks for is not put together either: many WebSockets may end at once. */
      const report = (socket: BridgedSocket): Effect.Effect<void> => {
        const error = socket.end?.error
        const defect = error?._tag === "Defect" ? error.cause : undefined
        if (defect === undefined && (settings.accessLog || !hasLevel(LogLevel.Debug))) return Effect.void
        const line =
          defect === undefined
            ? Effect.logDebug("websocket closed")
            : Effect.logError("a defect in ss-proxy; please report it", Cause.die(defect))
        return Effect.annotateLogs(line, annotationsOf(recordOf(socket), settings.logQuery))
      }

      const recordOf = (socket: BridgedSocket) => socket.recordAs(counters.idOf(socket.serial))
      const defect = (cause: unknown): void => {
        logDefect(Effect.logError("a defect in ss-proxy; please report it", Cause.die(cause)))
      }
      const tell = (socket: BridgedSocket): void => {
        const failed = !isGoodEnd(socket.code)
        const isOfClient = (socket.end?.error?.fault ?? "client") === "client"
        const told = isOfClient ? sinks : withRing
        if (told.length === 0) return
        tellSinks(told, { sessionId: socket.session.id, failed, record: () => recordOf(socket) }, defect)
      }

      /** What a tracer throws is nothing to the WebSocket. */
      const endTrace = (socket: BridgedSocket, trace: WebSocketTrace): void => {
        try {
          trace.end(socket.recordAs(counters.idOf(socket.serial)), performance.now())
        } catch (cause) {
          defect(cause)
        }
      }

      const finish = (socket: BridgedSocket, release: () => void): Effect.Effect<void> =>
        Effect.suspend(() => {
          socket.cut()
          timers.remove(socket, socket.rules)
          traffic.close(socket)
          counters.webSocketClosed(socket, socket.age)
          release()
          if (socket.trace !== undefined) endTrace(socket, socket.trace)
          tell(socket)
          return report(socket)
        })

      /** Sends close frames where that was not done yet, and waits until nothing can come any more. */
      const endPolitely = (socket: BridgedSocket): Effect.Effect<void> => {
        socket.close()
        return Effect.zipRight(socket.up.over, socket.down.over)
      }

      /**
       * A fiber for each direction: what comes from the client is the business of this one, what goes to it that of a
       * child. What ends one direction closes the sockets of both, so that neither outlives the other; a pump that dies
       * is no exception.
       */
      const pumpBothWays = (socket: BridgedSocket): Effect.Effect<unknown> =>
        Effect.flatMap(Effect.fork(socket.down.run), (down) => Effect.flatMap(socket.up.run, () => Fiber.await(down)))

      // Suspended, so that a sleeping fiber holds what it still has to do and not what it has done: there may be thousands.
      const supervise = (socket: BridgedSocket, release: () => void): Effect.Effect<void> =>
        Effect.uninterruptible(
          Effect.matchCauseEffect(Effect.interruptible(Effect.suspend(() => pumpBothWays(socket))), {
            onSuccess: () => finish(socket, release),
            onFailure: () => Effect.zipRight(endPolitely(socket), finish(socket, release)),
          }),
        )

      // Nothing that runs for long knows `ends`, and with them the request that began all this.
      const bridge = (ends: BridgeEnds): Effect.Effect<void> =>
        Effect.suspend(() => supervise(begin(ends), ends.release))

      return { bridge }
    }),
  )
}
