import type {
  BadRequest,
  ClientLimit,
  HeadersTooLarge,
  Overloaded,
  ProxyError,
  RequestBroken,
  RequestTimeout,
} from "../domain/ProxyError.js"

/** Why something of a client's is refused, and never becomes a request. */
export type ClientRefusal = BadRequest | HeadersTooLarge | RequestTimeout | ClientLimit | Overloaded

/** Why something of a client's never became a request: that, or it left in the midst of a head. */
export type NoRequest = ClientRefusal | RequestBroken

/** Classes of status codes; `none`: nothing was answered. */
export const statusClasses = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const

type StatusClass = (typeof statusClasses)[number]

/** The place of a status among `statusClasses`. What is beyond 599 counts as the last class, as RFC 9110 section 15 has it. */
export const statusClassIndex = (status: number): number => Math.min(5, Math.trunc(status / 100))

/** One of the answers that requests are counted by. */
interface AnswerCause {
  readonly status: StatusClass
  readonly cause: string
}

const withCause = (cause: string, ...classes: ReadonlyArray<StatusClass>): ReadonlyArray<AnswerCause> =>
  classes.map((status) => ({ status, cause }))

/** Answers of servers; of the proxy itself that are no errors, such as `/health`; and errors of hooks and of stages. */
const [ofServers, ofProxy, ofHooks, ofStages] = [
  withCause("", ...statusClasses),
  withCause("reply", "2xx", "3xx", "4xx", "5xx"),
  // The program that embeds the proxy may choose any code for its own errors, so they count as one.
  withCause("hook_refused", "4xx", "5xx"),
  withCause("stage_refused", "4xx", "5xx"),
]

const known = [...ofServers, ...ofProxy, ...ofHooks, ...ofStages]

/** Gives a code its place. Two errors may have one code. */
const placed = (cause: string, status: StatusClass): number => {
  const place = known.findIndex((one) => one.cause === cause)
  return place >= 0 ? place : known.push({ status, cause }) - 1
}

/** Codes and classes are those of `wire/Reply.ts`. An error that is not in this table does not compile. */
const places: { readonly [Tag in Exclude<ProxyError["_tag"], "HookRefused" | "StageRefused">]: number } = {
  BadRequest: placed("bad_request", "4xx"),
  MethodNotAllowed: placed("method_not_allowed", "4xx"),
  SessionNotFound: placed("session_not_found", "4xx"),
  RequestTimeout: placed("request_timeout", "4xx"),
  BodyTooLarge: placed("body_too_large", "4xx"),
  HeadersTooLarge: placed("headers_too_large", "4xx"),
  TargetTooLong: placed("target_too_long", "4xx"),
  UpgradeRequired: placed("upgrade_required", "4xx"),
  SessionLimit: placed("session_limit", "4xx"),
  ClientLimit: placed("client_limit", "4xx"),
  LoopDetected: placed("loop_detected", "5xx"),
  DownstreamUnreachable: placed("downstream_unreachable", "5xx"),
  DownstreamReset: placed("downstream_reset", "5xx"),
  DownstreamProtocol: placed("downstream_protocol", "5xx"),
  DownstreamTimeout: placed("downstream_timeout", "5xx"),
  DownstreamUrlInvalid: placed("downstream_url_invalid", "5xx"),
  SessionPolicyInvalid: placed("session_policy_invalid", "5xx"),
  SessionControlInvalid: placed("session_control_invalid", "5xx"),
  SessionUnavailable: placed("session_unavailable", "5xx"),
  Draining: placed("draining", "5xx"),
  Overloaded: placed("overloaded", "5xx"),
  SystemShortage: placed("overloaded", "5xx"),
  StoreUnavailable: placed("store_unavailable", "5xx"),
  Defect: placed("internal_error", "5xx"),
}

/** Every answer that requests are counted by, in the order of their places. */
export const answerCauses: ReadonlyArray<AnswerCause> = known

/** The place among `answerCauses` of an error that was answered. */
export const causeIndex = (error: ProxyError): number => {
  if (error._tag === "HookRefused") return firstOfHooks + halfOf(error.error.answer.status)
  if (error._tag === "StageRefused") return firstOfStages + halfOf(error.error.answer.status)
  return places[error._tag]
}

const firstOfHooks = ofServers.length + ofProxy.length
const firstOfStages = firstOfHooks + ofHooks.length
const halfOf = (status: number): number => (status < 500 ? 0 : 1)

/** The same for an answer of the session's server, or none; and for one of the proxy's own that is no error. */
export const serverIndex = statusClassIndex
export const replyIndex = (status: number): number => ofServers.length + Math.max(0, statusClassIndex(status) - 2)

/** Codes of what never became a request. */
export const refusalCodes = [
  "bad_request",
  "headers_too_large",
  "request_timeout",
  "client_limit",
  "overloaded",
  "request_broken",
] as const

const refusals: { readonly [Tag in NoRequest["_tag"]]: (typeof refusalCodes)[number] } = {
  BadRequest: "bad_request",
  HeadersTooLarge: "headers_too_large",
  RequestTimeout: "request_timeout",
  ClientLimit: "client_limit",
  Overloaded: "overloaded",
  RequestBroken: "request_broken",
}

/** Under which code something counts that never became a request. */
export const refusalCode = (error: NoRequest): (typeof refusalCodes)[number] => refusals[error._tag]
