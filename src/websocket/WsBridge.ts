import { Cause, Context, Effect, Fiber, FiberSet, Layer, LogLevel } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { Deadlines } from "../clock/Deadlines.js"
import { probeInterval } from "../traffic/PeerProbe.js"
import { SendLimit } from "../traffic/SendClock.js"
import { Traffic } from "../traffic/Traffic.js"
import { addressOf } from "../downstream/Dial.js"
import type { ErrorRing } from "../telemetry/ErrorRing.js"
import { levelCheck } from "../telemetry/LogLimit.js"
import { annotationsOf } from "../telemetry/LogSink.js"
import { proxySinks } from "../telemetry/ProxySinks.js"
import { nextRecordId } from "../telemetry/RecordId.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"
import { tellObservers, type TrafficRecord as ObservedTraffic, TrafficObservers } from "../traffic/TrafficObservers.js"
import { type BridgeEnds, BridgedSocket, type BridgeWatches } from "./BridgedSocket.js"
import { WebSocketTimers } from "./WebSocketTimers.js"

const noTimes: TrafficRecord["times"] = { firstByte: undefined, queue: undefined, dial: undefined, server: undefined }

/** What is known of a WebSocket when it is over. */
const recordOf = (socket: BridgedSocket): TrafficRecord => ({
  kind: "websocket",
  id: nextRecordId(),
  requestId: socket.requestId,
  sessionId: socket.session.id,
  client: socket.clientAddress,
  method: "GET",
  target: socket.target,
  httpVersion: "1.1",
  host: undefined,
  userAgent: undefined,
  status: 101,
  end: socket.end?.closedBy ?? "proxy",
  error: undefined,
  bytesIn: socket.bytesIn,
  bytesOut: socket.bytesOut,
  retries: 0,
  since: socket.since,
  milliseconds: socket.age,
  times: noTimes,
  server: addressOf(socket.session.target),
  reused: undefined,
  traceId: undefined,
  webSocket: {
    code: socket.end?.code ?? 1006,
    reason: socket.end?.reason ?? "",
    closedBy: socket.end?.closedBy ?? "proxy",
    messagesIn: socket.up.messages,
    messagesOut: socket.down.messages,
  },
})

const toldOf = (socket: BridgedSocket): ObservedTraffic => ({
  kind: "websocket",
  requestId: socket.requestId,
  sessionId: socket.session.id,
  client: socket.clientAddress,
  method: "GET",
  target: socket.target,
  status: 101,
  end: socket.end?.closedBy ?? "proxy",
  bytesIn: socket.bytesIn,
  bytesOut: socket.bytesOut,
  retries: 0,
  milliseconds: socket.age,
})

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
      const observers = yield* TrafficObservers
      const forkObservers = yield* FiberSet.makeRuntime<never>()
      const timers = new WebSocketTimers(settings)
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
        const socket = new BridgedSocket(ends, settings, watches)
        traffic.open(socket)
        ends.begun()
        timers.add(socket)
        // All others were told to close before this one came.
        if (traffic.isDraining()) socket.close()
        return socket
      }

      const sinks = yield* proxySinks
      const hasLevel = yield* levelCheck

      /** A line that nobody asks for is not put together either: many WebSockets may end at once. */
      const record = (socket: BridgedSocket): Effect.Effect<void> => {
        const defect = socket.end?.defect
        const wanted = sinks.filter((sink) => sink.wants(socket.session.id, false))
        const isLogged = defect !== undefined || (!settings.accessLog && hasLevel(LogLevel.Debug))
        if (wanted.length === 0 && !isLogged) return Effect.void
        const record = recordOf(socket)
        for (const sink of wanted) sink.write(record)
        if (!isLogged) return Effect.void
        const line =
          defect === undefined
            ? Effect.logDebug("websocket closed")
            : Effect.logError("a defect in ss-proxy; please report it", Cause.die(defect))
        return Effect.annotateLogs(line, annotationsOf(record, settings.logQuery))
      }

      const finish = (socket: BridgedSocket, release: () => void): Effect.Effect<void> =>
        Effect.suspend(() => {
          socket.cut()
          timers.remove(socket)
          traffic.close(socket)
          release()
          // However long an observer takes, the connection is over.
          if (observers.length > 0) forkObservers(tellObservers(observers, toldOf(socket)))
          return record(socket)
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
