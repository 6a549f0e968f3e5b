import { foldedName } from "../domain/FieldName.js"
import { type FieldEdits, keptFields } from "./FieldEdits.js"
import { nominatedBy, type RawFields } from "./HeaderFields.js"
import { foreignProxyStatus } from "./ProxyStatus.js"

/**
 * Fields that are not allowed as trailers (RFC 9110 section 6.5.1). A recipient that acts on the head has acted without
 * them; a recipient that merges them into the head acts on fields that were not checked. Fields that are known only
 * after the body, such as `Content-Digest` (RFC 9530) or `Server-Timing`, are allowed.
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
  // They route and trace the message.
  "cdn-loop",
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
  // They are request modifiers.
  "expect",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "pragma",
  "range",
  // They are control data of a response.
  "age",
  "cache-control",
  "date",
  "expires",
  "location",
  "retry-after",
  "vary",
  // They say how to process the content.
  "content-encoding",
  "content-range",
  "content-type",
])

/**
 * Whether a field may be a trailer, in any spelling of its name. `X-Forwarded-*` may not, because only the proxy sets
 * them.
 */
const mayBeTrailer = (name: string): boolean => {
  const folded = foldedName(name)
  return !notInTrailers.has(folded) && !folded.startsWith("x-forwarded-")
}

/**
 * The trailers to pass on; order, case and duplicates are kept. Removes fields that may not be trailers, fields that
 * `Connection` nominates in the message's `head`, those that `edits` take away, and members of `Proxy-Status` that name
 * this proxy.
 */
export const trailerFields = (received: RawFields, head: RawFields, edits?: FieldEdits): RawFields => {
  if (received.length === 0) return received
  const trailers = edits === undefined ? received : keptFields(received, edits)
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
