import { Context, Effect, FiberSet, Layer, type Scope } from "effect"
import type { RecordSink } from "../telemetry/RecordSink.js"
import { RecordSinks } from "../telemetry/RecordSinks.js"
import { Taps } from "../telemetry/RecordTaps.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

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

/** The sinks, and the observers, whose fibers end with the scope. */
const ownSinks: Effect.Effect<ReadonlyArray<RecordSink>, never, Scope.Scope> = Effect.gen(function* () {
  const sinks = yield* RecordSinks
  const observers = yield* TrafficObservers
  if (observers.length === 0) return sinks
  const fork = yield* FiberSet.makeRuntime<never>()
  // However long an observer takes, what it is told of is over.
  return [...sinks, { wants: () => true, write: (record) => void fork(tellObservers(observers, record)) }]
})

/** Tells all observers, one after the other; a defect of one is logged and does not keep the others from hearing. */
const tellObservers = (observers: ReadonlyArray<TrafficObserver>, record: TrafficRecord): Effect.Effect<void> =>
  Effect.forEach(
    observers,
    (observer) =>
      Effect.catchAllCause(
        Effect.suspend(() => observer(record)),
        (cause) => Effect.logError("a defect in an observer of traffic", cause),
      ),
    { discard: true },
  )

/** Everybody who is handed records, at any moment: `first`, sinks, observers, and who looks just now. */
export const recordSinks = (
  ...first: ReadonlyArray<RecordSink>
): Effect.Effect<ReadonlyArray<RecordSink>, never, Scope.Scope> =>
  Effect.flatMap(Taps, ({ join }) => Effect.flatMap(ownSinks, (sinks) => join([...first, ...sinks])))
