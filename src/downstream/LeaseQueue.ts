import type { ProxySettings } from "../domain/ProxyConfig.js"
import { type DialError, Overloaded, SessionLimit } from "../domain/ProxyError.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { Connection } from "./Connection.js"
import { Deadline, Deadlines, type Expirable } from "../clock/Deadlines.js"
import { Earliest } from "./Earliest.js"
import { type Linked, WaitQueue } from "./WaitQueue.js"

/** A connection, and what it took to have it. */
export interface Lease {
  readonly connection: Connection
  /** Whether it has carried a request before. */
  readonly reused: boolean
  /** For TCP and TLS, in milliseconds; 0 where it was there already. */
  readonly dialTime: number
  /** In the queue, in milliseconds; 0 for who had not to wait. */
  readonly queueTime: number
}

/** Who hears of a connection. Exactly one of the two is called, once; neither after it has given up. */
export interface LeaseListener {
  readonly leased: (lease: Lease) => void
  readonly refused: (error: DialError) => void
}

/** Who wants a connection, and waits for it. */
export interface LeaseWaiter extends LeaseListener {
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
  /** Somebody has waited for so many milliseconds, and does so no more. */
  readonly waited: (milliseconds: number) => void
}

/** Somebody who waits, or has waited. */
class Waiter implements Expirable, Linked<Waiter> {
  readonly deadline = new Deadline(this)
  /** Gives the attempt up that was made for it. */
  cancelDial: (() => void) | undefined
  before: Waiter | undefined
  after: Waiter | undefined
  isWaiting = false
  /** Since when it waits, and how long it has waited when it does so no more; in milliseconds. */
  since = 0
  queueTime = 0
  /** Whether it stands among the candidates, be it in vain. */
  isCandidate = false

  constructor(
    readonly line: WaitQueue<Waiter>,
    readonly arrival: number,
    readonly listener: LeaseWaiter,
    private readonly queue: LeaseQueue,
  ) {}

  expire(): void {
    this.queue.refuse(this)
  }
}

/** So many candidates in vain are put up with. */
const fewCandidates = 64

/**
 * Counts the connections to the servers of sessions, those of WebSockets included, and lets wait who wants one more than
 * there may be: first come, first served, and none waits for another session's.
 *
 * Nothing here takes longer the more of them wait: each session has a line of its own, and of the first in the lines of
 * those that may have one more connection, the candidates, a heap tells who came first.
 */
export class LeaseQueue {
  private readonly perSession: number
  private readonly inAll: number
  private readonly deadlines: Deadlines
  private total = 0
  private arrivals = 0
  private waiting = 0
  private isClosed = false
  private readonly lines = new WeakMap<LiveSession, WaitQueue<Waiter>>()
  private readonly candidates = new Earliest<Waiter>()

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

  /** How many wait. */
  get size(): number {
    return this.waiting
  }

  /** Whether somebody waits for the place of a connection of this session. */
  wantsRoom(session: LiveSession): boolean {
    return this.waiting > 0 && this.nextFor(this.lineOf(session)) !== undefined
  }

  /** A new connection, as soon as there may be one more. Returns a function that gives up. */
  open(session: LiveSession, listener: LeaseWaiter): () => void {
    const line = this.lineOf(session)
    const waiter = new Waiter(line, ++this.arrivals, listener, this)
    if (this.total < this.inAll && !this.isFull(line)) this.dial(waiter)
    else this.wait(waiter)
    return () => this.cancel(waiter)
  }

  /** A connection that nobody uses: whether the next who has waited for its place can use it, and has it now. */
  offer(session: LiveSession, connection: Connection): boolean {
    const line = this.lineOf(session)
    const waiter = this.nextFor(line)
    if (waiter === undefined || waiter.line !== line || !waiter.listener.mayReuse) return false
    this.remove(waiter)
    waiter.listener.leased({ connection, reused: true, dialTime: 0, queueTime: waiter.queueTime })
    return true
  }

  /** A connection of this session is closed. */
  closed(session: LiveSession): void {
    this.count(this.lineOf(session), -1)
    this.serve()
  }

