import type { Socket } from "node:net"
import { Deadline, Deadlines, type Expirable } from "../clock/Deadlines.js"
import { KernelQueues } from "../socket/KernelQueues.js"
import { handleOf } from "../socket/NodeHandle.js"

/** Looks in the time that a peer has to take a byte. */
const looks = 4

/** The kernel's list is read no more often than so many times in it. */
const reads = 16

/** How long a peer may take nothing of what is sent to it; one for all sockets that have this limit. */
export class SendLimit {
  readonly rounds: Deadlines
  readonly queues: KernelQueues

  /** `milliseconds`: 0 for ever. */
  constructor(readonly milliseconds: number) {
    this.rounds = new Deadlines(milliseconds / looks)
    this.queues = new KernelQueues(milliseconds / reads)
  }

  /** Watches nobody any more. */
  stop(): void {
    this.rounds.clear()
    this.queues.stop()
  }
}

/** Who sends. */
export interface Sender {
  readonly socket: Socket
  /** Its peer has taken nothing for too long. */
  readonly stalled: () => void
}

/** Bytes of what was written to a socket that the kernel has taken, those of a write that is under way included. */
const takenOf = (socket: Socket): number => {
  const handle = handleOf(socket)
  const dispatched: unknown = handle === undefined ? undefined : Reflect.get(handle, "bytesWritten")
  const queued: unknown = handle === undefined ? undefined : Reflect.get(handle, "writeQueueSize")
  if (typeof dispatched === "number" && typeof queued === "number") return dispatched - queued
  return socket.bytesWritten - socket.writableLength
}

/**
 * Watches that a peer takes what is sent to it, a byte in a time at least, from `start` on until all of it is the kernel's.
 * Whoever takes nothing is noticed between once and one and a half times the limit, and after once where the system does
 * not tell what a peer acknowledges (`KernelQueues`), although it may be slow and no more.
 */
export class SendClock implements Expirable {
  private readonly round = new Deadline(this)
  private isAsking = false
  private taken = 0
  private unacknowledged: number | undefined
  /** When the peer was last seen to take something. */
  private since = 0

  constructor(
    private readonly sender: Sender,
    private readonly limit: SendLimit,
  ) {}

  /** Something that was written has to wait. */
  start(): void {
    if (this.round.isRunning || this.isAsking) return
    this.taken = takenOf(this.sender.socket)
    this.unacknowledged = undefined
    this.since = performance.now()
    this.limit.rounds.start(this.round)
  }

  expire(): void {
    const { limit } = this
    const { socket } = this.sender
    if (socket.destroyed || socket.writableLength === 0) return
    const taken = takenOf(socket)
    if (taken === this.taken) {
      this.isAsking = true
      return limit.queues.ask(socket, this.look)
    }
    this.taken = taken
    this.unacknowledged = undefined
    this.since = performance.now()
    limit.rounds.start(this.round)
  }

  private readonly look = (unacknowledged: number | undefined): void => {
    const { limit } = this
    const { socket } = this.sender
    this.isAsking = false
    if (socket.destroyed || socket.writableLength === 0) return
    const now = performance.now()
    if (unacknowledged !== this.unacknowledged) {
      this.unacknowledged = unacknowledged
      this.since = now
    } else if (now - this.since >= limit.milliseconds) {
      return this.sender.stalled()
    }
    limit.rounds.start(this.round)
  }
}
