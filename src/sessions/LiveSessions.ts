import { Exit, Option } from "effect"
import { SessionNotFound } from "../domain/ProxyError.js"
import type { Session } from "../domain/Session.js"
import type { StoredPolicy } from "../domain/SessionPolicy.js"
import { drainedClose, type KillClose } from "../domain/SessionControl.js"
import { closeOf, KnownRow, type LifetimeKeeper, type KeyedRow, type RowAnswer } from "./KnownRow.js"
import type { LiveSession, SessionEnd } from "./LiveSession.js"
import type { ServerHealth } from "./ServerHealth.js"
import type { SessionActivity } from "./SessionActivity.js"

/** Who looks after lifetimes while no request comes. */
export interface LiveSessionsWatcher {
  /** Something hangs on a lifetime, known by this key, on which nothing hung before. */
  readonly watched: (key: string, isCurrent: boolean) => void
  /** Nothing hangs on any lifetime any more. */
  readonly noneWatched: () => void
}

/** When a row was read. */
export interface ReadMoment {
  /** The epoch in which the read began. */
  readonly epoch: number
  /** The epoch in which its session was last named as one that may have changed. */
  readonly outdatedIn: number
}

/**
 * The rows that were read, and the lifetimes that come of them: begins, keeps and ends a session's lifetime as its row
 * is read again. Knows nothing of the store, nor of time but an epoch, a number that grows with every change, and when drains
 * end.
 */
export class LiveSessions implements LifetimeKeeper {
  private readonly entries = new Map<string, KnownRow>()
  private readonly watched = new Set<LiveSession>()

  constructor(
    /** How many entries are kept that nothing hangs on. */
    private readonly unwatchedLimit: number,
    private readonly watcher: LiveSessionsWatcher,
    /** What sessions are known by here, of their ids. */
    private readonly keyOf: (id: string) => string = (id) => id,
  ) {}

  /** Lifetimes whose servers fail. */
  readonly failing = new Set<LiveSession>()
  /** How many lifetimes have ended so far, by their ends. */
  readonly ended: Record<SessionEnd, number> = { removed: 0, retargeted: 0, killed: 0, stale: 0, shutdown: 0 }
  /** What was read before this epoch is outdated. */
  private outdatedBefore = 0
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

  /** The ids of those, once. */
  *ids(): Iterable<string> {
    for (const { id } of this.entries.values()) yield id
  }

  /** Whether anything hangs on any lifetime. */
  get anyWatched(): boolean {
    return this.watched.size > 0
  }

