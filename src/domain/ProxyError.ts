import { TaggedError } from "./TaggedError.js"

/**
 * Everything that can go wrong between a client and a session's server. Each error says who is at fault; what a client
 * is told about it stands in one place, `wire/Reply.ts`.
 *
 * `detail` is written for the client and holds nothing internal. `cause` and `address` are for the log only.
 */
export type ProxyError = ClientError | DownstreamError | ProxyFault

/** The request was wrong, or asked for what is not there. */
export type ClientError =
  | BadRequest
  | MethodNotAllowed
  | SessionNotFound
  | RequestTimeout
  | BodyTooLarge
  | HeadersTooLarge
  | TargetTooLong
  | UpgradeRequired
  | SessionLimit
  | ClientLimit
  | LoopDetected
  | HookRefused
  | StageRefused

/** The session's server could not be reached, or did not answer as HTTP asks. */
export type DownstreamError =
  | DownstreamUnreachable
  | DownstreamReset
  | DownstreamProtocol
  | DownstreamTimeout
  | DownstreamUrlInvalid
  | SessionPolicyInvalid
  | SessionControlInvalid
  | SessionUnavailable

/** The proxy itself cannot serve now. */
export type ProxyFault = Draining | Overloaded | SystemShortage | StoreUnavailable | Defect

/** Malformed target, ambiguous framing, bad Upgrade (RFC 9110 section 15.5.1). */
export class BadRequest extends TaggedError("BadRequest")<{ readonly detail: string }> {
  readonly fault = "client"
}

/** A method that is not for this path, or for no path at all (RFC 9110 section 15.5.6). `allow`: those that are. */
export class MethodNotAllowed extends TaggedError("MethodNotAllowed")<{
  readonly allow: string
  readonly detail: string
}> {
  readonly fault = "client"
}

/** No row for this id. */
export class SessionNotFound extends TaggedError("SessionNotFound")<{ readonly sessionId: string }> {
  readonly fault = "client"
}

/** The client stopped sending its request (RFC 9110 section 15.5.9). */
export class RequestTimeout extends TaggedError("RequestTimeout")<{ readonly detail: string }> {
  readonly fault = "client"
}

/** The request's content is larger than the limit, in bytes. */
export class BodyTooLarge extends TaggedError("BodyTooLarge")<{ readonly limit: number }> {
  readonly fault = "client"
}

/** The request's header block is larger than the limit, in bytes (RFC 6585 section 5). */
export class HeadersTooLarge extends TaggedError("HeadersTooLarge")<{ readonly limit: number }> {
  readonly fault = "client"
}

/** The request's target is longer than the limit, in bytes (RFC 9110 section 15.5.15). */
export class TargetTooLong extends TaggedError("TargetTooLong")<{ readonly limit: number }> {
  readonly fault = "client"
}

/** A plain request on the WebSocket route, or a handshake of another version (RFC 9110 section 15.5.22, RFC 6455 section 4.4). */
export class UpgradeRequired extends TaggedError("UpgradeRequired")<{ readonly detail: string }> {
  readonly fault = "client"
}

/** The session has as many connections or requests as it may have (RFC 6585 section 4). */
export class SessionLimit extends TaggedError("SessionLimit")<{ readonly detail: string }> {
  readonly fault = "client"
}

/** The client's address has as many connections as it may have (RFC 6585 section 4). */
export class ClientLimit extends TaggedError("ClientLimit")<{ readonly limit: number }> {
  readonly fault = "client"
}

/**
 * The session's URL leads to this proxy itself, or the request has already been through it (RFC 5842 section 7.2).
 * `address`: where a connection was about to be made to.
 */
export class LoopDetected extends TaggedError("LoopDetected")<{
  readonly sessionId: string
  readonly address?: string
}> {
  readonly fault = "client"
}

/** An error of a program that embeds the proxy, which says itself how it is answered. */
export interface OwnError {
  readonly _tag: string
  readonly answer: {
    /** 400 to 599. */
    readonly status: number
    /** Stable code for machines. */
    readonly code: string
    /** What happened, for people; nothing internal. */
    readonly detail: string
    /** Fields that this status asks for, flat pairs: name, value, name, value. */
    readonly fields?: ReadonlyArray<string>
    /** Proxy error type (RFC 9209 section 2.3); `http_request_denied` unless said otherwise. */
    readonly proxyStatus?: string
  }
}

/** A hook of the program that embeds the proxy has refused the request. */
export class HookRefused extends TaggedError("HookRefused")<{ readonly error: OwnError }> {
  readonly fault = "client"
}

/** A stage of the program that embeds the proxy has refused the content of a request. */
export class StageRefused extends TaggedError("StageRefused")<{ readonly error: OwnError }> {
  readonly fault = "client"
}

/** No connection to a session's server came to be, whoever is at fault. */
export type DialError = DownstreamUnreachable | LoopDetected | SystemShortage | SessionLimit | Overloaded

/** Why no connection to the session's server came to be. */
export type UnreachableReason =
  | "refused"
  | "dns"
  | "tls"
  | "certificate"
  | "timeout"
  | "unroutable"
  | "denied"
  | "failed"

/** No connection to the session's server. */
export class DownstreamUnreachable extends TaggedError("DownstreamUnreachable")<{
  readonly reason: UnreachableReason
  readonly address: string
  readonly cause?: unknown
}> {
  readonly fault = "downstream"
}

