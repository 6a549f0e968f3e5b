import { Either, Exit, Option } from "effect"
import {
  DownstreamUrlInvalid,
  SessionControlInvalid,
  SessionNotFound,
  SessionPolicyInvalid,
  SessionUnavailable,
} from "../domain/ProxyError.js"
import { isForwarding, type Session } from "../domain/Session.js"
import {
  defaultClose,
  drainedClose,
  drainOf,
  isSameControl,
  isUnusable,
  type KillClose,
  type SessionDrain,
} from "../domain/SessionControl.js"
import { defaultPolicy, isSamePolicy, readPolicy } from "../domain/SessionPolicy.js"
import { parseDownstreamUrl } from "../wire/DownstreamUrl.js"
import type { ServerHealth } from "./ServerHealth.js"
import { SessionActivity } from "./SessionActivity.js"
import { LiveSession, type SessionEnd, type SessionWatcher } from "./LiveSession.js"
import type { SessionRow } from "./SessionRepo.js"

/** What a row says about forwarding to its session. */
export type RowAnswer = Exit.Exit<LiveSession, RowError>

/** Why a row says nothing to forward to. */
export type RowError =
  | SessionNotFound
  | SessionUnavailable
  | DownstreamUrlInvalid
  | SessionPolicyInvalid
  | SessionControlInvalid

/** Whether a server's certificate is taken unseen: only where the row says so in as many words. */
const isInsecure = ({ policy }: Session): boolean => policy.insecure === true

/**
 * When a drain that is seen now ends, by `performance.now()`: a clock that is set later does not move that. One that was set
 * back before does not make it longer than it was to be.
 */
const endOfDrain = ({ since, until }: SessionDrain): number =>
  performance.now() + Math.min(until - Date.now(), until - since)

/** Makes an error to be kept: it must not remember where it was made, and with that the request that was looked up. */
const kept = <E>(make: () => E): E => {
  const frames = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const error = make()
  Error.stackTraceLimit = frames
  return error
}

/** What is known of one row. */
class Entry implements SessionWatcher {
  /** The lifetime, or what is wrong with the row's URL. */
  private readonly live: Either.Either<LiveSession, DownstreamUrlInvalid>
  /** The numbers of its id: those that the lifetime before has had. */
  readonly activity: SessionActivity
  /** Ready to be handed out, so that a warm lookup makes nothing. */
  answer: RowAnswer
  /** When what is left of it is killed, by `performance.now()`; Infinity while it does not drain. */
  drainEndsAt = Number.POSITIVE_INFINITY
  /** The last number of kills that was read whole. */
  private killsSeen: number

  constructor(
    readonly id: string,
    public row: SessionRow,
    /** The epoch in which the row was read. */
    public epoch: number,
    private readonly owner: LiveSessions,
    /** What was known before it, of the same id. */
    before: Entry | undefined,
  ) {
    this.activity = before?.activity ?? new SessionActivity(id)
    this.killsSeen = row.session.control.kills
    this.followDrain(row, before)
    this.live = Either.mapBoth(parseDownstreamUrl(row.session.url), {
      onLeft: ({ problem }) => kept(() => new DownstreamUrlInvalid({ sessionId: id, problem })),
      onRight: (url): LiveSession =>
        new LiveSession(id, url, this, { ...defaultPolicy, insecure: isInsecure(row.session) }, this.activity),
    })
    this.answer = this.answerFor(row.session)
  }

  get isWatched(): boolean {
    return Either.isRight(this.live) && this.live.right.isWatched
  }

  /**
   * Whether this lifetime goes on under `row`: it names the same server, known in the same way, and is not known for certain
   * to be another row.
   */
  isAbout({ session, incarnation }: SessionRow): boolean {
    const known = this.row
    if (session.url !== known.session.url || incarnation !== known.incarnation) return false
    return isInsecure(session) === isInsecure(known.session)
  }

  /**
   * Whether `row` says that it was killed since. Another number does, be it smaller: the row may have been made anew. None
   * at all does not, nor one whose other values cannot be used.
   */
  isKilledBy({ session: { control } }: SessionRow): boolean {
    return !isUnusable(control) && control.kills !== 0 && control.kills !== this.killsSeen
  }

  update(row: SessionRow, epoch: number): RowAnswer {
    const before = this.row.session
    const { control, policy, status } = row.session
    this.epoch = epoch
    const isSame = status === before.status && isSamePolicy(policy, before.policy)
    const isAsked = !isSameControl(control, before.control)
    if (isAsked) this.followDrain(row, this)
    if (!isUnusable(control)) this.killsSeen = control.kills
    this.row = row
    if (!isSame || isAsked) this.answer = this.answerFor(row.session)
    return this.answer
  }

