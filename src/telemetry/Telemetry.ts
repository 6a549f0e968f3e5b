import { randomBytes } from "node:crypto"
import { Context, Effect, Layer } from "effect"
import type { ProxyError } from "../domain/ProxyError.js"
import { type adminRoutes, catalogue, type checkResults, type dialResults } from "./Catalogue.js"
import {
  answerCauses,
  causeIndex,
  type NoRequest,
  refusalCode,
  replyIndex,
  serverIndex,
  statusClassIndex,
} from "./Causes.js"
import { Cells, cellOf } from "./Cells.js"
import { closeCodeIndex, methodIndex } from "./Places.js"
import { EventLoopWatch } from "./EventLoopWatch.js"
import { OpenFiles } from "./OpenFiles.js"
import { version } from "../domain/Version.js"
import { type Snapshot, snapshotOf } from "./Snapshot.js"
import type { TrafficEnd, WebSocketRecord } from "./TrafficRecord.js"

/** What became of an attempt to connect to a session's server. */
export type DialResult = (typeof dialResults)[number]

/** What a health check of a session's server came to. */
export type CheckResult = (typeof checkResults)[number]

/** What is counted of a request that is over. */
export interface CountedExchange {
  readonly method: string
  /** That the client was answered; 0 for none. */
  readonly status: number
  /** The error that was answered. */
  readonly error: ProxyError | undefined
  /** Whether what was answered is the proxy's own, and no error. */
  readonly isOwnAnswer: boolean
  readonly end: TrafficEnd
  readonly bytesIn: number
  readonly bytesOut: number
  /** Whether it asked for a WebSocket. */
  readonly isHandshake: boolean
}

/** What is counted of a WebSocket that is over. */
export interface CountedWebSocket extends Pick<WebSocketRecord, "code" | "closedBy" | "messagesIn" | "messagesOut"> {
  readonly bytesIn: number
  readonly bytesOut: number
}

/** Knows numbers that nobody counts: what is open, what waits, what is still under way. */
export interface NumbersSource {
  /** Finds out what cannot be told at once. Runs before `fill`. */
  readonly prepare?: Effect.Effect<void>
  /** Puts them into a copy of the numbers, at a moment for all sources. */
  readonly fill: (cells: Cells) => void
}

const {
  bodyBytes,
  broken,
  connections,
  connectionsAccepted,
  dialDuration,
  firstByte,
  frameBytes,
  leases,
  messages,
  queueDuration,
  requestDuration,
  requests,
  requestsInFlight,
  serverConnections,
  serverFirstByte,
  webSocketDuration,
  webSocketsClosed,
  webSocketsOpen,
} = catalogue

const cells = {
  bodyIn: cellOf(bodyBytes, "in"),
  bodyOut: cellOf(bodyBytes, "out"),
  framesIn: cellOf(frameBytes, "in"),
  framesOut: cellOf(frameBytes, "out"),
  messagesIn: cellOf(messages, "in"),
  messagesOut: cellOf(messages, "out"),
  fromPool: cellOf(leases, "pool"),
  fresh: cellOf(leases, "new"),
  busy: cellOf(serverConnections, "busy"),
  webSocket: cellOf(serverConnections, "websocket"),
}

const closers = webSocketsClosed.dimensions[1].keys

/**
 * Counts what happens, by plain calls: each is a few additions and makes nothing, whether or not anybody looks. None of
 * them throws. Times are milliseconds.
 */
export class Counters {
  /** Names this process in the ids of what is under way; random, so that an id is never used again. */
  readonly process: string = randomBytes(5).readUIntBE(0, 5).toString(36)
  private readonly cells = new Cells()
  private readonly sources: Array<NumbersSource> = []
  private serials = 0

  /** A number for something new that is under way: `idOf` makes its id of it. */
  nextSerial(): number {
    return ++this.serials
  }

  /** `{process}-{serial}`, both in base 36. */
  idOf(serial: number): string {
    return `${this.process}-${serial.toString(36)}`
  }

  // Clients.

  /** A connection of a client was accepted. */
  connectionOpened(): void {
    this.cells.add(connections.offset, 1)
    this.cells.add(connectionsAccepted.offset, 1)
  }

  /** A connection of a client is closed. */
  connectionClosed(): void {
    this.cells.add(connections.offset, -1)
  }

  /** How many are open. */
  get openConnections(): number {
    return this.cells.values[connections.offset] ?? 0
  }

  /** Something of a client's never became a request. */
  clientRefused(error: NoRequest): void {
    this.cells.add(cellOf(catalogue.refused, refusalCode(error)), 1)
  }

