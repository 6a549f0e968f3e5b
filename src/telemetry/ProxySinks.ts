import { Effect } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { ErrorRing } from "./ErrorRing.js"
import { LineLog } from "./LineLog.js"
import { LogSink } from "./LogSink.js"
import { type RecordSink, RecordSinks } from "./RecordSink.js"

/** Everybody who takes records of a proxy: its ring of failures, the log where it is asked for, and whoever was provided. */
export const proxySinks: Effect.Effect<ReadonlyArray<RecordSink>, never, ProxyConfig | ErrorRing> = Effect.gen(
  function* () {
    const { accessLog, logQuery } = yield* ProxyConfig
    const provided = yield* RecordSinks
    const ring = yield* ErrorRing
    const log = yield* LineLog.make
    return [ring, ...(accessLog ? [new LogSink(log, logQuery)] : []), ...provided]
  },
)
