import { Context, Effect, Layer } from "effect"
import type { LiveSession, SessionListener } from "../sessions/LiveSession.js"

/** One exchange or WebSocket that is under way. It ends itself when its session's lifetime does (`sessionEnded`). */
export interface LiveTraffic extends SessionListener {
  readonly kind: "http" | "websocket"
  /** Known while it is registered. */
  readonly session: LiveSession | undefined
  readonly requestId: string
  /** When it began, in milliseconds since the epoch. */
  readonly since: number
  /** Bytes of body or frames so far, from the client and to it. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Asks it to end politely, for the proxy is going away. An HTTP exchange needs no asking: it ends by itself. */
  readonly goAway: () => void
  /** Ends it at once. */
  readonly cut: () => void
}

/** Live traffic as it is shown: a copy, not the thing. */
export interface TrafficView {
  readonly kind: "http" | "websocket"
  readonly sessionId: string
  readonly requestId: string
  readonly since: number
  readonly bytesIn: number
  readonly bytesOut: number
}

const viewOf = (traffic: LiveTraffic): TrafficView => ({
  kind: traffic.kind,
  sessionId: traffic.session?.id ?? "",
  requestId: traffic.requestId,
  since: traffic.since,
  bytesIn: traffic.bytesIn,
  bytesOut: traffic.bytesOut,
})

/** WebSockets told to go are at least so far apart, in milliseconds, where the time allowed permits it. */
const farewellSpacing = 50

/** Who is connected to what right now: what drain, kill and any list of live connections read. */
export class Traffic extends Context.Tag("@ss-proxy/Traffic")<
  Traffic,
  {
    /** Registers traffic, for as long as it lives. Plain calls: they stand on the path of every request. */
    readonly open: (traffic: LiveTraffic) => void
    readonly close: (traffic: LiveTraffic) => void
    /** Whether the proxy is going away and takes nothing new. */
    readonly isDraining: () => boolean
    /** From here on nothing new is taken. */
    readonly startDraining: Effect.Effect<void>
    /** How much is under way. */
    readonly count: Effect.Effect<number>
    /** What is under way, oldest first. */
    readonly live: Effect.Effect<ReadonlyArray<TrafficView>>
    /** Completes once nothing is under way. */
    readonly idle: Effect.Effect<void>
    /** Tells every WebSocket to go, one after another, within `milliseconds`. */
    readonly farewell: (milliseconds: number) => Effect.Effect<void>
    /** Ends everything at once. */
    readonly cutAll: Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<Traffic> = Layer.scoped(
    Traffic,
    Effect.gen(function* () {
      let draining = false
      const live = new Set<LiveTraffic>()
      const waiting = new Set<() => void>()

      const open = (traffic: LiveTraffic): void => {
        live.add(traffic)
        traffic.session?.attach(traffic)
      }

      const close = (traffic: LiveTraffic): void => {
        if (!live.delete(traffic)) return
        traffic.session?.detach(traffic)
        if (live.size > 0 || waiting.size === 0) return
        for (const wake of waiting) wake()
        waiting.clear()
      }

      const idle = Effect.async<void>((resume) => {
        if (live.size === 0) return resume(Effect.void)
        const wake = () => resume(Effect.void)
        waiting.add(wake)
        return Effect.sync(() => waiting.delete(wake))
      })

      const farewell = (milliseconds: number) =>
        Effect.suspend(() => {
          const sockets = [...live].filter((traffic) => traffic.kind === "websocket")
          const spacing = Math.min(farewellSpacing, milliseconds / Math.max(1, sockets.length))
          return Effect.forEach(
            sockets,
            (socket) =>
              Effect.zipRight(
                Effect.sync(() => socket.goAway()),
                Effect.sleep(spacing),
              ),
            { discard: true },
          )
        })

      const cutAll = Effect.sync(() => {
        for (const traffic of live) traffic.cut()
      })

      yield* Effect.addFinalizer(() => cutAll)

      return {
        open,
        close,
        isDraining: () => draining,
        startDraining: Effect.sync(() => {
          draining = true
        }),
        count: Effect.sync(() => live.size),
        live: Effect.sync(() => [...live].map(viewOf)),
        idle,
        farewell,
        cutAll,
      }
    }),
  )
}
