import { addressOf } from "../downstream/Dial.js"
import type { Exchange } from "../http/Exchange.js"
import { nextRecordId } from "../telemetry/RecordId.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"
import type { RawFields } from "../wire/HeaderFields.js"

/** The value of a field of a request, the first of its name. */
const fieldOf = (fields: RawFields, name: string): string | undefined => {
  for (let index = 0; index + 1 < fields.length; index += 2)
    if (fields[index]?.length === name.length && fields[index]?.toLowerCase() === name) return fields[index + 1]
  return undefined
}

const noTimes: TrafficRecord["times"] = { firstByte: undefined, queue: undefined, dial: undefined, server: undefined }

/** What is known of an exchange when it is over. */
export const recordOfExchange = (exchange: Exchange): TrafficRecord => ({
  kind: "request",
  id: nextRecordId(),
  requestId: exchange.requestId,
  sessionId: exchange.sessionId,
  client: exchange.client.address,
  method: exchange.method,
  target: exchange.target,
  httpVersion: exchange.httpVersion,
  host: fieldOf(exchange.fields, "host"),
  userAgent: fieldOf(exchange.fields, "user-agent"),
  status: exchange.status,
  end: exchange.end,
  error: exchange.blame ?? exchange.error,
  bytesIn: exchange.bytesIn,
  bytesOut: exchange.bytesOut,
  retries: exchange.retries,
  since: exchange.since,
  milliseconds: exchange.age,
  times: noTimes,
  server: exchange.session === undefined ? undefined : addressOf(exchange.session.target),
  reused: undefined,
  traceId: undefined,
  webSocket: undefined,
})
