import type { TrafficRecord } from "./TrafficRecord.js"

/**
 * Who wants to know of requests and WebSockets that are over: access log, list of errors, observers. Plain calls: a record is
 * made once, and only if some sink wants it.
 */
export interface RecordSink {
  /**
   * Whether it wants the record of something that has just ended. `sessionId`: as in the record. `failed`: it was answered
   * with an error of the proxy's, or broke off.
   */
  wants(sessionId: string | undefined, failed: boolean): boolean
  /** Whether it reads what it takes at once, and keeps nothing of it: nothing needs to be copied for it. */
  readonly readsAtOnce?: boolean
  /** Takes a record that it wanted. */
  write(record: TrafficRecord): void
}
