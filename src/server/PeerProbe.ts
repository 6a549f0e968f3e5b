import type { Socket } from "node:net"
import { Deadline, type Deadlines, type Expirable } from "../clock/Deadlines.js"

/** Whose peer is asked for. */
export interface ProbeSubject {
  readonly socket: Socket
  /** Whether it is not read, so that there is reason to ask. */
  readonly isUnread: boolean
}

/**
 * Asks, round after round, whether the peer of a socket is still there while the socket is not read: paused, or behind the
 * peer's FIN. A reset is not heard of then, for nobody waits for the socket to be readable. A write of nothing tells: it
 * sends nothing, and fails on a connection that was reset or has timed out, which closes the socket.
 */
export class PeerProbe implements Expirable {
  private readonly round = new Deadline(this)

  /** `rounds`: from one look to the next. */
  constructor(
    private readonly subject: ProbeSubject,
    private readonly rounds: Deadlines,
  ) {}

  /** Begins to ask, and goes on for as long as there is reason to. */
  start(): void {
    if (!this.round.isRunning) this.rounds.start(this.round)
  }

  expire(): void {
    const { socket, isUnread } = this.subject
    if (!socket.writable || !isUnread) return
    // What waits to be written is itself such a write.
    if (socket.writableLength === 0) socket.write("")
    this.rounds.start(this.round)
  }
}
