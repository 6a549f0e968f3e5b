import { Context, Effect, Layer } from "effect"
import type { RecordSink } from "./RecordSink.js"
import type { TrafficRecord } from "./TrafficRecord.js"

/** Who is handed records. Nobody by default, which costs nothing. */
export class RecordSinks extends Context.Reference<RecordSinks>()("@ss-proxy/RecordSinks", {
  defaultValue: (): ReadonlyArray<RecordSink> => [],
}) {
  /** Adds a sink. Provide such layers one after the other: merged, only one would count. */
  static readonly layer = (sink: RecordSink): Layer.Layer<RecordSinks> => RecordSinks.layerEffect(Effect.succeed(sink))

  /** The same for a sink that is made of services. */
  static readonly layerEffect = <E, R>(make: Effect.Effect<RecordSink, E, R>): Layer.Layer<RecordSinks, E, R> =>
    Layer.effect(
      RecordSinks,
      Effect.zipWith(RecordSinks, make, (sinks, sink) => [...sinks, sink]),
    )
}

/** What has ended, as sinks are asked whether they want to know of it. */
export interface Ended {
  readonly sessionId: string | undefined
  /** It was answered with an error of the proxy's, or broke off. */
  readonly failed: boolean
  /** What is known of it, for whoever reads it at once; absent where there is only what `record` makes. */
  readonly view?: TrafficRecord
  /** The same, made anew, for whoever keeps it. */
  readonly record: () => TrafficRecord
}

/**
 * Tells those that want to know. What is to be kept is made once, and only if anybody keeps it. A sink that throws is none of
 * the request's business: `defect` is told, and the others still hear. Whoever has no sinks need not call this.
 */
export const tellSinks = (sinks: ReadonlyArray<RecordSink>, ended: Ended, defect: (cause: unknown) => void): void => {
  let record: TrafficRecord | undefined
  for (const sink of sinks) {
    try {
      if (!sink.wants(ended.sessionId, ended.failed)) continue
      if (sink.readsAtOnce === true && ended.view !== undefined) sink.write(ended.view)
      else sink.write((record ??= ended.record()))
    } catch (cause) {
      defect(cause)
    }
  }
}
