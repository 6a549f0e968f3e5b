import { JsonAccessLog } from "../../src/log/AccessLog.js"
import { LineMemory } from "../../src/log/LineMemory.js"
import type { QueryRule } from "../../src/telemetry/Redaction.js"
import type { TrafficRecord } from "../../src/telemetry/TrafficRecord.js"

/** A record of a request that went well, but for what is given. */
export const recordWith = (given: Partial<TrafficRecord> = {}): TrafficRecord => ({
  kind: "request",
  id: "p1-a",
  requestId: "0123456789abcdef0123456789abcdef",
  sessionId: "alice",
  client: "192.0.2.7",
  method: "GET",
  target: "/alice/run",
  httpVersion: "1.1",
  host: "proxy.example",
  userAgent: "curl/8.5.0",
  status: 200,
  end: "complete",
  error: undefined,
  bytesIn: 1_200,
  bytesOut: 340,
  retries: 0,
  since: Date.UTC(2026, 0, 2, 12, 3, 4, 5),
  milliseconds: 41.2345,
  times: { firstByte: 38, queue: undefined, dial: undefined, hold: undefined, server: 36.5 },
  server: "10.0.0.7:9000",
  reused: true,
  traceId: undefined,
  webSocket: undefined,
  ...given,
})

/** Writes every line of an access log as JSON there, without its line break. */
export const jsonLog = (query: QueryRule, write: (line: string) => void): JsonAccessLog => {
  const memory = new LineMemory()
  const took = (length: number): boolean => {
    write(memory.bytes.toString("utf8", 0, length - 1))
    return true
  }
  return new JsonAccessLog(query, { room: () => memory, took })
}

/** A record as a line of the access log. */
export const jsonLine = (record: TrafficRecord, query: QueryRule): string => {
  let line = ""
  jsonLog(query, (written) => (line = written)).write(record)
  return line
}
