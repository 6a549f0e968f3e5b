import { Context, Effect, Fiber, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { Traffic } from "../traffic/Traffic.js"
import { type BridgeEnds, BridgedSocket } from "./BridgedSocket.js"
import { Patrol } from "./Patrol.js"

/** The line of the log about a WebSocket that is over. */
const lineOf = (socket: BridgedSocket): Record<string, unknown> => ({
  session: socket.session.id,
  request_id: socket.requestId,
  seconds: (Date.now() - socket.since) / 1_000,
  closed_by: socket.end?.closedBy,
  code: socket.end?.code,
  reason: socket.end?.reason,
  messages_in: socket.up.messages,
  messages_out: socket.down.messages,
  bytes_in: socket.bytesIn,
  bytes_out: socket.bytesOut,
})

/** Makes the effect in it interruptible again, inside a region that is not. */
type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Bridges WebSockets: two supervised pumps a connection, neither of which outlives the other. */
export class WsBridge extends Context.Tag("@ss-proxy/WsBridge")<
  WsBridge,
  {
    /**
     * Moves frames between both ends until one of them, or the proxy, ends it. Both sockets are closed when this ends, in
     * every case; an interruption says goodbye to both first.
     */
    readonly bridge: (ends: BridgeEnds) => Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<WsBridge, never, Traffic | ProxyConfig> = Layer.effect(
    WsBridge,
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const settings = yield* ProxyConfig
      const patrol = new Patrol(settings)

      const begin = (ends: BridgeEnds): BridgedSocket => {
        const socket = new BridgedSocket(ends, settings.wsMaxMessage)
        traffic.open(socket)
        patrol.add(socket)
        // Whoever was told to go was told before this one came.
        if (traffic.isDraining()) socket.goAway()
        return socket
      }

      const report = (socket: BridgedSocket): Effect.Effect<void> => {
        if (socket.end?.defect !== undefined)
          return Effect.logError("a defect in ss-proxy; please report it", socket.end.defect)
        return settings.accessLog ? Effect.logInfo("websocket closed") : Effect.logDebug("websocket closed")
      }

      const finish = (socket: BridgedSocket): Effect.Effect<void> =>
        Effect.suspend(() => {
          patrol.remove(socket)
          traffic.close(socket)
          return Effect.annotateLogs(report(socket), lineOf(socket))
        })

      /**
       * A fiber for each direction, and one that waits for both. What ends one direction closes the sockets of both, so
       * that neither outlives the other; a pump that dies is no exception.
       */
      const pumpBothWays = (socket: BridgedSocket, ends: BridgeEnds, restore: Restore) =>
        Effect.gen(function* () {
          const up = yield* Effect.fork(socket.up.run(ends.clientEarly))
          const down = yield* Effect.fork(socket.down.run(ends.serverEarly))
          const bothOver = Effect.zipRight(Fiber.await(up), Fiber.await(down))
          const politely = Effect.zipRight(Effect.sync(socket.goAway), bothOver)
          yield* Effect.onInterrupt(restore(bothOver), () => politely)
        })

      const bridge = (ends: BridgeEnds): Effect.Effect<void> =>
        Effect.uninterruptibleMask((restore) => {
          const socket = begin(ends)
          return Effect.ensuring(pumpBothWays(socket, ends, restore), finish(socket))
        })

      return { bridge }
    }),
  )
}
