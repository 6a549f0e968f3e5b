import { Effect, Layer, LogLevel } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { RecordSink } from "../telemetry/RecordSink.js"
import { RecordSinks } from "../telemetry/RecordSinks.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"
import { describeError } from "../wire/Reply.js"
import { LineLog } from "./LineLog.js"

/** What a line says of an error: the code that was answered, or why the answer broke off that was on its way. */
const errorFields = ({ error, status }: TrafficRecord): { readonly code?: string; readonly cause?: string } => {
  if (error === undefined || error._tag === "ResponseBroken" || error._tag === "RequestBroken") return {}
  if (error._tag === "ClientStalled") return { cause: error.message }
  const described = describeError(error)
  return described.status === status || status === 0 ? { code: described.code } : { cause: described.detail }
}

const fieldsOf = (record: TrafficRecord): Record<string, unknown> => ({
  request_id: record.requestId,
  client: record.client,
  ...(record.sessionId === undefined ? {} : { session: record.sessionId }),
  ...(record.kind === "refused" ? {} : { method: record.method, target: record.target }),
  status: record.status,
  ...errorFields(record),
  end: record.end,
  bytes_in: record.bytesIn,
  bytes_out: record.bytesOut,
  retries: record.retries,
  milliseconds: Math.round(record.milliseconds),
})

/** A line for every request, and for what never became one; `WsBridge` writes those of WebSockets. */
class AccessLog implements RecordSink {
  constructor(private readonly log: LineLog) {}

  wants(): boolean {
    return true
  }

  write(record: TrafficRecord): void {
    if (record.kind !== "websocket") this.log.write(LogLevel.Info, record.kind, fieldsOf(record))
  }
}

/** The access log, where the settings ask for it and the log has such lines. */
export const layerAccessLog: Layer.Layer<RecordSinks, never, ProxyConfig> = Layer.effect(
  RecordSinks,
  Effect.gen(function* () {
    const { accessLog } = yield* ProxyConfig
    const sinks = yield* RecordSinks
    const log = yield* LineLog.make
    return accessLog && log.has(LogLevel.Info) ? [...sinks, new AccessLog(log)] : sinks
  }),
)
