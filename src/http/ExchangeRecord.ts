import type { DownstreamCall } from "../downstream/Downstream.js"
import type { Ended } from "../telemetry/RecordSinks.js"
import type { Counters } from "../telemetry/Telemetry.js"
import type { TrafficEnd, TrafficError, TrafficRecord, TrafficTimes } from "../telemetry/TrafficRecord.js"
import { detachedCopy } from "../wire/DetachedCopy.js"
import { firstValue, type RawFields } from "../wire/HeaderFields.js"
import type { Client } from "./ProxyRequest.js"

/** What is known of a handshake when its WebSocket begins. */
export type Handshake = Pick<TrafficRecord, "host" | "userAgent" | "times">

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
  const { dialTime = 0, headAt = 0, holdTime = 0, queueTime = 0, sentAt = 0 } = downstream ?? {}
  return {
    firstByte: firstByteAt === 0 ? undefined : firstByteAt - begun,
    queue: unlessZero(queueTime),
    dial: unlessZero(dialTime),
    hold: unlessZero(holdTime),
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
  }
}

/**
 * An exchange that is over, seen as its record: for whoever reads that at once. What is to be kept is copied, for this holds
 * the exchange. `serial`: of its live id; `milliseconds`: how long it took.
 */
export class EndedExchange implements Ended, TrafficRecord {
  constructor(
    private readonly exchange: RecordedExchange,
    private readonly counters: Counters,
    private readonly serial: number,
    readonly milliseconds: number,
  ) {}

  get view(): TrafficRecord {
    return this
  }

  get failed(): boolean {
    return this.error !== undefined || this.end !== "complete"
  }

  get kind(): "request" {
    return "request"
  }

  get id(): string {
    return this.counters.idOf(this.serial)
  }

  get requestId(): string {
    return this.exchange.requestId
  }

  get sessionId(): string | undefined {
    return this.exchange.sessionId
  }

  get client(): string {
    return this.exchange.client.address
  }

  get method(): string {
    return this.exchange.method
  }

  get target(): string {
    return this.exchange.target
  }

  get httpVersion(): string {
    return this.exchange.httpVersion
  }

  get host(): string | undefined {
    return firstValue(this.exchange.fields, "host")
  }

  get userAgent(): string | undefined {
    return firstValue(this.exchange.fields, "user-agent")
  }

  get status(): number {
    return this.exchange.status
  }

  get end(): TrafficEnd {
    return this.exchange.end
  }

  get error(): TrafficError | undefined {
    return this.exchange.trouble
  }

  get bytesIn(): number {
    return this.exchange.bytesIn
  }

  get bytesOut(): number {
    return this.exchange.bytesOut
  }

  get retries(): number {
    return this.exchange.retries
  }

  get since(): number {
    return this.exchange.since
  }

  get times(): TrafficTimes {
    return timesOf(this.exchange)
  }

  get server(): string | undefined {
    return this.exchange.server
  }

  get reused(): boolean | undefined {
    return this.exchange.downstream?.reused
  }

  get traceId(): string | undefined {
    return this.exchange.traceId
  }

  get webSocket(): undefined {
    return undefined
  }

  record(): TrafficRecord {
    return {
      kind: this.kind,
      id: this.id,
      requestId: this.requestId,
      sessionId: this.sessionId,
      client: this.client,
      method: this.method,
      target: this.target,
      httpVersion: this.httpVersion,
      host: this.host,
      userAgent: this.userAgent,
      status: this.status,
      end: this.end,
      error: this.error,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      retries: this.retries,
      since: this.since,
      milliseconds: this.milliseconds,
      times: this.times,
      server: this.server,
      reused: this.reused,
      traceId: this.traceId,
      webSocket: this.webSocket,
    }
  }
}