  end(reason: SessionEnd, close?: KillClose): void {
    if (Either.isLeft(this.live)) return
    if (this.live.right.ended === undefined) this.owner.ended[reason]++
    this.live.right.end(reason, close)
  }

  /** Takes over the end of its drain: that of before where it is the same drain, for it was computed when that was seen. */
  private followDrain({ session }: SessionRow, before: Entry | undefined): void {
    const drain = drainOf(session.control)
    const known = before === undefined ? undefined : drainOf(before.row.session.control)
    if (drain === undefined) this.drainEndsAt = Number.POSITIVE_INFINITY
    else if (before !== undefined && known?.since === drain.since && known.until === drain.until)
      this.drainEndsAt = before.drainEndsAt
    else this.drainEndsAt = endOfDrain(drain)
  }

  watched(session: LiveSession): void {
    this.owner.watch(session, this)
  }

  unwatched(session: LiveSession): void {
    this.owner.unwatch(session)
  }

  failing(session: LiveSession): void {
    this.owner.failing.add(session)
  }

  recovered(session: LiveSession): void {
    this.owner.failing.delete(session)
  }

  /** How its server does; `undefined` where its URL names none. */
  get health(): ServerHealth | undefined {
    return Either.isRight(this.live) ? this.live.right.health : undefined
  }

  /** It is known no more, and nothing hangs on it. */
  dropped(): void {
    if (Either.isRight(this.live)) this.owner.failing.delete(this.live.right)
  }

  private answerFor({ control, status, policy: stored }: Session): RowAnswer {
    const { drainEndsAt, id: sessionId } = this
    if (!isForwarding(status)) return Exit.fail(kept(() => new SessionUnavailable({ sessionId, status })))
    if (isUnusable(control))
      return Exit.fail(kept(() => new SessionControlInvalid({ sessionId, problem: control.problem })))
    if (control.drain !== undefined)
      return Exit.fail(kept(() => new SessionUnavailable({ sessionId, status: "draining", drainEndsAt })))
    if (Either.isLeft(this.live)) return Exit.fail(this.live.left)
    const policy = readPolicy(stored)
    if (Either.isLeft(policy))
      return Exit.fail(kept(() => new SessionPolicyInvalid({ sessionId, problem: policy.left })))
    this.live.right.adopt(policy.right)
    return Exit.succeed(this.live.right)
  }
}

/** How a row asks to close WebSockets. */
const closeOf = ({ session: { control } }: SessionRow): KillClose =>
  isUnusable(control) ? defaultClose : control.close

/** Who looks after lifetimes while no request comes. */
export interface LiveSessionsWatcher {
  /** Something hangs on a lifetime on which nothing hung before; its row was last read in epoch `readIn`. */
  readonly watched: (readIn: number) => void
  /** Nothing hangs on any lifetime any more. */
  readonly noneWatched: () => void
}

/**
 * The rows that were read, and the lifetimes that come of them: begins, keeps and ends a session's lifetime as its row
 * is read again. Knows nothing of the store, nor of time but an epoch, a number that grows with every change, and when drains
 * end.
 */
export class LiveSessions {
  private readonly entries = new Map<string, Entry>()
  private readonly watched = new Set<LiveSession>()

  constructor(
    /** How many entries are kept that nothing hangs on. */
    private readonly unwatchedLimit: number,
    private readonly watcher: LiveSessionsWatcher,
  ) {}

  /** Lifetimes whose servers fail. */
  readonly failing = new Set<LiveSession>()
  /** How many lifetimes have ended so far, by their ends. */
  readonly ended: Record<SessionEnd, number> = { removed: 0, retargeted: 0, killed: 0, shutdown: 0 }
  /** No drain ends before, of what hangs on anything, by `performance.now()`. */
  private firstDrainEnd = Number.POSITIVE_INFINITY

  /** How many sessions are known. */
  get size(): number {
    return this.entries.size
  }

  /** How many of them drain. */
  get draining(): number {
    let count = 0
    for (const { drainEndsAt } of this.entries.values()) if (drainEndsAt !== Number.POSITIVE_INFINITY) count++
    return count
  }

  /** The ids of those. */
  get ids(): Iterable<string> {
    return this.entries.keys()
  }

  /** Whether anything hangs on any lifetime. */
  get anyWatched(): boolean {
    return this.watched.size > 0
  }

