import { Context, Effect, Layer } from "effect"
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

/** Bridges WebSockets: two pumps a connection under one supervisor, and one sleeping fiber that owns all three. */
export class WsBridge extends Context.Tag("@ss-proxy/WsBridge")<
  WsBridge,
  {
    /**
     * Moves frames between both ends until one of them, or the proxy, ends it. An interruption says goodbye to both.
     * Both sockets are closed on return, in every case.
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
        socket.start(ends.clientEarly, ends.serverEarly)
        // Whoever was told to go was told before this one came.
        if (traffic.isDraining()) socket.goAway()
        return socket
      }

      const over = (socket: BridgedSocket) => Effect.async<void>((resume) => socket.whenOver(() => resume(Effect.void)))

      const report = (socket: BridgedSocket) => {
        if (socket.end?.defect !== undefined)
          return Effect.logError("a defect in ss-proxy; please report it", socket.end.defect)
        return settings.accessLog ? Effect.logInfo("websocket closed") : Effect.logDebug("websocket closed")
      }

      const finish = (socket: BridgedSocket) =>
        Effect.suspend(() => {
          patrol.remove(socket)
          traffic.close(socket)
          return Effect.annotateLogs(report(socket), lineOf(socket))
        })

      const bridge = (ends: BridgeEnds) =>
        Effect.uninterruptibleMask((restore) => {
          const socket = begin(ends)
          const politely = Effect.zipRight(Effect.sync(socket.goAway), over(socket))
          return restore(over(socket)).pipe(
            Effect.onInterrupt(() => politely),
            Effect.ensuring(finish(socket)),
          )
        })

      return { bridge }
    }),
  )
}