/** The connection broke before the head of the response was complete. */
export class DownstreamReset extends TaggedError("DownstreamReset")<{
  readonly address: string
  readonly cause?: unknown
}> {
  readonly fault = "downstream"
}

/** What the session's server sent is not a response to this request. `problem` names the rule that it broke. */
export class DownstreamProtocol extends TaggedError("DownstreamProtocol")<{
  readonly address: string
  readonly problem: string
}> {
  readonly fault = "downstream"
}

/** Connected, but no head of a response within the time allowed, in milliseconds. */
export class DownstreamTimeout extends TaggedError("DownstreamTimeout")<{
  readonly address: string
  readonly milliseconds: number
}> {
  readonly fault = "downstream"
}

/** The stored URL of the session cannot be used. `problem` never repeats the URL itself: it may hold a password. */
export class DownstreamUrlInvalid extends TaggedError("DownstreamUrlInvalid")<{
  readonly sessionId: string
  readonly problem: string
}> {
  readonly fault = "downstream"
}

/** A policy stored for the session cannot be used. `problem` names it and its value. */
export class SessionPolicyInvalid extends TaggedError("SessionPolicyInvalid")<{
  readonly sessionId: string
  readonly problem: string
}> {
  readonly fault = "downstream"
}

/** What was asked of the session in the store, to end or to drain, cannot be understood. `problem` names the value. */
export class SessionControlInvalid extends TaggedError("SessionControlInvalid")<{
  readonly sessionId: string
  readonly problem: string
}> {
  readonly fault = "downstream"
}

/** The session exists, but its status does not forward, or it drains, or it was moved or killed while this request waited. */
export class SessionUnavailable extends TaggedError("SessionUnavailable")<{
  readonly sessionId: string
  readonly status: string
  /** Where it drains: when what is left of it is killed, by `performance.now()`. */
  readonly drainEndsAt?: number
}> {
  readonly fault = "downstream"
}

/** The proxy is shutting down and takes nothing new. */
export class Draining extends TaggedError("Draining")<{}> {
  readonly fault = "proxy"
}

/** The proxy has as many connections as it may have. */
export class Overloaded extends TaggedError("Overloaded")<{ readonly limit: number }> {
  readonly fault = "proxy"
}

/** What a system has no more of: file descriptors, ports to connect from, memory for sockets. */
export type Shortage = "files" | "ports" | "memory"

/** The proxy could not make a connection: the OS is out of files, ports or memory. `hint` tells the operator what to do. */
export class SystemShortage extends TaggedError("SystemShortage")<{
  readonly lacking: Shortage
  readonly address: string
  readonly hint: string
  readonly cause?: unknown
}> {
  readonly fault = "proxy"
}

/** The session store cannot be read or written. `hint` tells the operator what to do. */
export class StoreUnavailable extends TaggedError("StoreUnavailable")<{
  readonly problem: string
  readonly hint: string
  /** Who asked for a session that is not known here has waited as long as he may. The store itself may do well. */
  readonly isLate?: boolean
  readonly cause?: unknown
}> {
  readonly fault = "proxy"

  override get message(): string {
    return `${this.problem}. ${this.hint}`
  }
}

/** Whose code a defect is in: the proxy's, or a hook or stage of the program that embeds it. */
export type DefectPlace = "proxy" | "hook" | "upload stage" | "download stage"

/** Something threw that should not have (RFC 9110 section 15.6.1). `cause`: what it threw. */
export class Defect extends TaggedError("Defect")<{ readonly place: DefectPlace; readonly cause: unknown }> {
  readonly fault = "proxy"

  /** What was thrown at a place as a defect. One that is already known as a defect stays what it is. */
  static readonly at = (place: DefectPlace, thrown: unknown): Defect =>
    thrown instanceof Defect ? thrown : new Defect({ place, cause: thrown })
}

/**
 * A response whose head was already passed on broke off: its downstream died, its session ended, nothing came for longer
 * than the idle timeout, or a stage refused it or the content of its request (`refusal`). There is no answer for this any more; the client's connection is reset, so that the
 * truncated response cannot look complete.
 */
export class ResponseBroken extends TaggedError("ResponseBroken")<{
  readonly sessionId: string
  readonly address: string
  readonly problem: string
  readonly cause?: unknown
  readonly refusal?: StageRefused | undefined
}> {
  get fault(): "downstream" | "proxy" {
    return this.refusal === undefined ? "downstream" : "proxy"
  }
}

/**
 * The connection to the server of a WebSocket was lost without a close frame. The client is sent one with code 1011 in its
 * place (RFC 6455 section 7.4.1).
 */
export class WebSocketBroken extends TaggedError("WebSocketBroken")<{
  readonly sessionId: string
  readonly address: string
  readonly problem: string
}> {
  readonly fault = "downstream"
}

/** A client took no byte of its answer for longer than it may. There is nobody to tell: its connection is reset. */
export class ClientStalled extends TaggedError("ClientStalled")<{ readonly milliseconds: number }> {
  readonly fault = "client"

  override get message(): string {
    return `the client took nothing of its answer for ${this.milliseconds} ms`
  }
}

/** The client's request body broke off: it left, sent what is not HTTP, or a stage refused it, which has an answer. */
export class RequestBroken extends TaggedError("RequestBroken")<{
  readonly problem: string
  readonly refusal?: StageRefused | undefined
}> {
  readonly fault = "client"
}
