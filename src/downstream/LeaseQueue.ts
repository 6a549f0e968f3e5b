import type { ProxySettings } from "../domain/ProxyConfig.js"
import { type DialError, Overloaded, SessionLimit } from "../domain/ProxyError.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { Connection } from "./Connection.js"
import { Deadline, Deadlines, type Expirable } from "../clock/Deadlines.js"

/** A connection, and whether it has carried a request before. */
export interface Lease {
  readonly connection: Connection
  readonly reused: boolean
}

/** Who hears of a connection. Exactly one of the two is called, once; neither after it has given up. */
export interface LeaseListener {
  readonly leased: (lease: Lease) => void
  readonly refused: (error: DialError) => void
}

/** Who wants a connection, and waits for it. */
export interface LeaseSeeker extends LeaseListener {
  /** Whether one that has carried a request before will do. */
  readonly mayReuse: boolean
}

/** How many connections there may be to the servers of sessions, and for how long one is waited for. */
export type LeaseLimits = Pick<
  ProxySettings,
  "maxDownstreamConnections" | "maxDownstreamConnectionsPerSession" | "queueTimeout"
>

/** Opens connections, and closes such as nobody uses. */
export interface LeaseSource {
  /** Opens a connection. Returns a function that gives the attempt up. */
  readonly dial: (session: LiveSession, listener: LeaseListener) => () => void
  /** Closes an idle connection: one of this session's, or whoever's it is. */
  readonly makeRoom: (session: LiveSession | undefined) => void
}

/** Somebody who waits. */
class Waiter implements Expirable {
  readonly deadline = new Deadline(this)
  /** Gives the attempt up that was made for it. */
  abandonDial: (() => void) | undefined

  constructor(
    readonly session: LiveSession,
    readonly listener: LeaseSeeker,
    private readonly queue: LeaseQueue,
  ) {}

  expire(): void {
    this.queue.refuse(this)
  }
}

/**
 * Counts the connections to the servers of sessions, those of WebSockets included, and lets wait who wants one more than
 * there may be: first come, first served, and none waits for another session's.
 */
export class LeaseQueue {
  private readonly perSession: number
  private readonly inAll: number
  private readonly deadlines: Deadlines
  private total = 0
  private readonly counts = new WeakMap<LiveSession, number>()
  private readonly waiting: Array<Waiter> = []

  constructor(
    limits: LeaseLimits,
    private readonly source: LeaseSource,
  ) {
    this.perSession = limits.maxDownstreamConnectionsPerSession
    this.inAll = limits.maxDownstreamConnections
    this.deadlines = new Deadlines(limits.queueTimeout)
  }

  /** Whether anything is limited; where nothing is, there is no need to count. */
  get isLimited(): boolean {
    return Math.min(this.perSession, this.inAll) < Number.POSITIVE_INFINITY
  }

  /** Whether somebody waits for the place of a connection of this session. */
  wantsRoom(session: LiveSession): boolean {
    return this.waiting.length > 0 && this.nextFor(session) !== undefined
  }

  /** A new connection, as soon as there may be one more. Returns a function that gives up. */
  open(session: LiveSession, listener: LeaseSeeker): () => void {
    const waiter = new Waiter(session, listener, this)
    if (this.mayOpen(session)) this.dial(waiter)
    else this.wait(waiter)
    return () => this.giveUp(waiter)
  }

  /** A connection that nobody uses: whether the next who has waited for its place can use it, and has it now. */
  offer(session: LiveSession, connection: Connection): boolean {
    const waiter = this.nextFor(session)
    if (waiter === undefined || waiter.session !== session || !waiter.listener.mayReuse) return false
    this.leave(waiter)
    waiter.listener.leased({ connection, reused: true })
    return true
  }

  /** A connection of this session is closed. */
  closed(session: LiveSession): void {
    this.count(session, -1)
    this.serve()
  }

  /** Nothing came free in time. */
  refuse(waiter: Waiter): void {
    const { listener, session } = waiter
    const isOfSession = this.isFull(session)
    this.leave(waiter)
    listener.refused(
      isOfSession
        ? new SessionLimit({ detail: "The session has as many connections to its server as it may have." })
        : new Overloaded({ limit: this.inAll }),
    )
  }

  /** Lets nobody wait any longer. */
  close(): void {
    this.deadlines.clear()
    this.waiting.length = 0
  }

  private mayOpen(session: LiveSession): boolean {
    return this.total < this.inAll && !this.isFull(session)
  }

  /** Whether a session has as many connections as it may have. */
  private isFull(session: LiveSession): boolean {
    return this.countOf(session) >= this.perSession
  }

  /** Who gets the place of a connection of this session when it is closed. */
  private nextFor(session: LiveSession): Waiter | undefined {
    return this.waiting.find(
      (one) => one.session === session || (this.total >= this.inAll && !this.isFull(one.session)),
    )
  }

  private wait(waiter: Waiter): void {
    this.waiting.push(waiter)
    this.deadlines.start(waiter.deadline)
    this.source.makeRoom(this.isFull(waiter.session) ? waiter.session : undefined)
  }

  private dial(waiter: Waiter): void {
    const { listener, session } = waiter
    this.count(session, 1)
    waiter.abandonDial = this.source.dial(session, {
      leased: (lease) => {
        waiter.abandonDial = undefined
        listener.leased(lease)
      },
      refused: (error) => {
        waiter.abandonDial = undefined
        this.closed(session)
        listener.refused(error)
      },
    })
  }

  private giveUp(waiter: Waiter): void {
    const { abandonDial } = waiter
    waiter.abandonDial = undefined
    if (abandonDial === undefined) return this.leave(waiter)
    abandonDial()
    this.closed(waiter.session)
  }

  private leave(waiter: Waiter): void {
    const index = this.waiting.indexOf(waiter)
    if (index >= 0) this.waiting.splice(index, 1)
    this.deadlines.stop(waiter.deadline)
  }

  /** Dials for those who may have a connection now, in the order in which they came. */
  private serve(): void {
    for (const waiter of Array.from(this.waiting)) {
      if (this.total >= this.inAll) return
      if (!this.mayOpen(waiter.session)) continue
      this.leave(waiter)
      this.dial(waiter)
    }
  }

  private countOf(session: LiveSession): number {
    return this.counts.get(session) ?? 0
  }

  private count(session: LiveSession, by: 1 | -1): void {
    this.total += by
    this.counts.set(session, this.countOf(session) + by)
  }
}
