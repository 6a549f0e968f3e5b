import { STATUS_CODES } from "node:http"
import type { ProxyError } from "../domain/ProxyError.js"
import { errorPage } from "./ErrorPage.js"
import { httpDate } from "./HttpDate.js"
import { fieldLines } from "./MessageWriter.js"
import { checkOwnFields } from "./OwnFields.js"
import { proxyStatusName } from "./ProxyStatus.js"

/** What a client is told about an error. */
export interface ErrorDescription {
  readonly status: number
  /** Stable code for machines, in the body's `code`. */
  readonly code: string
  /** What happened, for people; nothing internal. */
  readonly detail: string
  /** Proxy error type (RFC 9209 section 2.3). */
  readonly proxyStatus: string
  /** Fields that this status asks for, flat pairs. */
  readonly fields?: ReadonlyArray<string>
}

type ErrorTable = {
  readonly [Tag in ProxyError["_tag"]]: (error: Extract<ProxyError, { readonly _tag: Tag }>) => ErrorDescription
}

const unreachable = {
  refused: { proxyStatus: "connection_refused", detail: "The session's server refused the connection." },
  dns: { proxyStatus: "dns_error", detail: "The name of the session's server could not be resolved." },
  tls: { proxyStatus: "tls_protocol_error", detail: "No TLS connection to the session's server could be made." },
  certificate: {
    proxyStatus: "tls_certificate_error",
    detail: "The certificate of the session's server could not be verified.",
  },
  timeout: { proxyStatus: "connection_timeout", detail: "Connecting to the session's server took too long." },
  unroutable: { proxyStatus: "destination_ip_unroutable", detail: "There is no route to the session's server." },
  denied: {
    proxyStatus: "destination_ip_prohibited",
    detail: "The proxy is not allowed to connect to the session's server.",
  },
  failed: { proxyStatus: "connection_terminated", detail: "No connection to the session's server could be made." },
} as const

const shortly = ["Retry-After", "1"] as const

/** Whole seconds up to a time by `performance.now()`, and 1 once it has passed (RFC 9110 section 10.2.3). */
const secondsUntil = (time: number): string => String(Math.max(1, Math.ceil((time - performance.now()) / 1_000)))

