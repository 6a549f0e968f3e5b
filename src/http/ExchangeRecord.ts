import type { DownstreamCall } from "../downstream/Downstream.js"
import type { TrafficEnd, TrafficError, TrafficRecord, TrafficTimes } from "../telemetry/TrafficRecord.js"
import { detachedCopy } from "../wire/DetachedCopy.js"
import { firstValue, type RawFields } from "../wire/HeaderFields.js"
import type { Client } from "./ProxyRequest.js"

/** What is known of a handshake when its WebSocket begins. */
export type Handshake = Pick<TrafficRecord, "host" | "userAgent" | "times" | "server">

/** An exchange, as far as its record is made of it. */
export interface RecordedExchange {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly fields: RawFields
  readonly client: Client
  readonly requestId: string
  readonly sessionId: string | undefined
  readonly traceId: string | undefined
  readonly status: number
  readonly end: TrafficEnd
  readonly trouble: TrafficError | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly retries: number
  /** When it began: in milliseconds since the epoch, and by `performance.now()`. */
  readonly since: number
  readonly begun: number
  /** By `performance.now()`; 0 while no head of an answer is written. */
  readonly firstByteAt: number
  /** Address and port of its session's server, if that was asked. */
  readonly server: string | undefined
  /** What its session's server was asked by. */
  readonly downstream: DownstreamCall | undefined
}

const unlessZero = (milliseconds: number): number | undefined => (milliseconds === 0 ? undefined : milliseconds)

/** Where the time of an exchange went, in milliseconds. */
const timesOf = ({ begun, downstream, firstByteAt }: RecordedExchange): TrafficTimes => {
  const { dialTime = 0, headAt = 0, queueTime = 0, sentAt = 0 } = downstream ?? {}
  return {
    firstByte: firstByteAt === 0 ? undefined : firstByteAt - begun,
    queue: unlessZero(queueTime),
    dial: unlessZero(dialTime),
    server: sentAt === 0 || headAt === 0 ? undefined : headAt - sentAt,
  }
}

/** What the record of a WebSocket has of its handshake. Holds nothing of the exchange. */
export const handshakeOf = (exchange: RecordedExchange): Handshake => {
  const [host, userAgent] = [firstValue(exchange.fields, "host"), firstValue(exchange.fields, "user-agent")]
  return {
    host: host === undefined ? undefined : detachedCopy(host),
    userAgent: userAgent === undefined ? undefined : detachedCopy(userAgent),
    times: { ...timesOf(exchange), firstByte: performance.now() - exchange.begun },
    server: exchange.server,
  }
}

/** The record of an exchange that took so many milliseconds. `id`: its live id. */
export const recordOf = (exchange: RecordedExchange, id: string, milliseconds: number): TrafficRecord => ({
  kind: "request",
  id,
  requestId: exchange.requestId,
  sessionId: exchange.sessionId,
  client: exchange.client.address,
  method: exchange.method,
  target: exchange.target,
  httpVersion: exchange.httpVersion,
  host: firstValue(exchange.fields, "host"),
  userAgent: firstValue(exchange.fields, "user-agent"),
  status: exchange.status,
  end: exchange.end,
  error: exchange.trouble,
  bytesIn: exchange.bytesIn,
  bytesOut: exchange.bytesOut,
  retries: exchange.retries,
  since: exchange.since,
  milliseconds,
  times: timesOf(exchange),
  server: exchange.server,
  reused: exchange.downstream?.reused,
  traceId: exchange.traceId,
  webSocket: undefined,
})
