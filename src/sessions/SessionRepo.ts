import { Context, type Effect, type Either, type Option, type Scope } from "effect"
import type { StoreUnavailable, SessionNotFound } from "../domain/ProxyError.js"
import type { Session, SessionExists, SessionInvalid, SessionsExist } from "../domain/Session.js"
import type { KillClose } from "../domain/SessionControl.js"
import type { SessionPolicy } from "../domain/SessionPolicy.js"

/** A session to be stored. Every store refuses one whose id, URL or policy cannot be (`SessionRules.ts`). */
export interface NewSession {
  readonly id: string
  readonly url: string
  readonly status: string
  /** What is absent is as the settings of the proxy say. */
  readonly policy?: Partial<SessionPolicy>
}

/** What `SessionRepo.set` changes; what is absent stays as it is. */
export interface SessionChange {
  readonly url?: string
  readonly status?: string
  readonly policy?: Partial<SessionPolicy>
}

/**
 * Says whether a write may go on, by what is stored of its session at that moment; `undefined`: nothing. The store asks it in
 * the change of the write itself, so that nobody else writes in between; more than once where it has to begin anew.
 */
export type Precondition<E> = (stored: Session | undefined) => Either.Either<void, E>

/** Told how far an `addAll` is, from between its slices: each call holds it up, and with it other writers. */
export interface AddAllWatcher {
  /** So many of the sessions are written. None of them is in force yet. */
  readonly written: (count: number) => void
  /** All of them are in force; told before anything can interrupt. */
  readonly committed: (replaced: number) => void
}

/** How `SessionRepo.addAll` adds. */
export interface AddAllOptions {
  /** Puts each session in the place of the one that may have its id, as `put` does. Otherwise such an id is refused. */
  readonly replace: boolean
  readonly watcher?: AddAllWatcher
}

/** One step of many: stores a session, or removes one. */
export type SessionStep =
  | { readonly _tag: "Put"; readonly session: NewSession }
  | { readonly _tag: "Remove"; readonly id: string }

/** What steps come to. */
export interface Applied {
  readonly added: number
  readonly replaced: number
  readonly removed: number
  /** Removals of what was not there. */
  readonly absent: number
  /** The places of the steps that were refused, because a session with their id exists. */
  readonly refused: ReadonlyArray<number>
}

/** How `SessionRepo.apply` applies steps. */
export interface ApplyOptions {
  /** A session takes the place of the one that may have its id. Otherwise such a step is refused. */
  readonly replace: boolean
  /** The other steps are applied where some are refused. Otherwise none is. */
  readonly partly: boolean
  /** Told when they are in force, before anything can interrupt. */
  readonly committed?: (applied: Applied) => void
}

/** Which sessions to list, and in which order. */
export type SessionQuery = SessionsById | SessionsByTime

interface SessionSelection {
  /** Only ids that begin with this text. */
  readonly prefix: string
  /** Sessions of a page; `pageSize` unless said otherwise. */
  readonly pageSize?: number
}

/** By the bytes of the id. */
export interface SessionsById extends SessionSelection {
  readonly sort: "id"
  /** Only ids behind this one in the list: one that was left goes on there. */
  readonly after?: string | undefined
  /** The largest id first. */
  readonly descends?: boolean
}

/** By a time, the latest first. */
export interface SessionsByTime extends SessionSelection {
  readonly sort: "created" | "updated"
}

/** Sessions of a page. */
export const pageSize = 500

/** A row as the directory needs it. */
export interface SessionRow {
  readonly session: Session
  /**
   * Differs between a row and another that was inserted later under the same id, and never between two states of one row.
   * Only from a store that can tell for certain: where it differs, what belongs to the old row ends, though both rows say the
   * same. Absent, a row that says the same goes on, unless it was seen gone.
   */
  readonly incarnation?: string
}

/** How many sessions take requests, and how many do not. */
export interface SessionTally {
  readonly forwarding: number
  readonly others: number
}

/**
 * What a store tells unasked that is somewhere else, and may be away. Its rows stand while it is: who has read one may go by it
 * until the store is back, or for `maxStale`. All of this is in memory, and costs nothing to ask.
 */
export interface StoreFeed {
  /** Calls `tell` at once whenever `version` or `isUp` differs, until the scope closes. */
  readonly changed: (tell: () => void) => Effect.Effect<void, never, Scope.Scope>
  /** Whether changes are heard of now. */
  readonly isUp: () => boolean
  /** When the store was last heard of, by `performance.now()`: `version` tells of all that was committed before. */
  readonly heardAt: () => number
}

/**
 * Durable sessions. Everybody may change them behind this service's back, with `sqlite3` or a program of their own;
 * `version` tells that somebody did.
 */
