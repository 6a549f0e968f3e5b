import { Deadline, type Deadlines, type Expirable } from "../clock/Deadlines.js"
import { DeadlineRounds } from "../clock/DeadlineRounds.js"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import { type DialError, type DownstreamUnreachable, Overloaded, SessionLimit } from "../domain/ProxyError.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { faultOf } from "../telemetry/ServerFaults.js"
import type { Lease, LeaseWaiter } from "./LeaseQueue.js"

/** Who wants a connection, and may wait for a server that is just starting. */
export interface HoldWaiter extends LeaseWaiter {
  /** Whether it can wait: nothing of what it has to say was read that could not be kept. Asked when it would have to. */
  readonly mayHold: boolean
  /** It was held, for so many milliseconds since it came. Told at the end of that, before how it ends. */
  readonly held: (milliseconds: number) => void
}

/** How many may be held. */
export type HoldLimits = Pick<ProxySettings, "maxHeld" | "maxHeldPerSession">

/** Opens a connection, once. Returns a function that gives the attempt up. */
type Open = (session: LiveSession, listener: LeaseWaiter) => () => void

/** The time before a server is tried again, in milliseconds: it doubles, up to the longest. */
const firstPause = 50
const longestPause = 1_000
/** So much longer or shorter, at most, so that the servers of many sessions are not tried all at once. */
const jitter = 0.2

/**
 * Whether nobody is there, or not yet: a machine, a name or a program that is about to come. Whoever answers in another way,
 * or may not be asked, will not do so otherwise a second later.
 */
const isStarting = (error: DialError): error is DownstreamUnreachable => {
  if (error._tag !== "DownstreamUnreachable") return false
  const { reason } = error
  return reason === "refused" || reason === "dns" || reason === "unroutable" || reason === "timeout"
}

/** Whether an error is about one who asked and not about the server. */
const isOwn = ({ _tag }: DialError): boolean =>
  _tag === "SessionLimit" || _tag === "Overloaded" || _tag === "SystemShortage"

/** Somebody who wants a connection: on a try of its own first, then held until there is a server. */
class Held implements Expirable, LeaseWaiter {
  readonly deadline = new Deadline(this)
  private readonly since = performance.now()
  private cancelTry: (() => void) | undefined
  private hold: Hold | undefined
  private isOver = false

  constructor(
    readonly listener: HoldWaiter,
    private readonly session: LiveSession,
    /** For how long it is held at most. */
    readonly deadlines: Deadlines,
    private readonly holds: Holds,
  ) {}

  /** Asks for itself. */
  start(open: Open): void {
    const cancel = open(this.session, this)
    if (this.hold === undefined && !this.isOver) this.cancelTry = cancel
  }

  get mayReuse(): boolean {
    return this.listener.mayReuse
  }

  leased(lease: Lease): void {
    this.isOver = true
    this.listener.leased(lease)
  }

  refused(error: DialError): void {
    this.cancelTry = undefined
    if (!isStarting(error) || !this.listener.mayHold || this.session.ended !== undefined) {
      this.isOver = true
      return this.listener.refused(error)
    }
    this.session.noteFault("passive", faultOf(error))
    this.join(this.holds.holdOf(this.session, error))
  }

  /** Waits with the others, where there is room. */
  join(hold: Hold): void {
    const problem = this.holds.problemOf(hold)
    if (problem !== undefined) {
      this.isOver = true
      if (hold.size === 0) hold.end()
      return this.listener.refused(problem)
    }
    this.hold = hold
    hold.add(this)
  }

  /** Its time is over. */
  expire(): void {
    if (this.hold !== undefined) this.end(this.hold, this.hold.error)
  }

  /** What it waited for has come: the connection, or why there is none. */
  end(hold: Hold, outcome: Lease | DialError): void {
    this.leave(hold)
    if ("connection" in outcome) this.listener.leased(outcome)
    else this.listener.refused(outcome)
  }

  giveUp(): void {
    if (this.isOver) return
    if (this.hold !== undefined) return this.leave(this.hold)
    this.isOver = true
    this.cancelTry?.()
    this.cancelTry = undefined
  }

  private leave(hold: Hold): void {
    this.isOver = true
    this.hold = undefined
    hold.remove(this)
    this.listener.held(performance.now() - this.since)
  }
}

/** A try to connect, for whoever has waited for the longest when it succeeds. */
class Try implements LeaseWaiter {
  cancel: (() => void) | undefined

  constructor(private readonly hold: Hold) {}

  get mayReuse(): boolean {
    return this.hold.first?.listener.mayReuse === true
  }

  leased(lease: Lease): void {
    this.hold.succeeded(this, lease)
  }

