import { Cause, Effect, Exit, type ManagedRuntime, Option } from "effect"
import type { Session } from "../domain/Session.js"
import type { KillClose } from "../domain/SessionControl.js"
import type { ProxyServer } from "../server/ProxyServer.js"
import { SettingsError } from "../domain/ProxyConfig.js"
import { StoreUnavailable } from "../domain/ProxyError.js"
import { localUrl } from "../server/Listening.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import type { ProxyEvent, ProxyEvents, ProxyListener } from "./ProxyEvents.js"
import { type SessionInput, sessionOf } from "./SessionInput.js"

/** A session as it is stored. */
export interface StoredSession extends Pick<Session, "id" | "url" | "status" | "policy" | "createdAt" | "updatedAt"> {}

/**
 * The sessions of a proxy. A change is in force within 10 ms of its promise. Every promise rejects with `StoreUnavailable`
 * where the store is away, the proxy is closed, or `lookUp` has the sessions, which are changed elsewhere.
 */
export interface ProxySessions {
  /** A session; `undefined` where there is none. */
  readonly get: (id: string) => Promise<StoredSession | undefined>
  /** Every session, ordered by id. */
  readonly list: () => Promise<ReadonlyArray<StoredSession>>
  /** Stores a session, in place of the one that may have this id. Rejects with `SessionInvalid` where it cannot be one. */
  readonly set: (id: string, session: SessionInput | string) => Promise<StoredSession>
  /** Removes a session: what is live on it is cut. Whether there was one. */
  readonly remove: (id: string) => Promise<boolean>
  /** Cuts what is live on a session; the session stays. Rejects with `SessionNotFound` where there is none. */
  readonly kill: (id: string, close?: Partial<KillClose>) => Promise<StoredSession>
  /** Lets a session take nothing new, and kills what is left of it after `grace` milliseconds. */
  readonly drain: (id: string, grace: number) => Promise<StoredSession>
  /** Ends the drain of a session. */
  readonly resume: (id: string) => Promise<StoredSession>
}

/** How a proxy closes. */
export interface CloseOptions {
  /**
   * After so many milliseconds what is still in flight is cut; at most the setting `grace`, which counts where nothing is
   * said. 0 cuts at once, also where another `close` is waiting.
   */
  readonly grace?: number
}

/** A proxy that runs, made by `createProxy`. */
export interface EmbeddedProxy extends AsyncDisposable {
  /** Where this machine reaches it: `http://127.0.0.1:41234`. */
  readonly url: string
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number }
  /** Where this machine reaches the admin listener; `undefined` where the setting `adminPort` is off. */
  readonly adminUrl: string | undefined
  readonly sessions: ProxySessions
  /** Tells `listener` of every event of this kind. Returns what removes it. */
  readonly on: <Event extends ProxyEvent>(event: Event, listener: ProxyListener<Event>) => () => void
  /**
   * Stops accepting, lets what is in flight finish, and lets go of everything. However often it is called, it closes once. Rejects
   * with `SettingsError`, and closes nothing, where `grace` is no time.
   */
  readonly close: (options?: CloseOptions) => Promise<void>
}

/** What a proxy is made of, once it runs. */
export interface Running {
  readonly runtime: ManagedRuntime.ManagedRuntime<SessionRepo, unknown>
  readonly server: typeof ProxyServer.Service
  readonly adminUrl: string | undefined
  readonly repo: typeof SessionRepo.Service
  readonly events: ProxyEvents
}

const closedStore = new StoreUnavailable({ problem: "the proxy is closed", hint: "Make another with createProxy." })

/** Runs an Effect; rejects with the error itself, and not with a wrapper of Effect's. */
const promiseOf =
  ({ runtime }: Pick<Running, "runtime">, isClosed: () => boolean) =>
  async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    if (isClosed()) throw closedStore
    const exit = await runtime.runPromiseExit(effect)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    return exit.value
  }

/** Milliseconds, or for ever. */
const isTime = (grace: number): boolean => (Number.isFinite(grace) ? grace >= 0 : grace === Infinity)

const noTime = new SettingsError({ setting: "grace", problem: "must be a number of milliseconds from 0 on" })

const sessionsOf = (running: Running, isClosed: () => boolean): ProxySessions => {
  const { repo } = running
  const promise = promiseOf(running, isClosed)
  return {
    get: (id) => promise(Effect.map(repo.find(id), (row) => Option.getOrUndefined(row)?.session)),
    list: () => promise(repo.list),
    set: (id, session) => promise(repo.put(sessionOf(id, session))),
    remove: (id) =>
      promise(Effect.as(repo.remove(id), true).pipe(Effect.catchTag("SessionNotFound", () => Effect.succeed(false)))),
    kill: (id, close) => promise(repo.kill(id, close)),
    drain: (id, grace) => promise(repo.drain(id, grace)),
    resume: (id) => promise(repo.resume(id)),
  }
}

/** The proxy of `createProxy`. */
export class RunningProxy implements EmbeddedProxy {
  readonly url: string
  readonly address: EmbeddedProxy["address"]
  readonly adminUrl: string | undefined
  readonly sessions: ProxySessions
  private closing: Promise<void> | undefined
  private isClosed = false

  constructor(private readonly running: Running) {
    this.address = running.server.address
    this.url = localUrl(running.server.address)
    this.adminUrl = running.adminUrl
    this.sessions = sessionsOf(running, () => this.isClosed)
  }

  on<Event extends ProxyEvent>(event: Event, listener: ProxyListener<Event>): () => void {
    return this.running.events.on(event, listener)
  }

  close({ grace }: CloseOptions = {}): Promise<void> {
    if (grace !== undefined && !isTime(grace)) return Promise.reject(noTime)
    if (this.closing === undefined) this.closing = this.end(grace)
    else if (grace === 0 && !this.isClosed) this.cutNow()
    return this.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** For another `close` that waits: it ends then. */
  private cutNow(): void {
    // In its runtime, for the log is there.
    this.running.runtime.runFork(this.running.server.cut)
  }

  private async end(grace: number | undefined): Promise<void> {
    const { events, runtime, server } = this.running
    const { cut, drain } = server
    const stop = grace === undefined ? drain : Effect.raceFirst(drain, Effect.delay(cut, grace))
    await runtime.runPromise(grace === 0 ? cut : stop)
    this.isClosed = true
    await runtime.dispose()
    events.tell("close", undefined)
  }
}