/** Every error and its one answer. An error that is not in this table does not compile. */
const descriptions: ErrorTable = {
  BadRequest: ({ detail }) => ({ status: 400, code: "bad_request", proxyStatus: "http_request_error", detail }),
  MethodNotAllowed: ({ allow, detail }) => ({
    status: 405,
    code: "method_not_allowed",
    proxyStatus: "http_request_error",
    detail,
    fields: ["Allow", allow],
  }),
  SessionNotFound: ({ sessionId }) => ({
    status: 404,
    code: "session_not_found",
    proxyStatus: "destination_not_found",
    detail: sessionId === "" ? "The path names no session." : "There is no session with this id.",
  }),
  RequestTimeout: ({ detail }) => ({ status: 408, code: "request_timeout", proxyStatus: "http_request_error", detail }),
  BodyTooLarge: ({ limit }) => ({
    status: 413,
    code: "body_too_large",
    proxyStatus: "http_request_error",
    detail: `The content of the request is larger than ${limit} bytes.`,
  }),
  HeadersTooLarge: ({ limit }) => ({
    status: 431,
    code: "headers_too_large",
    proxyStatus: "http_request_error",
    detail: `The header block of the request is larger than ${limit} bytes.`,
  }),
  TargetTooLong: ({ limit }) => ({
    status: 414,
    code: "target_too_long",
    proxyStatus: "http_request_error",
    detail: `The target of the request is longer than ${limit} bytes.`,
  }),
  UpgradeRequired: ({ detail }) => ({
    status: 426,
    code: "upgrade_required",
    proxyStatus: "http_request_error",
    detail,
    fields: ["Upgrade", "websocket", "Sec-WebSocket-Version", "13"],
  }),
  SessionLimit: ({ detail }) => ({
    status: 429,
    code: "session_limit",
    proxyStatus: "connection_limit_reached",
    detail,
    fields: shortly,
  }),
  ClientLimit: () => ({
    status: 429,
    code: "client_limit",
    proxyStatus: "connection_limit_reached",
    detail: "This client has as many connections as it may have.",
    fields: shortly,
  }),
  HookRefused: ({ error: { answer } }) => ({ proxyStatus: "http_request_denied", ...answer }),
  StageRefused: ({ error: { answer } }) => ({ proxyStatus: "http_request_denied", ...answer }),
  LoopDetected: () => ({
    status: 508,
    code: "loop_detected",
    proxyStatus: "proxy_loop_detected",
    detail: "The session's URL leads back to this proxy.",
  }),
  DownstreamUnreachable: ({ reason }) => ({ status: 502, code: "downstream_unreachable", ...unreachable[reason] }),
  DownstreamReset: () => ({
    status: 502,
    code: "downstream_reset",
    proxyStatus: "connection_terminated",
    detail: "The session's server closed the connection before it had answered.",
  }),
  DownstreamProtocol: () => ({
    status: 502,
    code: "downstream_protocol",
    proxyStatus: "http_protocol_error",
    detail: "What the session's server sent is not a valid HTTP response.",
  }),
  DownstreamTimeout: () => ({
    status: 504,
    code: "downstream_timeout",
    proxyStatus: "http_response_timeout",
    detail: "The session's server took the request but did not answer in time.",
  }),
  DownstreamUrlInvalid: () => ({
    status: 502,
    code: "downstream_url_invalid",
    proxyStatus: "proxy_configuration_error",
    detail: "The URL stored for this session cannot be used.",
  }),
  SessionPolicyInvalid: () => ({
    status: 502,
    code: "session_policy_invalid",
    proxyStatus: "proxy_configuration_error",
    detail: "A policy stored for this session cannot be used.",
  }),
  SessionControlInvalid: () => ({
    status: 502,
    code: "session_control_invalid",
    proxyStatus: "proxy_configuration_error",
    detail: "What was stored to end or drain this session cannot be used.",
  }),
  SessionUnavailable: ({ drainEndsAt }) => ({
    status: 503,
    code: "session_unavailable",
    proxyStatus: "destination_unavailable",
    detail:
      drainEndsAt === undefined
        ? "The session exists but takes no requests now."
        : "The session is draining: it takes no new requests.",
    fields: drainEndsAt === undefined ? shortly : ["Retry-After", secondsUntil(drainEndsAt)],
  }),
  Draining: () => ({
    status: 503,
    code: "draining",
    proxyStatus: "proxy_internal_response",
    detail: "The proxy is shutting down.",
    fields: shortly,
  }),
  Overloaded: () => ({
    status: 503,
    code: "overloaded",
    proxyStatus: "connection_limit_reached",
    detail: "The proxy has as many connections, or requests that wait for one, as it may have.",
    fields: shortly,
  }),
  SystemShortage: ({ lacking }) => ({
    status: 503,
    code: "overloaded",
    proxyStatus: lacking === "memory" ? "proxy_internal_error" : "connection_limit_reached",
    detail: "The proxy cannot open another connection now.",
    fields: shortly,
  }),
  StoreUnavailable: () => ({
    status: 503,
    code: "store_unavailable",
    proxyStatus: "proxy_internal_error",
    detail: "The session store cannot be read now.",
    fields: shortly,
  }),
  Defect: () => ({
    status: 500,
    code: "internal_error",
    proxyStatus: "proxy_internal_error",
    detail: "A fault in the program kept the proxy from answering this request.",
  }),
}

const answerOf = <Tag extends ProxyError["_tag"]>(
  tag: Tag,
  error: Extract<ProxyError, { readonly _tag: Tag }>,
): ErrorDescription => descriptions[tag](error)

/** The one place where an error becomes an answer. */
export const describeError = (error: ProxyError): ErrorDescription => answerOf(error._tag, error)

