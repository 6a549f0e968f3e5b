import type { Socket } from "node:net"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { DialError } from "../domain/ProxyError.js"
import type { LiveSession, SessionListener } from "../sessions/LiveSession.js"
import { Connection, type ConnectionKeeper } from "./Connection.js"
import { DeadlineRounds } from "../clock/DeadlineRounds.js"
import type { Deadlines } from "../clock/Deadlines.js"
import type { Dialer } from "./Dial.js"
import { type HoldLimits, Holds, type HoldWaiter } from "./Holds.js"
import { type LeaseLimits, type LeaseListener, LeaseQueue, type LeaseWaiter, type LeaseSource } from "./LeaseQueue.js"
import { BufferedInput, readsInto } from "../socket/SocketInput.js"
import type { Counters, DialResult } from "../telemetry/Telemetry.js"

/** A connection is given up so long before its server would close it, in milliseconds. */
const keepAliveMargin = 1_000

/** The idle connections of one lifetime of a session: last in, first out. */
class SessionPool implements ConnectionKeeper, SessionListener {
  private readonly idle: Array<Connection> = []

  constructor(
    private readonly session: LiveSession,
    private readonly pools: Pools,
  ) {
    session.attach(this)
  }

  take(): Connection | undefined {
    const connection = this.idle.pop()
    if (connection !== undefined) this.pools.expiryOf(connection)?.stop(connection.idleDeadline)
    return connection
  }

  get size(): number {
    return this.idle.length
  }

  /** Closes the connection that was idle for the longest. `false`: there is none. */
  closeOldest(): boolean {
    const [oldest] = this.idle
    oldest?.expire()
    return oldest !== undefined
  }

  put(connection: Connection, expiry: Deadlines, now: number): void {
    this.idle.push(connection)
    connection.rest(this)
    expiry.start(connection.idleDeadline, now)
  }

  readonly idleLost = (connection: Connection): void => {
    this.pools.expiryOf(connection)?.stop(connection.idleDeadline)
    const index = this.idle.indexOf(connection)
    if (index >= 0) this.idle.splice(index, 1)
    if (this.idle.length === 0) this.pools.forget(this.session)
  }

  readonly sessionEnded = (): void => {
    this.pools.forget(this.session)
    for (const connection of this.idle.splice(0)) {
      this.pools.expiryOf(connection)?.stop(connection.idleDeadline)
      connection.destroy()
    }
  }
}

/** What a dial counts as that failed. One that would lead to the proxy itself is denied, as far as its session can tell. */
const dialResultOf = (error: DialError): DialResult => {
  if (error._tag === "DownstreamUnreachable") return error.reason
  return error._tag === "LoopDetected" ? "denied" : "failed"
}

export type PoolSettings = LeaseLimits &
  HoldLimits &
  Pick<ProxySettings, "hold" | "poolIdleTimeout" | "poolIdleConnections">

/**
 * Connections to the servers of sessions, pooled for each lifetime of a session: they are never shared by two sessions
 * nor by two lifetimes of one, and are closed when the lifetime ends, though two may have the same address.
 */
export class Pools implements LeaseSource {
  private readonly pools = new Map<LiveSession, SessionPool>()
  private readonly expiries = new DeadlineRounds()
  private readonly queue: LeaseQueue
  private readonly holds: Holds
  private isClosed = false

  constructor(
    private readonly dialer: Dialer,
    private readonly settings: PoolSettings,
    private readonly counters: Counters,
  ) {
    this.queue = new LeaseQueue(settings, this)
    this.holds = new Holds(settings, (session, listener) => this.lease(session, listener))
  }

  /** How many connections nobody uses, and how many requests wait for one. */
  get idleConnections(): number {
    let size = 0
    for (const pool of this.pools.values()) size += pool.size
    return size
  }

  get waiting(): number {
    return this.queue.size
  }

  /** An idle connection of this lifetime, if there is one. */
  idle(session: LiveSession): Connection | undefined {
    return this.pools.get(session)?.take()
  }

