import { foldedName } from "./FieldName.js"
import { nominatedBy, type RawFields } from "./HeaderFields.js"
import { foreignProxyStatus } from "./ProxyStatus.js"

/**
 * Fields that mean nothing, or harm, behind a body: whoever reads the head has acted without them, and whoever puts them to
 * the head's acts on what nobody has checked (RFC 9110 section 6.5.1). What tells of the body once it is there, such as
 * `Content-Digest` (RFC 9530) or `Server-Timing`, is none of them.
 */
const notInTrailers: ReadonlySet<string> = new Set([
  // They frame the message, or belong to its connection.
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // They say where it goes, where it has been, and by whom it is known.
  "forwarded",
  "host",
  "max-forwards",
  "traceparent",
  "tracestate",
  "via",
  "x-request-id",
  // They authenticate.
  "authorization",
  "cookie",
  "proxy-authenticate",
  "proxy-authorization",
  "set-cookie",
  "www-authenticate",
  // They change what a request asks for.
  "expect",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "pragma",
  "range",
  // They say what is to be done with a response.
  "age",
  "cache-control",
  "date",
  "expires",
  "location",
  "retry-after",
  "vary",
  // They say how content is to be read.
  "content-encoding",
  "content-range",
  "content-type",
])

/** Whether a field may stand behind a body, in any spelling of its name. `X-Forwarded-*` may not: they are the proxy's. */
const mayBeTrailer = (name: string): boolean => {
  const folded = foldedName(name)
  return !notInTrailers.has(folded) && !folded.startsWith("x-forwarded-")
}

/**
 * Trailer pairs that may be passed on, in order, with duplicates and case: without those that may not be trailers, those
 * that `Connection` nominates in the fields of their message (`head`), and what claims to be the proxy's own status.
 */
export const trailerFields = (trailers: RawFields, head: RawFields): RawFields => {
  if (trailers.length === 0) return trailers
  const nominated = nominatedBy(head)
  const out: Array<string> = []
  for (let index = 0; index + 1 < trailers.length; index += 2) {
    const name = trailers[index] ?? ""
    const value = trailers[index + 1] ?? ""
    const lowerCased = name.toLowerCase()
    if (!mayBeTrailer(name) || nominated?.has(lowerCased) === true) continue
    const kept = lowerCased === "proxy-status" ? foreignProxyStatus(value) : value
    if (kept !== undefined) out.push(name, kept)
  }
  return out
}
