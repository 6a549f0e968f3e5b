import { Effect, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { LineLog } from "../log/LineLog.js"
import { LogSink } from "../log/LogSink.js"
import { RecordSinks } from "../telemetry/RecordSinks.js"

/** Adds lines of Effect's log for everything that is over, if the settings ask for them: for programs that embed the proxy. */
export const layerAccessLog: Layer.Layer<RecordSinks, never, ProxyConfig> = Layer.effect(
  RecordSinks,
  Effect.gen(function* () {
    const { accessLog, logQuery } = yield* ProxyConfig
    const sinks = yield* RecordSinks
    return accessLog ? [...sinks, new LogSink(yield* LineLog.make, logQuery)] : sinks
  }),
)