  // Requests.

  /** A request has begun. */
  exchangeBegan(): void {
    this.cells.add(requestsInFlight.offset, 1)
  }

  /** The head of a server's answer was written, so long after the request's. */
  answerBegan(milliseconds: number): void {
    this.cells.observe(firstByte, firstByte.offset, milliseconds)
  }

  /** It is over, and has not become a WebSocket. `milliseconds`: how long it took. */
  exchangeEnded(exchange: CountedExchange, milliseconds: number): void {
    const { end, status } = exchange
    this.exchangeLeft(exchange)
    this.cells.add(requests.offset + methodIndex(exchange.method) * answerCauses.length + answerIndex(exchange), 1)
    const duration = requestDuration.offset + statusClassIndex(status) * requestDuration.width
    this.cells.observe(requestDuration, duration, milliseconds)
    if (end !== "complete") this.cells.add(cellOf(broken, end), 1)
    if (exchange.isHandshake) this.handshakeEnded(failsHandshake(exchange) ? "failed" : "refused")
  }

  /** It has become a WebSocket. */
  exchangeSwitched(exchange: CountedExchange): void {
    this.exchangeLeft(exchange)
    this.handshakeEnded("switched")
  }

  private exchangeLeft({ bytesIn, bytesOut }: CountedExchange): void {
    this.cells.add(requestsInFlight.offset, -1)
    this.bodyPassed(this.cells, bytesIn, bytesOut)
  }

  private handshakeEnded(result: "switched" | "refused" | "failed"): void {
    this.cells.add(cellOf(catalogue.handshakes, result), 1)
  }

  /** Bytes of content, of what is over or still under way. */
  bodyPassed(into: Cells, bytesIn: number, bytesOut: number): void {
    into.add(cells.bodyIn, bytesIn)
    into.add(cells.bodyOut, bytesOut)
  }

  // Servers of sessions.

  /** A request has a connection. */
  connectionLeased(reused: boolean): void {
    this.cells.add(reused ? cells.fromPool : cells.fresh, 1)
    this.cells.add(cells.busy, 1)
  }

  /** A request, or a handshake, needs its connection no more. */
  connectionReleased(): void {
    this.cells.add(cells.busy, -1)
  }

  /** A connection to a server was made, or could not be, after so many milliseconds. */
  dialEnded(result: DialResult, milliseconds: number): void {
    this.cells.add(cellOf(catalogue.dials, result), 1)
    if (result === "ok") this.cells.observe(dialDuration, dialDuration.offset, milliseconds)
  }

  /** A request that had to wait for a connection does so no more. */
  queueLeft(milliseconds: number): void {
    this.cells.observe(queueDuration, queueDuration.offset, milliseconds)
  }

  /** The head of a response has come, so long after its request was sent. */
  headArrived(milliseconds: number): void {
    this.cells.observe(serverFirstByte, serverFirstByte.offset, milliseconds)
  }

  /** A request was sent again. */
  requestRetried(): void {
    this.cells.add(catalogue.retries.offset, 1)
  }

  /** The server of a session was checked. */
  healthChecked(result: CheckResult): void {
    this.cells.add(cellOf(catalogue.healthChecks, result), 1)
  }

  // WebSockets.

  /** A WebSocket is open. */
  webSocketOpened(): void {
    this.cells.add(webSocketsOpen.offset, 1)
    this.cells.add(cells.webSocket, 1)
  }

  /** A WebSocket is over, after so many milliseconds. */
  webSocketClosed(socket: CountedWebSocket, milliseconds: number): void {
    this.cells.add(webSocketsOpen.offset, -1)
    this.cells.add(cells.webSocket, -1)
    this.framesPassed(this.cells, socket)
    const place = closeCodeIndex(socket.code) * closers.length + closers.indexOf(socket.closedBy)
    this.cells.add(webSocketsClosed.offset + place, 1)
    this.cells.observe(webSocketDuration, webSocketDuration.offset, milliseconds)
  }

  /** Frames and messages, of what is over or still under way. */
  framesPassed(into: Cells, socket: Omit<CountedWebSocket, "code" | "closedBy">): void {
    into.add(cells.framesIn, socket.bytesIn)
    into.add(cells.framesOut, socket.bytesOut)
    into.add(cells.messagesIn, socket.messagesIn)
    into.add(cells.messagesOut, socket.messagesOut)
  }

  // The proxy itself.

