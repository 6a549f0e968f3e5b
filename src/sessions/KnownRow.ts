import { Either, Exit } from "effect"
import {
  DownstreamUrlInvalid,
  SessionControlInvalid,
  type SessionNotFound,
  SessionPolicyInvalid,
  SessionUnavailable,
} from "../domain/ProxyError.js"
import { isForwarding, type Session } from "../domain/Session.js"
import {
  defaultClose,
  drainOf,
  isSameControl,
  isUnusable,
  type KillClose,
  type SessionDrain,
} from "../domain/SessionControl.js"
import { defaultPolicy, isSamePolicy } from "../domain/SessionPolicy.js"
import { parseDownstreamUrl, trimUrl } from "../wire/DownstreamUrl.js"
import type { ServerHealth } from "./ServerHealth.js"
import { SessionActivity } from "./SessionActivity.js"
import { LiveSession, type SessionEnd, type SessionWatcher } from "./LiveSession.js"
import type { SessionRow } from "./SessionRepo.js"
import { usablePolicy } from "./UsablePolicy.js"

/** A row as the directory has read it. */
export interface KeyedRow extends SessionRow {
  /** Id of another row that nobody can tell from this one, where the case of ids does not count. */
  readonly twin?: string | undefined
}

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

/** A store need not leave out the whitespace around a URL. */
const isSameUrl = (one: string, other: string): boolean => one === other || trimUrl(one) === trimUrl(other)

/** Makes an error to be kept: it must not remember where it was made, and with that the request that was looked up. */
const kept = <E>(make: () => E): E => {
  const frames = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const error = make()
  Error.stackTraceLimit = frames
  return error
}

const problemOfTwin = (twin: string): string =>
  `${JSON.stringify(twin)} is the same id where case does not count (--id-case fold); remove one of the two`

/** What has to be told of lifetimes. */
export interface LifetimeKeeper {
  /** Something hangs on a lifetime from now on. */
  watch(session: LiveSession, row: KnownRow): void
  /** Nothing hangs on it any more. */
  unwatch(session: LiveSession): void
  /** Lifetimes whose servers fail. */
  readonly failing: Set<LiveSession>
  /** How many lifetimes have ended so far, by their ends. */
  readonly ended: Record<SessionEnd, number>
}

/** Before every epoch. */
const neverRead = -1

/** What is known of one row, and the lifetime that comes of it. */
export class KnownRow implements SessionWatcher {
  /** The lifetime, or what is wrong with the row's URL. */
  private readonly live: Either.Either<LiveSession, DownstreamUrlInvalid>
  /** The numbers of its id: those that the lifetime before has had. */
  readonly activity: SessionActivity
  /** Ready to be handed out, so that a warm lookup makes nothing. */
  answer: RowAnswer
  /** When what is left of it is killed, by `performance.now()`; Infinity while it does not drain. */
  drainEndsAt = Number.POSITIVE_INFINITY
  /** The epoch in which its session was last named as one that may have changed: what was read before is outdated. */
  outdatedIn: number
  /** The last number of kills that was read whole. */
  private killsSeen: number

  /** The row's own id. */
  readonly id: string

  constructor(
    /** What the row is known by: its id, folded where case does not count. */
    readonly key: string,
    public row: KeyedRow,
    /** The epoch in which the row was read. */
    public epoch: number,
    private readonly owner: LifetimeKeeper,
    /** What was known before it, of the same key. */
    before: KnownRow | undefined,
  ) {
    const { id } = row.session
    this.id = id
    this.outdatedIn = before?.outdatedIn ?? 0
    this.activity = before?.id === id ? before.activity : new SessionActivity(id)
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
    if (!isSameUrl(session.url, known.session.url) || incarnation !== known.incarnation) return false
    // Where case does not count, another row may have taken its place.
    if (session.id !== known.session.id) return false
    return isInsecure(session) === isInsecure(known.session)
  }

  /**
   * Whether `row` says that it was killed since. Another number does, be it smaller: the row may have been made anew. None
   * at all does not, nor one whose other values cannot be used.
   */
  isKilledBy({ session: { control } }: SessionRow): boolean {
    return !isUnusable(control) && control.kills !== 0 && control.kills !== this.killsSeen
  }

  /** Nothing has changed. */
  isStill(epoch: number): RowAnswer {
    this.epoch = epoch
    return this.answer
  }

  update(row: KeyedRow, epoch: number): RowAnswer {
    const before = this.row.session
    const { control, policy, status } = row.session
    this.epoch = epoch
    const isSame = status === before.status && isSamePolicy(policy, before.policy) && row.twin === this.row.twin
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
  private followDrain({ session }: SessionRow, before: KnownRow | undefined): void {
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

  /** It is known no more, and nothing hangs on it. Nobody is told here whether its session changes, should it be known again. */
  dropped(): void {
    this.epoch = neverRead
    if (Either.isRight(this.live)) this.owner.failing.delete(this.live.right)
  }

  private answerFor(session: Session): RowAnswer {
    const { control, status } = session
    const { drainEndsAt, id: sessionId } = this
    if (!isForwarding(status)) return Exit.fail(kept(() => new SessionUnavailable({ sessionId, status })))
    if (isUnusable(control))
      return Exit.fail(kept(() => new SessionControlInvalid({ sessionId, problem: control.problem })))
    if (control.drain !== undefined)
      return Exit.fail(kept(() => new SessionUnavailable({ sessionId, status: "draining", drainEndsAt })))
    if (Either.isLeft(this.live)) return Exit.fail(this.live.left)
    const { twin } = this.row
    if (twin !== undefined)
      return Exit.fail(kept(() => new SessionPolicyInvalid({ sessionId, problem: problemOfTwin(twin) })))
    const policy = usablePolicy(session)
    if (Either.isLeft(policy))
      return Exit.fail(kept(() => new SessionPolicyInvalid({ sessionId, problem: policy.left })))
    this.live.right.adopt(policy.right)
    return Exit.succeed(this.live.right)
  }
}

/** How a row asks to close WebSockets. */
export const closeOf = ({ session: { control } }: SessionRow): KillClose =>
  isUnusable(control) ? defaultClose : control.close
