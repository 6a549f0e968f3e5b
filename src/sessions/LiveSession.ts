import type { KillClose } from "../domain/SessionControl.js"
import { defaultPolicy, type SessionPolicy } from "../domain/SessionPolicy.js"
import type { DownstreamUrl } from "../wire/DownstreamUrl.js"
import { type RequestRules, usualRules } from "../wire/RequestRules.js"
import { type HealthSource, type ServerFault, ServerHealth } from "./ServerHealth.js"
import { SessionActivity } from "./SessionActivity.js"

/**
 * Why a session's lifetime is over: its row is gone, it has another server or another way to know that one, somebody killed
 * it or its drain is over, its row could not be read for longer than the setting `maxStale` allows, or the proxy shuts down.
 */
export type SessionEnd = "removed" | "retargeted" | "killed" | "stale" | "shutdown"

/** What hangs on a session's lifetime: an exchange, a WebSocket, a pool of idle connections. */
export interface SessionListener {
  /** Called once, when the lifetime ends. */
  sessionEnded(end: SessionEnd): void
}

/**
 * Who has to notice the end of a lifetime: told when the first listener comes and when the last one goes. And who counts the
 * lifetimes whose servers fail: told when one begins to, and when it does no more, or its lifetime is over.
 */
export interface SessionWatcher {
  readonly watched: (session: LiveSession) => void
  readonly unwatched: (session: LiveSession) => void
  readonly failing: (session: LiveSession) => void
  readonly recovered: (session: LiveSession) => void
}

/** Where the connections of one lifetime of a session go. */
export interface SessionTarget extends DownstreamUrl {
  readonly sessionId: string
  /** TLS takes the certificate of the server unseen. */
  readonly insecure: boolean
}

/** What is to be done to answers of a session's server: its policy and the settings, looked through once for all requests. */
export interface AnswerRules {
  /** References of the server to itself become such as the client can follow. */
  readonly rewritesReferences: boolean
  /** Cookies of the server are only sent back to this session. */
  readonly confinesCookies: boolean
  /** The server sees the path as the client sends it. */
  readonly keepsPath: boolean
}

let generations = 0

/**
 * One lifetime of a session: from the moment the directory first sees it at this URL, until it sees that there is no row, or
 * one that names another URL, or that its server's certificate is to be verified that was not, or the other way round, or
 * that it was killed, or has not been able to see it for too long. Connections and live traffic belong to a lifetime and never outlive it, so that a new session (or the
 * same id at a new address) can not be handed what belonged to an old one.
 */
export class LiveSession {
  /** Differs between any two lifetimes in this process. */
  readonly generation: number = ++generations
  readonly target: SessionTarget
  /** An array and no Set: few, and they come and go with every request. */
  private readonly listeners: Array<SessionListener> = []
  /** How its server does; for whoever wants to know. */
  readonly health = new ServerHealth()
  /** What becomes of the fields of its requests, by the policy `rulesOf`: made by the first request under that policy. */
  requestRules: RequestRules = usualRules
  rulesOf: SessionPolicy | undefined
  /** Kept here by whoever makes them: `null` for none; `undefined` until they are made for the policy in force. */
  answerRules: AnswerRules | null | undefined
  private endedBy: SessionEnd | undefined
  private closedAs: KillClose | undefined

  constructor(
    readonly id: string,
    url: DownstreamUrl,
    private readonly watcher?: SessionWatcher,
    private policyInForce: SessionPolicy = defaultPolicy,
    /** The numbers of its id, which the lifetime before has had, too. */
    readonly activity: SessionActivity = new SessionActivity(id),
  ) {
    this.target = { ...url, sessionId: id, insecure: policyInForce.insecure }
  }

  /** What it wants otherwise than the settings say. `insecure` stays the same as long as the lifetime. */
  get policy(): SessionPolicy {
    return this.policyInForce
  }

  /** Set once the lifetime is over. */
  get ended(): SessionEnd | undefined {
    return this.endedBy
  }

  /** How its WebSockets are closed, where it was killed. */
  get killClose(): KillClose | undefined {
    return this.closedAs
  }

  /** Whether anything hangs on this lifetime, so that its end must be noticed even while no request comes. */
  get isWatched(): boolean {
    return this.listeners.length > 0
  }

  /** Tells `listener` of the end; at once where it has ended already. */
  attach(listener: SessionListener): void {
    if (this.endedBy !== undefined) return listener.sessionEnded(this.endedBy)
    const isFirst = !this.isWatched
    this.listeners.push(listener)
    if (isFirst) this.watcher?.watched(this)
  }

  /** Tells `listener` no more. */
  detach(listener: SessionListener): void {
    const index = this.listeners.indexOf(listener)
    if (index < 0) return
    this.listeners.splice(index, 1)
    if (!this.isWatched) this.watcher?.unwatched(this)
  }

  /** Takes over a policy that leaves the lifetime as it is. Only the directory calls this. */
  adopt(policy: SessionPolicy): void {
    this.policyInForce = policy
    this.answerRules = undefined
  }

  /** Its server has answered a request of a client's: on the path of every request. */
  answered(): void {
    if (this.health.state !== "ok") this.noteAnswer("passive")
  }

  /** Its server has answered as it should. */
  noteAnswer(by: HealthSource): void {
    const hasFailed = this.health.state === "failing"
    if (this.health.answered(by, Date.now()) && hasFailed && this.endedBy === undefined) this.watcher?.recovered(this)
  }

  /** No connection to its server came to be, or broke before an answer; or, `isAnswer`, a check did not like its answer. */
  noteFault(by: HealthSource, fault: ServerFault, isAnswer = false): void {
    if (this.health.failed(by, fault, isAnswer, Date.now()) && this.endedBy === undefined) this.watcher?.failing(this)
  }

  /** Ends the lifetime; `close`: how WebSockets are closed, where it was killed. Only the directory calls this. */
  end(reason: SessionEnd, close?: KillClose): void {
    if (this.endedBy !== undefined) return
    this.endedBy = reason
    this.closedAs = close
    if (this.health.state === "failing") this.watcher?.recovered(this)
    const listeners = this.listeners.splice(0)
    if (listeners.length > 0) this.watcher?.unwatched(this)
    for (const listener of listeners) listener.sessionEnded(reason)
  }
}
