import type { ProxyError } from "../domain/ProxyError.js"
import { firstValue, type RawFields } from "./HeaderFields.js"
import { describeError, type Reply } from "./Reply.js"
import { proxyStatusName } from "./ProxyStatus.js"

/** Whose scripts may read the proxy's own answers, though they come from another origin (the Fetch standard, "CORS protocol"). */
export interface AllowedOrigins {
  /** Serialized, as browsers send them in `Origin`. These may send credentials, too. */
  readonly listed: ReadonlySet<string>
  /** All others, without credentials. */
  readonly any: boolean
}

/** What a setting says, which `Reading.origins` has read; `undefined` for `off`. */
export const allowedOrigins = (text: string): AllowedOrigins | undefined => {
  if (text === "off") return undefined
  const listed = new Set(text.split(","))
  return { any: listed.delete("*"), listed }
}

/** The fields that let a script of this origin read an answer; none where it may not. */
const allowing = (origins: AllowedOrigins, fields: RawFields): RawFields => {
  const origin = firstValue(fields, "origin")
  if (origin !== undefined && origins.listed.has(origin))
    return ["Access-Control-Allow-Origin", origin, "Access-Control-Allow-Credentials", "true"]
  return origins.any ? ["Access-Control-Allow-Origin", "*"] : []
}

const exposed = ["Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Proxy-Status"]

/** An answer to a request with these fields that scripts of these origins may read, unless it says itself whose may. */
export const readableBy = (reply: Reply, origins: AllowedOrigins, fields: RawFields): Reply => {
  if (firstValue(reply.fields, "access-control-allow-origin") !== undefined) return reply
  const allowed = allowing(origins, fields)
  // Caches keep the answers to different origins apart (RFC 9110 section 12.5.5).
  const varied = reply.fields.map((text, index) => (reply.fields[index - 1] === "Vary" ? `${text}, Origin` : text))
  return { ...reply, fields: [...varied, ...allowed, ...(allowed.length > 0 ? exposed : [])] }
}

/** Errors that no server has a part in: what is asked behind a preflight has the same, unless the session has changed. */
const withoutServer: ReadonlySet<ProxyError["_tag"]> = new Set<ProxyError["_tag"]>([
  "SessionNotFound",
  "SessionUnavailable",
  "DownstreamUrlInvalid",
  "SessionPolicyInvalid",
  "SessionControlInvalid",
  "DownstreamUnreachable",
])

/** What an answer of the proxy's own may repeat, for it is written as UTF-8. */
const printable = /^[\t\u0020-\u007e]*$/

/**
 * The answer to a preflight that would end in an error, of which no script ever sees anything: it lets the script ask, and so
 * see the error. `undefined` where the request is no preflight, or of an origin that is not allowed, or where a server might
 * answer what is asked then. It is not kept: the next preflight may be the server's to answer.
 */
export const preflightReply = (
  origins: AllowedOrigins,
  method: string,
  fields: RawFields,
  error: ProxyError,
): Reply | undefined => {
  if (method !== "OPTIONS" || !withoutServer.has(error._tag)) return undefined
  const asked = firstValue(fields, "access-control-request-method")
  if (asked === undefined || !printable.test(asked) || firstValue(fields, "origin") === undefined) return undefined
  const allowed = allowing(origins, fields)
  if (allowed.length === 0) return undefined
  const names = firstValue(fields, "access-control-request-headers")
  return {
    _tag: "Reply",
    status: 204,
    reason: "No Content",
    fields: [
      ...allowed,
      "Access-Control-Allow-Methods",
      asked,
      ...(names !== undefined && printable.test(names) ? ["Access-Control-Allow-Headers", names] : []),
      "Access-Control-Max-Age",
      "0",
      "Vary",
      "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
      "Cache-Control",
      "no-store",
      "Proxy-Status",
      `${proxyStatusName}; error=${describeError(error).proxyStatus}`,
    ],
    body: "",
  }
}