  /** What is known of a session, where its row was read in this epoch. */
  current(id: string, epoch: number): RowAnswer | undefined {
    const entry = this.entries.get(id)
    return entry !== undefined && entry.epoch === epoch ? entry.answer : undefined
  }

  /** The numbers of a session, where it is known. */
  activityOf(id: string): SessionActivity | undefined {
    return this.entries.get(id)?.activity
  }

  /** How a session's server does, where the session is known. */
  healthOf(id: string): ServerHealth | undefined {
    return this.entries.get(id)?.health
  }

  /** The ids of watched lifetimes whose rows were last read before this epoch. */
  outdated(epoch: number): Array<string> {
    const ids: Array<string> = []
    for (const { id } of this.watched) if ((this.entries.get(id)?.epoch ?? epoch) < epoch) ids.push(id)
    return ids
  }

  /** Takes in what was read in `epoch` for this id, unless more is known already. */
  update(id: string, row: Option.Option<SessionRow>, epoch: number): RowAnswer {
    const entry = this.entries.get(id)
    if (entry !== undefined && entry.epoch > epoch) return entry.answer
    if (Option.isNone(row)) return this.removed(id)
    if (entry?.isKilledBy(row.value)) return this.begin(row.value, epoch, "killed", closeOf(row.value))
    if (!entry?.isAbout(row.value)) return this.begin(row.value, epoch, "retargeted")
    const answer = entry.update(row.value, epoch)
    this.noteDrain(entry)
    return answer
  }

  /** The same for a lifetime that is known already; begins none. */
  refresh(id: string, row: Option.Option<SessionRow>, epoch: number): void {
    const entry = this.entries.get(id)
    if (entry !== undefined && entry.epoch < epoch) this.update(id, row, epoch)
  }

  /** Kills what is left of sessions whose drain is over. `now`: by `performance.now()`. They go on draining. */
  endDrained(now: number): void {
    if (now < this.firstDrainEnd) return
    this.firstDrainEnd = Number.POSITIVE_INFINITY
    for (const { id } of Array.from(this.watched)) {
      const entry = this.entries.get(id)
      if (entry === undefined) continue
      if (entry.drainEndsAt <= now) this.begin(entry.row, entry.epoch, "killed", drainedClose)
      else this.noteDrain(entry)
    }
  }

  /** Ends every lifetime. */
  shutdown(): void {
    const entries = [...this.entries.values()]
    this.entries.clear()
    for (const entry of entries) entry.end("shutdown")
  }

  private removed(id: string): RowAnswer {
    const entry = this.entries.get(id)
    this.entries.delete(id)
    entry?.end("removed")
    return Exit.fail(new SessionNotFound({ sessionId: id }))
  }

  /** The id is the row's own, for the one that was asked for is a piece of a request. */
  private begin(row: SessionRow, epoch: number, endOfOther: SessionEnd, close?: KillClose): RowAnswer {
    const { id } = row.session
    const before = this.entries.get(id)
    const entry = new Entry(id, row, epoch, this, before)
    // The new one takes its place first: who listens to the end of the old one may look it up again.
    this.entries.set(id, entry)
    before?.end(endOfOther, close)
    this.dropSurplus()
    return entry.answer
  }

  private noteDrain({ drainEndsAt }: Entry): void {
    if (drainEndsAt < this.firstDrainEnd) this.firstDrainEnd = drainEndsAt
  }

  /** Only an entry calls this: something hangs on its lifetime from now on. */
  watch(session: LiveSession, entry: Entry): void {
    const known = this.entries.get(entry.id)
    // Dropped as surplus between its lookup and now: known again, or, where another lifetime has begun since, over.
    if (known === undefined) this.entries.set(entry.id, entry)
    else if (known !== entry) return session.end("retargeted")
    this.watched.add(session)
    if (session.health.state === "failing") this.failing.add(session)
    this.noteDrain(entry)
    this.watcher.watched(entry.epoch)
  }

  /** Only an entry calls this: nothing hangs on its lifetime any more. */
  unwatch(session: LiveSession): void {
    if (this.watched.delete(session) && !this.anyWatched) this.watcher.noneWatched()
  }

  /** Forgets the oldest entries that nothing hangs on. Those passed over go to the end, so each is met once a round. */
  private dropSurplus(): void {
    while (this.entries.size - this.watched.size > this.unwatchedLimit) {
      for (const [id, entry] of this.entries) {
        this.entries.delete(id)
        if (!entry.isWatched) {
          entry.dropped()
          break
        }
        this.entries.set(id, entry)
      }
    }
  }
}