export class SessionRepo extends Context.Tag("@ss-proxy/SessionRepo")<
  SessionRepo,
  {
    /**
     * One row, or none. Where the store answers at once this is an `Exit`, and the caller needs no fiber. `known`: the row as
     * it was found before; a store that sees that it says the same may give that again, and make nothing.
     */
    readonly find: (id: string, known?: SessionRow) => Effect.Effect<Option.Option<SessionRow>, StoreUnavailable>
    /**
     * The rows whose ids differ from this one in nothing but the case of ASCII letters, itself included, in the order of
     * their ids; three at most. An `Exit` where `find` gives one; `known` as there. Needed for `idCase` `fold` alone.
     */
    readonly findFolded?: (id: string, known?: SessionRow) => Effect.Effect<ReadonlyArray<SessionRow>, StoreUnavailable>
    /** The rows of those ids that exist; for re-reading what is live, where `knownOf` is as above. At most a few hundred ids a call. */
    readonly findMany: (
      ids: ReadonlyArray<string>,
      knownOf?: (id: string) => SessionRow | undefined,
    ) => Effect.Effect<ReadonlyArray<SessionRow>, StoreUnavailable>
    /** How many there are. */
    readonly count: Effect.Effect<number, StoreUnavailable>
    /** How many there are whose status forwards, and of any other; in slices, so that nobody waits for a large table. */
    readonly tally: Effect.Effect<SessionTally, StoreUnavailable>
    /** Every session, ordered by id. */
    readonly list: Effect.Effect<ReadonlyArray<Session>, StoreUnavailable>
    /**
     * Hands the sessions to `take`, a page at a time in a turn of the event loop each, until it says that it wants no
     * more. A session that comes, goes or changes meanwhile is among them, or not; none is twice.
     */
    readonly forEachPage: <E, R>(
      query: SessionQuery,
      take: (sessions: ReadonlyArray<Session>) => Effect.Effect<boolean, E, R>,
    ) => Effect.Effect<void, E | StoreUnavailable, R>
    /** Stores a new session. A policy or a drain that is left of an earlier one of this id is not taken over. */
    readonly add: (session: NewSession) => Effect.Effect<Session, SessionExists | SessionInvalid | StoreUnavailable>
    /** Stores a session, in place of the one that may have this id; of that one only `createdAt` is kept. */
    readonly put: <E = never>(
      session: NewSession,
      precondition?: Precondition<E>,
    ) => Effect.Effect<Session, E | SessionInvalid | StoreUnavailable>
    /**
     * Stores many sessions, no two of one id, by one change: all of them, or none, also where it is interrupted or the
     * process is killed. Other writers wait until it is done, a few seconds for a million. Gives how many took the place
     * of another.
     */
    readonly addAll: (
      sessions: ReadonlyArray<NewSession>,
      options: AddAllOptions,
    ) => Effect.Effect<number, SessionsExist | SessionInvalid | StoreUnavailable>
    /**
     * Takes steps in their order, by one change: all that are not refused, or none. Other writers wait until it is done,
     * so a call should have some hundred steps.
     */
    readonly apply: (
      steps: ReadonlyArray<SessionStep>,
      options: ApplyOptions,
    ) => Effect.Effect<Applied, SessionInvalid | StoreUnavailable>
    /** Changes a session. */
    readonly set: <E = never>(
      id: string,
      change: SessionChange,
      precondition?: Precondition<E>,
    ) => Effect.Effect<Session, E | SessionInvalid | SessionNotFound | StoreUnavailable>
    /**
     * Lets a session take nothing new from now on, and kills what is left of it after `grace` milliseconds; in force on every
     * proxy, until `resume`. A drain that is under way begins anew. Its status stays as it is.
     */
    readonly drain: (
      id: string,
      grace: number,
    ) => Effect.Effect<Session, SessionInvalid | SessionNotFound | StoreUnavailable>
    /** Ends the drain of a session, if it drains. */
    readonly resume: (id: string) => Effect.Effect<Session, SessionNotFound | StoreUnavailable>
    /**
     * Ends what is live on a session, on every proxy; what is asked of it next begins anew. `close`: how WebSockets are
     * closed, 1001 unless it says otherwise.
     */
    readonly kill: (
      id: string,
      close?: Partial<KillClose>,
    ) => Effect.Effect<Session, SessionInvalid | SessionNotFound | StoreUnavailable>
    /** Removes a session, its policy, and what was asked of it. */
    readonly remove: <E = never>(
      id: string,
      precondition?: Precondition<E>,
    ) => Effect.Effect<Session, E | SessionNotFound | StoreUnavailable>
    /**
     * A number that differs whenever anybody has committed a change since the last call, this service included. Cheap
     * enough (microseconds, an `Exit`) to be asked every few milliseconds. A store that is busy has committed nothing:
     * that is not a failure. A function, because each `Exit` is the answer of one moment.
     */
    readonly version: () => Effect.Effect<number, StoreUnavailable>
    /**
     * The ids of the sessions that may be others than they were in version `since`, up to the version of now: their rows,
     * policies, or what is asked of them. An id may be named twice. `undefined`: every session may be another. So are
     * they in a store without this.
     */
    readonly changes?: (since: number) => ReadonlyArray<string> | undefined
    /** Only of a store that tells unasked. Its `version` is a number in memory and never fails. */
    readonly feed?: StoreFeed
    /** How many ids `findMany` is best asked for at a time; 40 unless said otherwise. */
    readonly batchSize?: number
  }
>() {}