  /** How many wait for a server that cannot be reached. */
  get held(): number {
    return this.holds.size
  }

  /** A new connection, as soon as there may be one more, and a server. Returns a function that gives the attempt up. */
  open(session: LiveSession, listener: HoldWaiter): () => void {
    const hold = session.policy.hold ?? this.settings.hold
    return hold === 0 ? this.lease(session, listener) : this.holds.lease(session, listener, hold)
  }

  /** The same, where its server is there. */
  private lease(session: LiveSession, listener: LeaseWaiter): () => void {
    return this.queue.isLimited ? this.queue.open(session, listener) : this.dial(session, listener)
  }

  dial(session: LiveSession, listener: LeaseListener): () => void {
    // TLS hands over memory of its own.
    const input = session.target.secure ? undefined : new BufferedInput()
    const begun = performance.now()
    const connected = (socket: Socket): void => {
      const dialTime = performance.now() - begun
      this.counters.dialEnded("ok", dialTime)
      if (input !== undefined) readsInto(socket, input)
      if (this.queue.isLimited) socket.on("close", () => this.queue.closed(session))
      listener.leased({ connection: new Connection(socket), reused: false, dialTime, queueTime: 0 })
    }
    const failed = (error: DialError): void => {
      this.counters.dialEnded(dialResultOf(error), performance.now() - begun)
      listener.refused(error)
    }
    const timeout = session.policy.connectTimeout ?? undefined
    const cancel = this.dialer.dial(session.target, { connected, failed }, input?.options, timeout)
    return () => {
      this.counters.dialEnded("cancelled", performance.now() - begun)
      cancel()
    }
  }

  waited(milliseconds: number): void {
    this.counters.queueLeft(milliseconds)
  }

  /** Takes back a connection on which a response is complete and nothing odd was seen. `now`: by `performance.now()`. */
  release(session: LiveSession, connection: Connection, now: number): void {
    const expiry = this.expiryOf(connection)
    const isWanted = !this.isClosed && session.ended === undefined && connection.isOpen
    if (isWanted && this.queue.isLimited && this.queue.offer(session, connection)) return
    if (!isWanted || expiry === undefined || this.isFull(session)) this.cut(session, connection)
    else this.poolOf(session).put(connection, expiry, now)
  }

  /** Closes a connection that is not to be used again. */
  cut(session: LiveSession, connection: Connection): void {
    connection.destroy()
    if (this.pools.get(session)?.size === 0) this.forget(session)
  }

  /** The deadline for an idle connection; `undefined` where its server does not keep it long enough to be of use. */
  expiryOf(connection: Connection): Deadlines | undefined {
    const asked = connection.keepAliveTimeout
    const longest = this.settings.poolIdleTimeout
    const allowed = asked === undefined ? longest : Math.min(longest, asked * 1_000 - keepAliveMargin)
    return allowed <= 0 ? undefined : this.expiries.of(allowed)
  }

  /** Forgets the pool of a lifetime: it is empty, or the lifetime is over. */
  forget(session: LiveSession): void {
    const pool = this.pools.get(session)
    if (pool === undefined) return
    this.pools.delete(session)
    session.detach(pool)
  }

  makeRoom(session: LiveSession | undefined): void {
    if (session !== undefined) return void this.pools.get(session)?.closeOldest()
    for (const pool of this.pools.values()) if (pool.closeOldest()) return
  }

  /** Closes every idle connection. */
  close(): void {
    this.isClosed = true
    this.holds.close()
    this.queue.close()
    for (const pool of this.pools.values()) pool.sessionEnded()
    this.expiries.clear()
  }

  private isFull(session: LiveSession): boolean {
    return (this.pools.get(session)?.size ?? 0) >= this.settings.poolIdleConnections || this.queue.wantsRoom(session)
  }

  private poolOf(session: LiveSession): SessionPool {
    const known = this.pools.get(session)
    if (known !== undefined) return known
    const pool = new SessionPool(session, this)
    this.pools.set(session, pool)
    return pool
  }
}