  refused(error: DialError): void {
    this.hold.failed(this, error)
  }
}

/**
 * Those who wait for the server of one session. While it is away one of them tries, whoever waits. When it is there each
 * connection that comes to be lets two more be tried: a server that has just started is not asked by all at once.
 */
class Hold {
  private readonly waiters = new Set<Held>()
  private readonly tries = new Set<Try>()
  private allowed = 1
  private failures = 0
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly session: LiveSession,
    private readonly open: Open,
    /** Why there is no connection. */
    public error: DialError,
    private readonly holds: Holds,
  ) {}

  get size(): number {
    return this.waiters.size
  }

  get first(): Held | undefined {
    const [first] = this.waiters
    return first
  }

  add(waiter: Held): void {
    this.waiters.add(waiter)
    this.holds.count(1)
    waiter.deadlines.start(waiter.deadline)
    if (this.waiters.size === 1) this.pause()
    else if (this.timer === undefined) this.fill()
  }

  remove(waiter: Held): void {
    if (!this.waiters.delete(waiter)) return
    this.holds.count(-1)
    waiter.deadlines.stop(waiter.deadline)
    for (const one of this.tries) {
      if (this.tries.size <= this.waiters.size) break
      this.tries.delete(one)
      one.cancel?.()
    }
    if (this.waiters.size === 0) this.end()
  }

  succeeded(one: Try, lease: Lease): void {
    this.tries.delete(one)
    this.failures = 0
    this.allowed++
    this.first?.end(this, lease)
    this.fill()
  }

  failed(one: Try, error: DialError): void {
    this.tries.delete(one)
    this.allowed = 1
    if (isStarting(error) && this.session.ended === undefined) {
      this.error = error
      this.session.noteFault("passive", faultOf(error))
    } else if (isOwn(error)) this.first?.end(this, error)
    else for (const waiter of Array.from(this.waiters)) waiter.end(this, error)
    if (this.waiters.size > 0 && this.tries.size === 0 && this.timer === undefined) this.pause()
  }

  /** Tries no more. */
  end(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.holds.forget(this.session, this)
  }

  private pause(): void {
    const pause = Math.min(longestPause, firstPause * 2 ** this.failures++)
    const spread = 1 + jitter * (2 * Math.random() - 1)
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.fill()
    }, pause * spread)
    this.timer.unref()
  }

  /** Tries as many connections as may be tried at a time, and are waited for. */
  private fill(): void {
    while (this.tries.size < Math.min(this.allowed, this.waiters.size)) {
      const one = new Try(this)
      this.tries.add(one)
      one.cancel = this.open(this.session, one)
    }
  }
}

/**
 * Holds requests and handshakes whose servers cannot be reached, for as long as their sessions or the settings say, and tries
 * those servers again meanwhile.
 */
export class Holds {
  private readonly holds = new Map<LiveSession, Hold>()
  private readonly rounds = new DeadlineRounds()
  private total = 0

  constructor(
    private readonly limits: HoldLimits,
    private readonly open: Open,
  ) {}

  /** How many are held. */
  get size(): number {
    return this.total
  }

  /**
   * A connection, for which `listener` waits up to `milliseconds` from the first try that fails. Returns a function that gives
   * the attempt up.
   */
  lease(session: LiveSession, listener: HoldWaiter, milliseconds: number): () => void {
    const held = new Held(listener, session, this.rounds.of(milliseconds), this)
    const known = this.holds.get(session)
    if (known === undefined || !listener.mayHold) held.start(this.open)
    else held.join(known)
    return () => held.giveUp()
  }

  /** Those who wait for this session's server, of which the last that is known is this error. */
  holdOf(session: LiveSession, error: DialError): Hold {
    const known = this.holds.get(session)
    if (known !== undefined) return known
    const hold = new Hold(session, this.open, error, this)
    this.holds.set(session, hold)
    return hold
  }

  /** Why nobody more may wait there. */
  problemOf(hold: Hold): DialError | undefined {
    const { maxHeld, maxHeldPerSession } = this.limits
    if (hold.size >= maxHeldPerSession)
      return new SessionLimit({ detail: "The session has as many requests that wait for its server as it may have." })
    return this.total >= maxHeld ? new Overloaded({ limit: maxHeld }) : undefined
  }

  count(by: 1 | -1): void {
    this.total += by
  }

  forget(session: LiveSession, hold: Hold): void {
    if (this.holds.get(session) === hold) this.holds.delete(session)
  }

  /** Tries nothing any more, and lets nobody's time run out. */
  close(): void {
    for (const hold of this.holds.values()) hold.end()
    this.rounds.clear()
  }
}