  /** A read or a write of the store failed, other than those of `SessionDirectory`, which counts its own. */
  storeFailed(): void {
    this.cells.add(catalogue.storeFailures.offset, 1)
  }

  /** So many lines of the access log were dropped. */
  accessLogDropped(lines: number): void {
    this.cells.add(catalogue.accessLogDropped.offset, lines)
  }

  /** A line of the access log could not be written. */
  accessLogFailed(): void {
    this.cells.add(catalogue.accessLogFailures.offset, 1)
  }

  /** So many spans were sent to the collector, or not. */
  traceSpans(result: "sent" | "dropped" | "failed", spans: number): void {
    this.cells.add(cellOf(catalogue.traceSpans, result), spans)
  }

  /** The admin listener has answered. `status`: 200 to 599. */
  adminAnswered(route: (typeof adminRoutes)[number], status: number): void {
    const { dimensions, offset } = catalogue.adminRequests
    const [routes, statuses] = dimensions
    this.cells.add(offset + routes.keys.indexOf(route) * statuses.keys.length + statusClassIndex(status) - 2, 1)
  }

  /** The event loop came so late to a timer. */
  eventLoopLate(milliseconds: number): void {
    this.cells.observe(catalogue.eventLoopDelay, catalogue.eventLoopDelay.offset, milliseconds)
  }

  // What is read.

  /** What was counted so far, as it is at any moment: to be looked at, and by whoever needs no copy. */
  get counted(): Cells {
    return this.cells
  }

  /** Asks `source` at each snapshot, until what this returns is called. */
  readAlso(source: NumbersSource): () => void {
    this.sources.push(source)
    return () => {
      const index = this.sources.indexOf(source)
      if (index >= 0) this.sources.splice(index, 1)
    }
  }

  /** All numbers at one moment: a copy. */
  get snapshot(): Effect.Effect<Snapshot> {
    return Effect.suspend(() => {
      const preparations = this.sources.flatMap(({ prepare }) => (prepare === undefined ? [] : [prepare]))
      const prepared = Effect.all(preparations, { concurrency: "unbounded", discard: true })
      return Effect.map(prepared, () => this.copied())
    })
  }

  private copied(): Snapshot {
    const copy = this.cells.copy()
    for (const source of this.sources) source.fill(copy)
    return snapshotOf(copy.values, { worker: this.process, version, node: process.versions.node }, Date.now())
  }
}

/** The place of an answer among `answerCauses`. */
const answerIndex = ({ error, isOwnAnswer, status }: CountedExchange): number => {
  if (error !== undefined) return causeIndex(error)
  return isOwnAnswer ? replyIndex(status) : serverIndex(status)
}

/** Whether a handshake came to nothing that its server, or a rule of ours, had decided. */
const failsHandshake = ({ end, error }: CountedExchange): boolean =>
  end !== "complete" || (error !== undefined && error.fault !== "client")

/** What the operating system and the engine tell of this process. */
const processNumbers = (watch: EventLoopWatch, files: OpenFiles): NumbersSource => ({
  prepare: Effect.promise(() => files.look()),
  fill: (into) => {
    const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
    const { system, user } = process.cpuUsage()
    into.set(catalogue.cpu.offset, (system + user) / 1_000_000)
    into.set(catalogue.residentMemory.offset, rss)
    into.set(catalogue.heapUsed.offset, heapUsed)
    into.set(catalogue.heapTotal.offset, heapTotal)
    into.set(catalogue.externalMemory.offset, external)
    into.set(catalogue.openFiles.offset, files.open)
    into.set(catalogue.mostFiles.offset, files.most)
    into.set(catalogue.startTime.offset, performance.timeOrigin / 1_000)
    into.set(catalogue.eventLoopUtilization.offset, watch.utilization())
  },
})

/**
 * The numbers of the proxy that this is part of. Counting is always on. Without its Layer there are numbers, too, which are of
 * nobody in particular, so that a part of the proxy also stands alone.
 */
export class Telemetry extends Context.Reference<Telemetry>()("@ss-proxy/Telemetry", {
  defaultValue: () => new Counters(),
}) {
  static readonly layer: Layer.Layer<Telemetry> = Layer.scoped(
    Telemetry,
    Effect.gen(function* () {
      const counters = new Counters()
      const files = new OpenFiles()
      const watch = new EventLoopWatch((milliseconds) => counters.eventLoopLate(milliseconds))
      yield* Effect.addFinalizer(() => Effect.sync(() => watch.stop()))
      counters.readAlso(processNumbers(watch, files))
      return counters
    }),
  )
}
