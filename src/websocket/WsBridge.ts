import { Context, Effect, Layer, Runtime } from "effect"
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

/** Bridges WebSockets: two pumps a connection under one supervisor, which needs no fiber while frames move. */
export class WsBridge extends Context.Tag("@ss-proxy/WsBridge")<
  WsBridge,
  {
    /**
     * Moves frames between both ends until one of them, or the proxy, ends it. `over` is called once, when both sockets
     * are closed. The whole WebSocket hangs on its sockets: destroy the client's, and the server is told.
     */
    readonly start: (ends: BridgeEnds, over: () => void) => BridgedSocket
    /** The same as an Effect, which ends when both sockets are closed; an interruption says goodbye to both first. */
    readonly bridge: (ends: BridgeEnds) => Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<WsBridge, never, Traffic | ProxyConfig> = Layer.effect(
    WsBridge,
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const settings = yield* ProxyConfig
      const fork = Runtime.runFork(yield* Effect.runtime<never>())
      const patrol = new Patrol(settings)

      const report = (socket: BridgedSocket): Effect.Effect<void> => {
        if (socket.end?.defect !== undefined)
          return Effect.logError("a defect in ss-proxy; please report it", socket.end.defect)
        return settings.accessLog ? Effect.logInfo("websocket closed") : Effect.logDebug("websocket closed")
      }

      const finish = (socket: BridgedSocket): void => {
        patrol.remove(socket)
        traffic.close(socket)
        fork(Effect.annotateLogs(report(socket), lineOf(socket)))
      }

      const start = (ends: BridgeEnds, over: () => void): BridgedSocket => {
        const socket = new BridgedSocket(ends, settings.wsMaxMessage, () => {
          finish(socket)
          over()
        })
        traffic.open(socket)
        patrol.add(socket)
        socket.start(ends.clientEarly, ends.serverEarly)
        // Whoever was told to go was told before this one came.
        if (traffic.isDraining()) socket.goAway()
        return socket
      }

      const bridge = (ends: BridgeEnds): Effect.Effect<void> =>
        Effect.async((resume) => {
          let isOver = false
          let over = (): void => resume(Effect.void)
          const socket = start(ends, () => {
            isOver = true
            over()
          })
          return Effect.async((interrupted) => {
            over = () => interrupted(Effect.void)
            if (isOver) over()
            else socket.goAway()
          })
        })

      return { start, bridge }
    }),
  )
}