  /** Nothing came free in time. */
  refuse(waiter: Waiter): void {
    const { line, listener } = waiter
    const isOfSession = this.isFull(line)
    this.remove(waiter)
    listener.refused(
      isOfSession
        ? new SessionLimit({ detail: "The session has as many connections to its server as it may have." })
        : new Overloaded({ limit: this.inAll }),
    )
  }

  /** Lets nobody wait any longer. */
  close(): void {
    this.isClosed = true
    this.deadlines.clear()
  }

  private lineOf(session: LiveSession): WaitQueue<Waiter> {
    const known = this.lines.get(session)
    if (known !== undefined) return known
    const line = new WaitQueue<Waiter>(session)
    this.lines.set(session, line)
    return line
  }

  /** Whether a session has as many connections as it may have. */
  private isFull(line: WaitQueue<Waiter>): boolean {
    return line.connections >= this.perSession
  }

  /** Who gets the place of a connection of this session when it is closed. */
  private nextFor(line: WaitQueue<Waiter>): Waiter | undefined {
    if (this.isClosed) return undefined
    const own = line.first
    const other = this.total >= this.inAll ? this.firstCandidate : undefined
    if (own === undefined || other === undefined) return own ?? other
    return own.arrival < other.arrival ? own : other
  }

  private wait(waiter: Waiter): void {
    waiter.isWaiting = true
    waiter.since = performance.now()
    this.waiting++
    waiter.line.append(waiter)
    this.propose(waiter.line)
    this.deadlines.start(waiter.deadline)
    this.source.makeRoom(this.isFull(waiter.line) ? waiter.line.session : undefined)
  }

  private dial(waiter: Waiter): void {
    const { line, listener } = waiter
    this.count(line, 1)
    waiter.cancelDial = this.source.dial(line.session, {
      leased: (lease) => {
        waiter.cancelDial = undefined
        listener.leased(waiter.queueTime === 0 ? lease : { ...lease, queueTime: waiter.queueTime })
      },
      refused: (error) => {
        waiter.cancelDial = undefined
        this.closed(line.session)
        listener.refused(error)
      },
    })
  }

  private cancel(waiter: Waiter): void {
    const { cancelDial } = waiter
    waiter.cancelDial = undefined
    if (cancelDial === undefined) return this.remove(waiter)
    cancelDial()
    this.closed(waiter.line.session)
  }

  private remove(waiter: Waiter): void {
    if (!waiter.isWaiting) return
    waiter.isWaiting = false
    waiter.queueTime = performance.now() - waiter.since
    this.waiting--
    this.source.waited(waiter.queueTime)
    waiter.line.remove(waiter)
    this.propose(waiter.line)
    this.deadlines.stop(waiter.deadline)
  }

  /** Dials for those who may have a connection now, in the order in which they came. */
  private serve(): void {
    while (!this.isClosed && this.total < this.inAll) {
      const waiter = this.firstCandidate
      if (waiter === undefined) return
      this.remove(waiter)
      this.dial(waiter)
    }
  }

  private count(line: WaitQueue<Waiter>, by: 1 | -1): void {
    this.total += by
    line.connections += by
    if (by < 0) this.propose(line)
  }

  /** Makes the first in a line a candidate, where it is one. */
  private propose(line: WaitQueue<Waiter>): void {
    const { candidates } = this
    const { first } = line
    if (first === undefined || first.isCandidate || this.isFull(line)) return
    if (candidates.size > 2 * this.waiting + fewCandidates) this.sortOut()
    first.isCandidate = true
    candidates.add(first)
  }

  /** A candidate may have left since, or its session have as many connections as it may. */
  private isStill(candidate: Waiter): boolean {
    return candidate.isWaiting && candidate.line.first === candidate && !this.isFull(candidate.line)
  }

  private get firstCandidate(): Waiter | undefined {
    for (let { first } = this.candidates; first !== undefined; { first } = this.candidates) {
      if (this.isStill(first)) return first
      first.isCandidate = false
      this.candidates.removeFirst()
    }
    return undefined
  }

  private sortOut(): void {
    this.candidates.keep((candidate) => {
      candidate.isCandidate = this.isStill(candidate)
      return candidate.isCandidate
    })
  }
}
