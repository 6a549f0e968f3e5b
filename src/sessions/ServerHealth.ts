/** Who found out: requests of clients by the way, or checks that were made for it. */
export type HealthSource = "passive" | "active"

/** Why a server counts as failing. `code`: stable, as in an answer; `reason`: what it was more exactly. */
export interface ServerFault {
  readonly code: string
  readonly reason: string | undefined
}

/** The same, and when that was, in milliseconds since the epoch. */
interface DatedFault extends ServerFault {
  readonly time: number
}

/**
 * How a session's server does, as far as one lifetime of the session has seen it. It is to be looked at, and nothing else:
 * no request is refused for it.
 */
export class ServerHealth {
  /** `unknown`: it has not been asked yet. */
  state: "unknown" | "ok" | "failing" = "unknown"
  /** Since when that is so, in milliseconds since the epoch; 0 while it is unknown. */
  since = 0
  /** How often it has failed in a row. */
  failures = 0
  /** What it failed with last, be it long ago. */
  lastError: DatedFault | undefined
  /** Who found out last. */
  checked: HealthSource = "passive"
  /** A check did not like its answer, so that an answer alone does not make it well again. */
  private isDisliked = false

  /** It has answered. Whether its state has changed. */
  answered(by: HealthSource, now: number): boolean {
    if (by === "passive" && this.isDisliked) return false
    this.isDisliked = false
    this.checked = by
    this.failures = 0
    return this.become("ok", now)
  }

  /** It has failed. `isAnswer`: it has answered, but not as a check wants it to. Whether its state has changed. */
  failed(by: HealthSource, fault: ServerFault, isAnswer: boolean, now: number): boolean {
    this.isDisliked = isAnswer
    this.checked = by
    this.failures++
    this.lastError = { ...fault, time: now }
    return this.become("failing", now)
  }

  private become(state: "ok" | "failing", now: number): boolean {
    if (this.state === state) return false
    this.state = state
    this.since = now
    return true
  }
}