  /** What is known of a session, where that is not outdated. */
  current(key: string): RowAnswer | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && this.isCurrent(entry) ? entry.answer : undefined
  }

  /** What is known of a session, be it outdated; not where its row was named as one that has changed since it was read. */
  lastKnown(key: string): RowAnswer | undefined {
    return this.standing(key)?.answer
  }

  /** The row of a session, in the same case. */
  standingRow(id: string): Session | undefined {
    return this.standing(this.keyOf(id))?.row.session
  }

  private standing(key: string): KnownRow | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && entry.epoch >= entry.outdatedIn ? entry : undefined
  }

  /** Whether what was read then may be gone by. */
  isCurrent({ epoch, outdatedIn }: ReadMoment): boolean {
    return epoch >= outdatedIn && epoch >= this.outdatedBefore
  }

  /** What was read before this epoch may be otherwise by now. */
  outdateAll(epoch: number): void {
    this.outdatedBefore = epoch
  }

  /** The same of one session. Gives whether anything hangs on it. */
  outdate(key: string, epoch: number): boolean {
    const entry = this.entries.get(key)
    if (entry === undefined) return false
    entry.outdatedIn = epoch
    return entry.isWatched
  }

  /** The row that is known by this key, as it was read last. */
  rowOf(key: string): KeyedRow | undefined {
    return this.entries.get(key)?.row
  }

  /** The numbers of a session, where it is known. */
  activityOf(id: string): SessionActivity | undefined {
    return this.entries.get(this.keyOf(id))?.activity
  }

  /** What a session wants otherwise than the settings say, as it is stored, where the session is known. */
  policyOf(id: string): StoredPolicy | undefined {
    return this.entries.get(this.keyOf(id))?.row.session.policy
  }

  /** How a session's server does, where the session is known. */
  healthOf(id: string): ServerHealth | undefined {
    return this.entries.get(this.keyOf(id))?.health
  }

  /** The keys of watched lifetimes that are outdated. */
  outdated(): Array<string> {
    const keys: Array<string> = []
    for (const { id } of this.watched) {
      const key = this.keyOf(id)
      if (this.isOutdated(key)) keys.push(key)
    }
    return keys
  }

  /** Those of these keys whose lifetimes are outdated and watched. */
  outdatedAmong(keys: Iterable<string>): Array<string> {
    return Array.from(keys).filter((key) => this.isOutdated(key) && this.entries.get(key)?.isWatched === true)
  }

  private isOutdated(key: string): boolean {
    const entry = this.entries.get(key)
    return entry !== undefined && !this.isCurrent(entry)
  }

  /** Takes in what was read in `epoch` for this key, unless more is known already. */
  update(key: string, row: Option.Option<KeyedRow>, epoch: number): RowAnswer {
    const entry = this.entries.get(key)
    if (entry !== undefined && entry.epoch > epoch) return entry.answer
    if (Option.isNone(row)) return this.removed(key)
    if (entry?.row === row.value) return entry.isStill(epoch)
    if (entry?.isKilledBy(row.value)) return this.begin(row.value, epoch, "killed", closeOf(row.value))
    if (!entry?.isAbout(row.value)) return this.begin(row.value, epoch, "retargeted")
    const answer = entry.update(row.value, epoch)
    this.noteDrain(entry)
    return answer
  }

  /** The same for a lifetime that is known already; begins none. */
  refresh(key: string, row: Option.Option<KeyedRow>, epoch: number): void {
    const entry = this.entries.get(key)
    if (entry !== undefined && entry.epoch < epoch) this.update(key, row, epoch)
  }

  /** Kills what is left of sessions whose drain is over. `now`: by `performance.now()`. They go on draining. */
  endDrained(now: number): void {
    if (now < this.firstDrainEnd) return
    this.firstDrainEnd = Number.POSITIVE_INFINITY
    for (const { id } of Array.from(this.watched)) {
      const entry = this.entries.get(this.keyOf(id))
      if (entry === undefined) continue
      if (entry.drainEndsAt <= now) this.begin(entry.row, entry.epoch, "killed", drainedClose)
      else this.noteDrain(entry)
    }
  }

  /** Ends a lifetime that is watched and outdated, and cannot be verified. */
  endStale(key: string): void {
    const entry = this.entries.get(key)
    if (entry === undefined || !entry.isWatched || this.isCurrent(entry)) return
    this.entries.delete(key)
    entry.end("stale")
  }

  /** Ends every lifetime. */
  shutdown(): void {
    const entries = [...this.entries.values()]
    this.entries.clear()
    for (const entry of entries) entry.end("shutdown")
  }

  private removed(key: string): RowAnswer {
    const entry = this.entries.get(key)
    this.entries.delete(key)
    entry?.end("removed")
    return Exit.fail(new SessionNotFound({ sessionId: key }))
  }

  /** The key is made of the row's own id, for the one that was asked for is a piece of a request. */
  private begin(row: KeyedRow, epoch: number, endOfOther: SessionEnd, close?: KillClose): RowAnswer {
    const key = this.keyOf(row.session.id)
    const before = this.entries.get(key)
    const entry = new KnownRow(key, row, epoch, this, before)
    // The new one takes its place first: who listens to the end of the old one may look it up again.
    this.entries.set(key, entry)
    before?.end(endOfOther, close)
    this.dropSurplus()
    return entry.answer
  }

  private noteDrain({ drainEndsAt }: KnownRow): void {
    if (drainEndsAt < this.firstDrainEnd) this.firstDrainEnd = drainEndsAt
  }

  /** Only an entry calls this: something hangs on its lifetime from now on. */
  watch(session: LiveSession, entry: KnownRow): void {
    const known = this.entries.get(entry.key)
    // Dropped as surplus between its lookup and now: known again, or, where another lifetime has begun since, over.
    if (known === undefined) this.entries.set(entry.key, entry)
    else if (known !== entry) return session.end("retargeted")
    this.watched.add(session)
    if (session.health.state === "failing") this.failing.add(session)
    this.noteDrain(entry)
    this.watcher.watched(entry.key, this.isCurrent(entry))
  }

  /** Only an entry calls this: nothing hangs on its lifetime any more. */
  unwatch(session: LiveSession): void {
    if (this.watched.delete(session) && !this.anyWatched) this.watcher.noneWatched()
  }

  /** Forgets the oldest entries that nothing hangs on. Those passed over go to the end, so each is met once a round. */
  private dropSurplus(): void {
    while (this.entries.size - this.watched.size > this.unwatchedLimit) {
      for (const [key, entry] of this.entries) {
        this.entries.delete(key)
        if (!entry.isWatched) {
          entry.dropped()
          break
        }
        this.entries.set(key, entry)
      }
    }
  }
}
