import type { ExchangeFacts } from "../http/ExchangeFacts.js"
import type { Client } from "../http/ProxyRequest.js"
import type { NoRequest } from "../telemetry/Causes.js"
import type { RecordSink } from "../telemetry/RecordSink.js"
import { tellSinks } from "../telemetry/RecordSinks.js"
import type { Counters } from "../telemetry/Telemetry.js"
import type { TrafficEnd, TrafficRecord } from "../telemetry/TrafficRecord.js"

/** Something of a client's that never became a request. */
export interface Refused {
  readonly client: Client
  readonly requestId: string
  readonly error: NoRequest
  /** What the client was answered; 0 for nothing. */
  readonly status: number
  readonly bytesOut: number
}

/** Counts what is over, and tells whoever wants to know of it. A defect in any of that ends no request. */
export class ExchangeObserver {
  /** `sinks`: whoever wants records, at any moment; `withRing`: the same, who is told of failures that no client is to blame for. */
  constructor(
    private readonly counters: Counters,
    private readonly sinks: ReadonlyArray<RecordSink>,
    private readonly withRing: ReadonlyArray<RecordSink>,
    private readonly defect: (cause: unknown) => void,
  ) {}

  readonly finished = (exchange: ExchangeFacts, milliseconds: number): void => {
    this.counters.exchangeEnded(exchange, milliseconds)
    const { trouble } = exchange
    const isOfClient = trouble === undefined || trouble.fault === "client"
    const sinks = isOfClient ? this.sinks : this.withRing
    if (sinks.length > 0) tellSinks(sinks, exchange.endedAfter(milliseconds), this.defect)
  }

  refused(refused: Refused): void {
    this.counters.clientRefused(refused.error)
    const sinks = refused.error.fault === "client" ? this.sinks : this.withRing
    if (sinks.length === 0) return
    tellSinks(
      sinks,
      { sessionId: undefined, failed: true, record: () => recordOf(refused, this.counters) },
      this.defect,
    )
  }
}

const endOf = ({ _tag }: NoRequest, status: number): TrafficEnd => {
  if (_tag === "RequestBroken") return "client"
  return status === 0 ? "proxy" : "complete"
}

const recordOf = ({ bytesOut, client, error, requestId, status }: Refused, counters: Counters): TrafficRecord => ({
  kind: "refused",
  id: counters.idOf(counters.nextSerial()),
  requestId,
  sessionId: undefined,
  client: client.address,
  method: "",
  target: "",
  httpVersion: "",
  host: undefined,
  userAgent: undefined,
  status,
  end: endOf(error, status),
  error,
  bytesIn: 0,
  bytesOut,
  retries: 0,
  since: Date.now(),
  milliseconds: 0,
  times: { firstByte: undefined, queue: undefined, dial: undefined, hold: undefined, server: undefined },
  server: undefined,
  reused: undefined,
  traceId: undefined,
  webSocket: undefined,
})
