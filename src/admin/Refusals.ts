import { type AdminAnswer, problemAnswer, type TextAnswer } from "./AdminAnswer.js"

// What the listener itself refuses, before anything of the API is asked. docs/ADMIN.md lists the codes.

export const notFound = (): AdminAnswer =>
  problemAnswer(
    404,
    "not_found",
    "There is nothing here. There is /, /docs, /metrics, /livez, /readyz, /openapi.json and /v1/….",
  )

/** A page of the dashboard that was not installed. */
export const pageMissing = (): AdminAnswer =>
  problemAnswer(404, "not_found", "The files of this page are not installed. The API is there, at /v1/….")

export const methodNotAllowed = (): AdminAnswer =>
  problemAnswer(405, "method_not_allowed", "This path only answers GET and HEAD.", [["Allow", "GET, HEAD"]])

export const socketOnly = (): AdminAnswer =>
  problemAnswer(403, "socket_only", "This is only answered on the admin socket, to who may use the proxy's files.")

export const internalError = (): AdminAnswer =>
  problemAnswer(500, "internal_error", "Something went wrong. The log says what.")

export const tooManyReaders = (): AdminAnswer =>
  problemAnswer(503, "too_many_readers", "Too many streams of events are open here. Close one, or try again later.", [
    ["Retry-After", "5"],
  ])

/** A relay does not reach its proxy. */
export const proxyGone = (): AdminAnswer =>
  problemAnswer(502, "proxy_gone", "The proxy does not answer on its admin socket. Perhaps it is being started again.")

// Who asks, and from where.

export const hostUnclear = (): AdminAnswer =>
  problemAnswer(400, "bad_request", "A request has one Host field, with a name or an address.")

export const hostForbidden = (): AdminAnswer =>
  problemAnswer(
    421,
    "host_forbidden",
    "This listener answers under an IP address, localhost and the names of --admin-hosts. Use one of these, or add the name.",
  )

export const originForbidden = (): AdminAnswer =>
  problemAnswer(403, "origin_forbidden", "A page of another origin may not ask here.")

export const unauthorized = (): AdminAnswer =>
  problemAnswer(
    401,
    "unauthorized",
    "This needs a token: Authorization: Bearer TOKEN. The admin socket needs none, and hands tokens out.",
    [["WWW-Authenticate", "Bearer"]],
  )

export const tooManyTries = (seconds: number): AdminAnswer =>
  problemAnswer(429, "too_many_tries", "Too many wrong tokens came from this address. Wait, or use the admin socket.", [
    ["Retry-After", String(seconds)],
  ])

export const readOnly = (): AdminAnswer => problemAnswer(403, "read_only", "This token may only read, and no secrets.")

// What comes with a request.

/** `type`: what the body has to be. */
export const unsupportedMediaType = (type: string): AdminAnswer =>
  problemAnswer(415, "unsupported_media_type", `The body of this request has to be ${type}.`)

/** `most`: bytes. */
export const bodyTooLarge = (most: number): AdminAnswer =>
  problemAnswer(413, "body_too_large", `The body is larger than ${most} bytes.`)

/** `most`: bytes. */
export const headersTooLarge = (most: number): TextAnswer =>
  problemAnswer(431, "headers_too_large", `The head of the request is larger than ${most} bytes.`)

export const requestTimeout = (): TextAnswer =>
  problemAnswer(408, "request_timeout", "The request did not arrive in time.")

export const notHttp = (): TextAnswer => problemAnswer(400, "bad_request", "The request is not valid HTTP/1.1.")
