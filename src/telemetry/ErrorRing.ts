import { Context, Effect, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { failureOf } from "./Failure.js"
import { detachedText } from "../wire/DetachedCopy.js"
import { type QueryRule, shownField, shownTarget, shownText } from "./Redaction.js"
import type { RecordSink } from "./RecordSink.js"
import type { TrafficRecord } from "./TrafficRecord.js"

/** A failure that was a server's fault or the proxy's, as it is remembered: nothing in it is a secret. */
export interface RememberedFailure {
  /** When it was over, in milliseconds since the epoch. */
  readonly time: number
  readonly session: string | undefined
  /** Stable code, as in the client's answer. */
  readonly code: string
  readonly fault: "downstream" | "proxy"
  readonly reason: string | undefined
  /** What the client was answered; 0 for nothing. */
  readonly status: number
  readonly requestId: string
  readonly method: string
  /** As the access log shows it. */
  readonly target: string
  /** Address and port of the session's server, where one was asked. */
  readonly server: string | undefined
}

/** What is asked of the ring. */
export interface FailureQuery {
  readonly session?: string
  readonly requestId?: string
  /** How many at most. */
  readonly limit?: number
}

/** How many failures are remembered, and how many of one session. */
const mostFailures = 200
const mostOfOne = 50

const ownedOr = (text: string | undefined): string | undefined => (text === undefined ? undefined : detachedText(text))

/** Failures that fit a query, of those that are given newest first. */
const matching = (
  failures: ReadonlyArray<RememberedFailure>,
  { session, requestId, limit = mostFailures }: FailureQuery,
): ReadonlyArray<RememberedFailure> =>
  failures
    .filter((failure) => session === undefined || failure.session === session)
    .filter((failure) => requestId === undefined || failure.requestId === requestId)
    .slice(0, limit)

/**
 * The latest failures that were a server's fault or the proxy's. What clients do wrong is not among them, so that nobody
 * flushes it; and no session has more than a quarter of it, nor what is the proxy's own fault, whichever session was asked
 * for.
 */
export class FailureRing implements RecordSink {
  /** Oldest first. */
  private kept: Array<RememberedFailure> = []

  constructor(private readonly query: QueryRule) {}

  wants(_sessionId: string | undefined, failed: boolean): boolean {
    return failed
  }

  write(record: TrafficRecord): void {
    const { error } = record
    if (error === undefined) return
    const { cause, fault, reason } = failureOf(error)
    if (fault === "client") return
    this.keep({
      time: record.since + record.milliseconds,
      session: record.sessionId === undefined ? undefined : detachedText(shownText(record.sessionId)),
      code: cause,
      fault,
      reason: reason === undefined ? undefined : detachedText(shownText(reason)),
      status: record.status,
      requestId: detachedText(record.requestId),
      method: detachedText(shownField(record.method)),
      target: detachedText(shownTarget(record.target, this.query)),
      server: ownedOr(record.server),
    })
  }

  /** Newest first. */
  find(query: FailureQuery = {}): ReadonlyArray<RememberedFailure> {
    return matching(this.kept.toReversed(), query)
  }

  private keep(failure: RememberedFailure): void {
    const isAlike = ({ fault, session }: RememberedFailure): boolean =>
      failure.fault === "proxy" ? fault === "proxy" : fault !== "proxy" && session === failure.session
    let alike = 0
    let oldestAlike = -1
    for (const [index, other] of this.kept.entries()) {
      if (!isAlike(other)) continue
      if (alike++ === 0) oldestAlike = index
    }
    if (alike >= mostOfOne) this.kept.splice(oldestAlike, 1)
    else if (this.kept.length >= mostFailures) this.kept.shift()
    this.kept.push(failure)
  }
}

/** The failures that a proxy remembers, for whoever asks what went wrong a while ago. */
export class ErrorRing extends Context.Tag("@ss-proxy/ErrorRing")<ErrorRing, FailureRing>() {
  static readonly layer: Layer.Layer<ErrorRing, never, ProxyConfig> = Layer.effect(
    ErrorRing,
    Effect.map(ProxyConfig, ({ logQuery }) => new FailureRing(logQuery)),
  )
}
