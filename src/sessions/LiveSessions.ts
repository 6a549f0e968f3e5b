import { Either, Exit, Option } from "effect"
import {
  DownstreamUrlInvalid,
  SessionNotFound,
  SessionPolicyInvalid,
  SessionUnavailable,
} from "../domain/ProxyError.js"
import { isForwarding, type Session } from "../domain/Session.js"
import { defaultPolicy, isSamePolicy, readPolicy } from "../domain/SessionPolicy.js"
import { parseDownstreamUrl } from "../wire/DownstreamUrl.js"
import { LiveSession, type SessionEnd, type SessionWatcher } from "./LiveSession.js"
import type { SessionRow } from "./SessionRepo.js"

/** What a row says about forwarding to its session. */
export type RowAnswer = Exit.Exit<LiveSession, RowError>

/** Why a row says nothing to forward to. */
export type RowError = SessionNotFound | SessionUnavailable | DownstreamUrlInvalid | SessionPolicyInvalid

/** Whether a server's certificate is taken unseen: only where the row says so in as many words. */
const isInsecure = ({ policy }: Session): boolean => policy.insecure === true

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
  /** Ready to be handed out, so that a warm lookup makes nothing. */
  answer: RowAnswer

  constructor(
    readonly id: string,
    private row: SessionRow,
    /** The epoch in which the row was read. */
    public epoch: number,
    private readonly owner: LiveSessions,
  ) {
    this.live = Either.mapBoth(parseDownstreamUrl(row.session.url), {
      onLeft: ({ problem }) => kept(() => new DownstreamUrlInvalid({ sessionId: id, problem })),
      onRight: (url): LiveSession =>
        new LiveSession(id, url, this, { ...defaultPolicy, insecure: isInsecure(row.session) }),
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

  update(row: SessionRow, epoch: number): RowAnswer {
    const before = this.row.session
    this.epoch = epoch
    this.row = row
    const isSame = row.session.status === before.status && isSamePolicy(row.session.policy, before.policy)
    if (!isSame) this.answer = this.answerFor(row.session)
    return this.answer
  }

  end(reason: SessionEnd): void {
    if (Either.isLeft(this.live)) return
    if (this.live.right.ended === undefined) this.owner.ended[reason]++
    this.live.right.end(reason)
  }

  watched(session: LiveSession): void {
    this.owner.watch(session, this)
  }

  unwatched(session: LiveSession): void {
    this.owner.unwatch(session)
  }

  private answerFor({ status, policy: stored }: Session): RowAnswer {
    if (!isForwarding(status)) return Exit.fail(kept(() => new SessionUnavailable({ sessionId: this.id, status })))
    if (Either.isLeft(this.live)) return Exit.fail(this.live.left)
    const policy = readPolicy(stored)
    if (Either.isLeft(policy))
      return Exit.fail(kept(() => new SessionPolicyInvalid({ sessionId: this.id, problem: policy.left })))
    this.live.right.adopt(policy.right)
    return Exit.succeed(this.live.right)
  }
}

/** Who looks after lifetimes while no request comes. */
export interface LiveSessionsWatcher {
  /** Something hangs on a lifetime on which nothing hung before; its row was last read in epoch `readIn`. */
  readonly watched: (readIn: number) => void
  /** Nothing hangs on any lifetime any more. */
  readonly noneWatched: () => void
}

/**
 * The rows that were read, and the lifetimes that come of them: begins, keeps and ends a session's lifetime as its row
 * is read again. Knows nothing of the store, nor of time but an epoch, a number that grows with every change.
 */
export class LiveSessions {
  private readonly entries = new Map<string, Entry>()
  private readonly watched = new Set<LiveSession>()

  constructor(
    /** How many entries are kept that nothing hangs on. */
    private readonly unwatchedLimit: number,
    private readonly watcher: LiveSessionsWatcher,
  ) {}

  /** How many lifetimes have ended so far, by their ends. */
  readonly ended: Record<SessionEnd, number> = { removed: 0, retargeted: 0, shutdown: 0 }

  /** How many sessions are known. */
  get size(): number {
    return this.entries.size
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
    return entry?.isAbout(row.value) ? entry.update(row.value, epoch) : this.begin(row.value, epoch)
  }

  /** The same for a lifetime that is known already; begins none. */
  refresh(id: string, row: Option.Option<SessionRow>, epoch: number): void {
    const entry = this.entries.get(id)
    if (entry !== undefined && entry.epoch < epoch) this.update(id, row, epoch)
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
  private begin(row: SessionRow, epoch: number): RowAnswer {
    const { id } = row.session
    const before = this.entries.get(id)
    const entry = new Entry(id, row, epoch, this)
    // The new one takes its place first: who listens to the end of the old one may look it up again.
    this.entries.set(id, entry)
    before?.end("retargeted")
    this.dropSurplus()
    return entry.answer
  }

  /** Only an entry calls this: something hangs on its lifetime from now on. */
  watch(session: LiveSession, entry: Entry): void {
    const known = this.entries.get(entry.id)
    // Dropped as surplus between its lookup and now: known again, or, where another lifetime has begun since, over.
    if (known === undefined) this.entries.set(entry.id, entry)
    else if (known !== entry) return session.end("retargeted")
    this.watched.add(session)
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
        if (!entry.isWatched) break
        this.entries.set(id, entry)
      }
    }
  }
}
