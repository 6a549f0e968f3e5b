import { Context, Effect, Layer } from "effect"
import type { TrafficRecord } from "./TrafficRecord.js"

/**
 * Takes records of what is over. Plain calls: they come from the data path. A record is made once, when its exchange or
 * WebSocket is over, and only where a sink wants it.
 */
export interface RecordSink {
  /** Whether a record of this session is wanted; `undefined` for what named none. `failed`: it has an error. */
  wants(sessionId: string | undefined, failed: boolean): boolean
  write(record: TrafficRecord): void
}

/** Who takes records, beside what the proxy itself keeps. Nobody by default, which costs nothing. */
export class RecordSinks extends Context.Reference<RecordSinks>()("@ss-proxy/RecordSinks", {
  defaultValue: (): ReadonlyArray<RecordSink> => [],
}) {
  /** Adds a sink. Provide such layers one after the other: merged, only one would count. */
  static readonly layer = (sink: RecordSink): Layer.Layer<RecordSinks> =>
    Layer.effect(
      RecordSinks,
      Effect.map(RecordSinks, (sinks) => [...sinks, sink]),
    )
}