/** An answer of the proxy's own, ready to be written. */
export interface Reply {
  readonly _tag: "Reply"
  readonly status: number
  readonly reason: string
  /** Raw field pairs, flat. */
  readonly fields: ReadonlyArray<string>
  readonly body: string
}

/**
 * An error as a reply: problem+json (RFC 9457), or a page for those who would rather have `html`; `Proxy-Status` (RFC
 * 9209) and the request's id.
 */
export const errorReply = (error: ProxyError, requestId: string, html = false): Reply => {
  const answer = describeError(error)
  const title = STATUS_CODES[answer.status] ?? "Error"
  const problem = {
    type: `urn:ss-proxy:error:${answer.code}`,
    title,
    status: answer.status,
    detail: answer.detail,
    code: answer.code,
    request_id: requestId,
  }
  const body = html ? errorPage(problem) : `${JSON.stringify(problem)}\n`
  return {
    _tag: "Reply",
    status: answer.status,
    reason: title,
    fields: [
      "Content-Type",
      html ? "text/html; charset=utf-8" : "application/problem+json",
      "Content-Length",
      String(Buffer.byteLength(body)),
      "Cache-Control",
      "no-store",
      "Vary",
      "Accept",
      "Proxy-Status",
      `${proxyStatusName}; error=${answer.proxyStatus}`,
      "X-Request-Id",
      requestId,
      ...(answer.fields ?? []),
    ],
    body,
  }
}

/**
 * The head of a reply, with the lines that say what becomes of its connection. The proxy is the origin of such an answer,
 * and so dates it (RFC 9110 section 6.6.1).
 */
export const replyHead = ({ status, reason, fields }: Reply, connectionLines: string): string =>
  `HTTP/1.1 ${status} ${reason}\r\nDate: ${httpDate()}\r\n${fieldLines(fields)}${connectionLines}\r\n`

/** Methods that requests to sessions are likely to have; any other but `CONNECT` and `TRACE` goes on as well. */
export const usualMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/** The answer to `OPTIONS` where the proxy itself is asked (RFC 9110 section 9.3.7). */
export const optionsReply: Reply = {
  _tag: "Reply",
  status: 204,
  reason: "No Content",
  fields: ["Allow", usualMethods],
  body: "",
}

/**
 * An answer of the proxy's own to a request that its session's server does not see. `status`: 200 to 599. `fields`: flat
 * pairs, without `Content-Length`, which is added. Throws where that would be no HTTP.
 */
export const reply = (status: number, fields: ReadonlyArray<string>, body: string): Reply => {
  const reason = STATUS_CODES[status]
  if (status < 200 || reason === undefined) throw new Error(`${status} is no status that an answer can have`)
  checkOwnFields(fields)
  const length = status === 204 || status === 304 ? [] : ["Content-Length", String(Buffer.byteLength(body))]
  return { _tag: "Reply", status, reason, fields: [...fields, ...length], body: length.length === 0 ? "" : body }
}

/**
 * Sends a browser from `/{session_id}` to `location`, with the same method (RFC 9110 section 15.4.9). Not to be kept: the
 * session's server may be another one tomorrow.
 */
export const slashReply = (location: string, requestId: string): Reply => ({
  _tag: "Reply",
  status: 308,
  reason: "Permanent Redirect",
  fields: [
    "Location",
    location,
    "Content-Length",
    "0",
    "Cache-Control",
    "no-store",
    "Vary",
    "Accept",
    "Proxy-Status",
    `${proxyStatusName}; error=proxy_internal_response`,
    "X-Request-Id",
    requestId,
  ],
  body: "",
})

/** The answer to `GET /health` while the proxy takes requests. */
export const healthReply: Reply = {
  _tag: "Reply",
  status: 200,
  reason: "OK",
  fields: ["Content-Type", "text/plain; charset=utf-8", "Content-Length", "2", "Cache-Control", "no-store"],
  body: "OK",
}
