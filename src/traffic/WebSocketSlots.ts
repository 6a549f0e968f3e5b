import type { LiveSession } from "../sessions/LiveSession.js"

/** How many WebSockets there may be at a time; Infinity for any number. */
export interface WebSocketLimits {
  readonly maxWebSockets: number
  readonly maxWebSocketsPerSession: number
}

/** Which limit is reached. */
export type FullSlots = "all" | "session"

/** Counts WebSockets, from the beginning of their handshake on, so that many at once cannot slip past a limit. */
export class WebSocketSlots {
  private taken = 0
  private readonly takenBySession = new WeakMap<LiveSession, number>()

  constructor(private readonly limits: WebSocketLimits) {}

  /** The limit that one more WebSocket of this session would break; `undefined` for none. */
  full(session: LiveSession): FullSlots | undefined {
    const { maxWebSockets, maxWebSocketsPerSession } = this.limits
    if (this.takenBy(session) >= maxWebSocketsPerSession) return "session"
    return this.taken >= maxWebSockets ? "all" : undefined
  }

  /** Counts one. Returns what gives its place back; to call that more than once does no harm. */
  take(session: LiveSession): () => void {
    this.count(session, 1)
    let isTaken = true
    return () => {
      if (isTaken) this.count(session, -1)
      isTaken = false
    }
  }

  private takenBy(session: LiveSession): number {
    return this.takenBySession.get(session) ?? 0
  }

  private count(session: LiveSession, by: 1 | -1): void {
    this.taken += by
    this.takenBySession.set(session, this.takenBy(session) + by)
  }
}
