import { Context, Effect, Layer } from "effect"

/** What is known of a request or a WebSocket when it is over. */
export interface TrafficRecord {
  readonly kind: "http" | "websocket"
  readonly requestId: string
  /** Id that the request named, be there such a session or not; `undefined` where it named none. */
  readonly sessionId: string | undefined
  /** IP address of the client's end of the connection. */
  readonly client: string
  readonly method: string
  /** The request target, raw, as latin1. */
  readonly target: string
  /** What the client was answered: 101 for a WebSocket, 0 for nothing. */
  readonly status: number
  /** How it ended: the answer went out whole, or who broke it off. */
  readonly end: "complete" | "client" | "server" | "session" | "proxy"
  /** Bytes of content or frames from the client, and to it. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** How often the request was sent again. */
  readonly retries: number
  /** From its first byte to its end. */
  readonly milliseconds: number
}

/** Told of each request and WebSocket that is over. What it fails with is a defect, and is logged. */
export type TrafficObserver = (record: TrafficRecord) => Effect.Effect<void>

/** Who is told. Nobody by default, which costs nothing. */
export class TrafficObservers extends Context.Reference<TrafficObservers>()("@ss-proxy/TrafficObservers", {
  defaultValue: (): ReadonlyArray<TrafficObserver> => [],
}) {
  /** Adds an observer. Provide such layers one after the other: merged, only one would count. */
  static readonly layer = (observer: TrafficObserver): Layer.Layer<TrafficObservers> =>
    TrafficObservers.layerEffect(Effect.succeed(observer))

  /** The same for an observer that is made of services. */
  static readonly layerEffect = <E, R>(
    make: Effect.Effect<TrafficObserver, E, R>,
  ): Layer.Layer<TrafficObservers, E, R> =>
    Layer.effect(
      TrafficObservers,
      Effect.zipWith(TrafficObservers, make, (observers, observer) => [...observers, observer]),
    )
}

/** Tells all observers, one after the other; a defect of one is logged and does not keep the others from hearing. */
export const tellObservers = (observers: ReadonlyArray<TrafficObserver>, record: TrafficRecord): Effect.Effect<void> =>
  Effect.forEach(
    observers,
    (observer) =>
      Effect.catchAllCause(
        Effect.suspend(() => observer(record)),
        (cause) => Effect.logError("a defect in an observer of traffic", cause),
      ),
    { discard: true },
  )
