import type { RecordTaps } from "../telemetry/RecordTaps.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"
import { callUnawaited } from "./OwnPromise.js"

/** What went wrong with a request or a WebSocket: an error with a name (`_tag`) and fields of its own. */
export interface TrafficProblem extends Error {
  readonly _tag: string
}

/** What is known of a request or a WebSocket that is over. */
export interface FinishedTraffic extends Omit<TrafficRecord, "error"> {
  readonly error: TrafficProblem | undefined
}

/** What listeners are told of, by the name of the event. */
export interface ProxyEventMap {
  /** A request is over, answered or not. */
  readonly request: FinishedTraffic
  /** A WebSocket is over. */
  readonly websocket: FinishedTraffic
  /** Something never became a request: its head could not be read, or there were too many connections. */
  readonly refused: FinishedTraffic
  /** A request or a WebSocket is over, and something went wrong with it; it is told of above, too. */
  readonly error: FinishedTraffic
  /** The proxy is closed: nothing of it is left. */
  readonly close: undefined
}

/** The name of an event. */
export type ProxyEvent = keyof ProxyEventMap

/** Called for every event of its kind. Nobody waits for a promise; what it throws or rejects with is logged. */
export type ProxyListener<Event extends ProxyEvent> = (told: ProxyEventMap[Event]) => void | PromiseLike<void>

type Listeners = { readonly [Event in ProxyEvent]: Set<ProxyListener<Event>> }

/** The listeners of one proxy. While nobody listens for records, none is made for this. */
export class ProxyEvents {
  private readonly listeners: Listeners = {
    request: new Set(),
    websocket: new Set(),
    refused: new Set(),
    error: new Set(),
    close: new Set(),
  }
  private detach: (() => void) | undefined

  constructor(
    private readonly taps: RecordTaps,
    /** Told what a listener threw. */
    private readonly failed: (thrown: unknown) => void,
  ) {}

  /** Adds a listener. Returns what removes it. */
  on<Event extends ProxyEvent>(event: Event, listener: ProxyListener<Event>): () => void {
    const listeners: Set<ProxyListener<Event>> = this.listeners[event]
    listeners.add(listener)
    this.look()
    return () => {
      listeners.delete(listener)
      this.look()
    }
  }

  /** Tells everybody. */
  tell<Event extends ProxyEvent>(event: Event, told: ProxyEventMap[Event]): void {
    const listeners: Set<ProxyListener<Event>> = this.listeners[event]
    for (const listener of listeners) callUnawaited(() => listener(told), this.failed)
  }

  private readonly write = (record: TrafficRecord): void => {
    this.tell(record.kind, record)
    if (record.error !== undefined) this.tell("error", record)
  }

  /** Attaches to the proxy while somebody wants records. */
  private look(): void {
    const { request, websocket, refused, error } = this.listeners
    const isWanted = [request, websocket, refused, error].some(({ size }) => size > 0)
    if (isWanted) {
      this.detach ??= this.taps.attach({ wants: (_, failed) => failed || !this.wantsErrorsOnly, write: this.write })
      return
    }
    this.detach?.()
    this.detach = undefined
  }

  private get wantsErrorsOnly(): boolean {
    const { request, websocket, refused } = this.listeners
    return request.size + websocket.size + refused.size === 0
  }
}
