import { foldedName } from "../domain/FieldName.js"
import { keptFields } from "./FieldEdits.js"
import { detachedCopy } from "./DetachedCopy.js"
import { foreignProxyStatus } from "./ProxyStatus.js"
import { randomHex } from "./RandomHex.js"
import type { RequestRules } from "./RequestRules.js"
import { type TraceFields, traceParent } from "./TraceContext.js"

/** Raw field pairs, flat: name, value, name, value. Order, case and duplicates are the sender's. */
export type RawFields = ReadonlyArray<string>

/** How a field is treated on its way through. Everything not listed is passed on. */
const enum Treatment {
  PassOn,
  /** Belongs to one hop, or is written anew (RFC 9110 section 7.6.1). */
  Remove,
  /** Written as no field that is removed or written anew, but some servers would read it as one. */
  Imitation,
  Connection,
  Te,
  Host,
  Via,
  CdnLoop,
  ForwardedFor,
  ForwardedHost,
  ForwardedProto,
  ForwardedPrefix,
  ForwardedOther,
  RequestId,
  TraceParent,
  TraceState,
  Authorization,
  ContentLength,
  Trailer,
  Date,
  ProxyStatus,
}

const treatments: ReadonlyMap<string, Treatment> = new Map([
  ["connection", Treatment.Connection],
  ["keep-alive", Treatment.Remove],
  ["proxy-connection", Treatment.Remove],
  ["proxy-authenticate", Treatment.Remove],
  ["proxy-authorization", Treatment.Remove],
  ["transfer-encoding", Treatment.Remove],
  ["upgrade", Treatment.Remove],
  ["te", Treatment.Te],
  ["host", Treatment.Host],
  ["via", Treatment.Via],
  ["cdn-loop", Treatment.CdnLoop],
  ["x-forwarded-for", Treatment.ForwardedFor],
  ["x-forwarded-host", Treatment.ForwardedHost],
  ["x-forwarded-proto", Treatment.ForwardedProto],
  ["x-forwarded-prefix", Treatment.ForwardedPrefix],
  ["x-request-id", Treatment.RequestId],
  ["traceparent", Treatment.TraceParent],
  ["tracestate", Treatment.TraceState],
  ["authorization", Treatment.Authorization],
  ["content-length", Treatment.ContentLength],
  ["trailer", Treatment.Trailer],
  ["date", Treatment.Date],
  ["proxy-status", Treatment.ProxyStatus],
])

/** What a request may not imitate: everything above that is not simply the sender's own, and the hops it may take. */
const notImitable: ReadonlySet<string> = new Set([
  "cdn-loop",
  "content-length",
  "keep-alive",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "transfer-encoding",
  "x-request-id",
])

/**
 * Fields that `Connection` cannot remove, whoever nominates them: they frame, route, authenticate or describe the
 * message, so that removing one would change what it means (RFC 9110 section 7.6.1 forbids nominating end-to-end fields).
 */
const notNominable: ReadonlySet<string> = new Set([
  "accept",
  "authorization",
  "cache-control",
  "cdn-loop",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expect",
  "forwarded",
  "host",
  "location",
  "origin",
  "range",
  "referer",
  "set-cookie",
  "traceparent",
  "tracestate",
  "trailer",
  "via",
  "www-authenticate",
  "x-real-ip",
  "x-request-id",
])

const isForwarded = (name: string): boolean => name.startsWith("x-forwarded-")

const isNominable = (name: string): boolean =>
  !notNominable.has(name) && !isForwarded(name) && !name.startsWith("sec-websocket-")

const treatmentOf = (lowerCased: string): Treatment => {
  const known = treatments.get(lowerCased)
  if (known !== undefined) return known
  if (isForwarded(lowerCased)) return Treatment.ForwardedOther
  const folded = foldedName(lowerCased)
  const isImitation = folded !== lowerCased && (notImitable.has(folded) || isForwarded(folded))
  return isImitation ? Treatment.Imitation : Treatment.PassOn
}

/**
 * Treatments by the spelling that senders use, so that the common ones are not lower-cased again and again. Begun anew
 * when it is full: what is common is there again at once, and what somebody made up is not kept for good.
 */
const bySpelling = new Map<string, Treatment>()
const rememberedSpellings = 2_000

const treatment = (name: string): Treatment => {
  const known = bySpelling.get(name)
  if (known !== undefined) return known
  const found = treatmentOf(name.toLowerCase())
  if (name.length >= 64) return found
  if (bySpelling.size >= rememberedSpellings) bySpelling.clear()
  bySpelling.set(detachedCopy(name), found)
  return found
}

/** The value of the first field of this name (lower-cased), or `undefined`. */
export const firstValue = (fields: RawFields, name: string): string | undefined => {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const other = fields[index]
    if (other?.length === name.length && other.toLowerCase() === name) return fields[index + 1]
  }
  return undefined
}

/** How many fields have this name (lower-cased). */
export const countOf = (fields: RawFields, name: string): number => {
  let count = 0
  for (let index = 0; index < fields.length; index += 2) if (fields[index]?.toLowerCase() === name) count++
  return count
}

/** All fields but those of this name (lower-cased). */
export const without = (fields: RawFields, name: string): Array<string> => {
  const out: Array<string> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]?.toLowerCase() !== name) out.push(fields[index] ?? "", fields[index + 1] ?? "")
  }
  return out
}

/** The members of a comma-separated list, lower-cased, without the empty ones (RFC 9110 section 5.6.1). */
export const listMembers = (value: string): ReadonlyArray<string> =>
  value
    .toLowerCase()
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "")

// Lengths of names: to compare them first leaves most fields alone.
const connectionLength = "connection".length
const requestIdLength = "x-request-id".length

/** Names, lower-cased, that the `Connection` fields nominate for removal; `undefined` for none, the common case. */
export const nominatedBy = (fields: RawFields): ReadonlySet<string> | undefined => {
  let nominated: Set<string> | undefined
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]
    if (name?.length !== connectionLength || treatment(name) !== Treatment.Connection) continue
    const value = fields[index + 1] ?? ""
    if (value === "keep-alive" || value === "close" || value === "Keep-Alive") continue
    for (const name of listMembers(value)) {
      if (name === "keep-alive" || name === "close" || name === "upgrade" || name === "te" || !isNominable(name))
        continue
      nominated ??= new Set()
      nominated.add(name)
    }
  }
  return nominated
}

/** What the proxy knows about a request and tells its session's server. */
export interface ForwardContext {
  /** `Host` of the session's server. */
  readonly authority: string
  /** Credentials of the session's URL, used where the client sent none. */
  readonly authorization: string | undefined
  /** Host that the client asked for. */
  readonly clientHost: string | undefined
  /** Address of the client's end of the connection. */
  readonly clientAddress: string
  /** Whether that client's word about `X-Forwarded-*` counts. */
  readonly trusted: boolean
  readonly proto: "http" | "https"
  /** The part of the path that is removed; `""` for none. */
  readonly prefix: string
  /** Version of HTTP that the client speaks, for `Via`. */
  readonly httpVersion: string
  /** This proxy's name in `Via`, unique to the process. */
  readonly pseudonym: string
  /** Id of the request: the client's own, or a new one. */
  readonly requestId: string
  readonly trace: TraceFields
  readonly rules: RequestRules
}

const acceptableRequestId = /^[\u0021-\u007e]{1,200}$/

/** The id that a request came with, where it is one that can be logged and passed on. */
export const receivedRequestId = (fields: RawFields): string | undefined => {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index]
    if (name?.length !== requestIdLength || treatment(name) !== Treatment.RequestId) continue
    const value = fields[index + 1] ?? ""
    if (acceptableRequestId.test(value)) return value
  }
  return undefined
}

/** The id that a request came with, or a new one: 32 hex digits. */
export const requestIdOf = (fields: RawFields): string => receivedRequestId(fields) ?? randomHex(16)

const appended = (earlier: string, value: string): string => (earlier === "" ? value : `${earlier}, ${value}`)

const traceIdPattern = /^(?!0{32})[0-9a-f]{32}$/

/**
 * A `traceparent` (W3C Trace Context) for a request that came without one. A request id of ours serves as trace id too,
 * so that log and trace can be brought together. It does not say "sampled": nobody here has recorded the span it names.
 */
const newTraceParent = (requestId: string, isOurs: boolean): string => {
  const isTraceId = (isOurs && requestId.length === 32) || traceIdPattern.test(requestId)
  return traceParent(isTraceId ? requestId : randomHex(16), randomHex(8), false)
}

/** What this proxy and its like call themselves in `Via` and `CDN-Loop`. */
const pseudonyms = /\bss-proxy-[\da-f]{8}\b/g

/**
 * The members of `CDN-Loop` (RFC 8586) where the server gets no `Via`: those that came, this proxy, and those of its like
 * that `Via` has named so far, for these look for themselves when the request comes back.
 */
const loopMembers = (loop: string, via: string, pseudonym: string): string =>
  [loop, ...(via.match(pseudonyms) ?? []), pseudonym].filter((member) => member !== "").join(", ")

/**
 * The fields of a request as its session's server gets them, or `undefined` where `Via` or `CDN-Loop` says that the request
 * has been through this proxy before. End-to-end fields go on in order, with duplicates and case; hop-by-hop ones are left out.
 */
export const requestFields = (received: RawFields, context: ForwardContext): Array<string> | undefined => {
  const { rules } = context
  const { edits } = rules
  const fields = edits === undefined ? received : keptFields(received, edits)
  const nominated = nominatedBy(fields)
  const out: Array<string> = ["Host", context.authority]
  let via = ""
  let loop = ""
  let forwardedFor = ""
  let forwardedHost = ""
  let forwardedProto = ""
  let forwardedPrefix = ""
  let hasTraceParent = false
  let hasRequestId = false
  let hasAuthorization = false
  let wantsTrailers = false
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    const value = fields[index + 1] ?? ""
    switch (treatment(name)) {
      case Treatment.PassOn:
      case Treatment.ContentLength:
      case Treatment.Trailer:
      case Treatment.Date:
      case Treatment.ProxyStatus:
        if (nominated === undefined || !nominated.has(name.toLowerCase())) out.push(name, value)
        break
      case Treatment.Authorization:
        hasAuthorization = true
        out.push(name, value)
        break
      case Treatment.TraceParent:
        if (context.trace.replaced !== undefined) break
        hasTraceParent = true
        out.push(name, value)
        break
      case Treatment.TraceState:
        if (context.trace.keepsState) out.push(name, value)
        break
      case Treatment.Te:
        wantsTrailers ||= listMembers(value).some((coding) => coding === "trailers" || coding.startsWith("trailers;"))
        break
      case Treatment.Via:
        if (value.includes(context.pseudonym)) return undefined
        via = appended(via, value)
        break
      case Treatment.CdnLoop:
        if (value.includes(context.pseudonym)) return undefined
        if (rules.via) out.push(name, value)
        else loop = appended(loop, value)
        break
      case Treatment.ForwardedFor:
        if (context.trusted) forwardedFor = appended(forwardedFor, value)
        break
      case Treatment.ForwardedHost:
        if (context.trusted && forwardedHost === "") forwardedHost = value
        break
      case Treatment.ForwardedProto:
        if (context.trusted && forwardedProto === "") forwardedProto = value
        break
      case Treatment.ForwardedPrefix:
        if (context.trusted && forwardedPrefix === "") forwardedPrefix = value
        break
      case Treatment.ForwardedOther:
        if (context.trusted && rules.forwarded) out.push(name, value)
        break
      case Treatment.Connection:
      case Treatment.Host:
      case Treatment.Imitation:
      case Treatment.Remove:
        break
      case Treatment.RequestId:
        hasRequestId = true
        break
    }
  }
  if (wantsTrailers) out.push("TE", "trailers")
  if (edits !== undefined) out.push(...edits.set)
  if (!hasAuthorization && context.authorization !== undefined && edits?.named.has("authorization") !== true)
    out.push("Authorization", context.authorization)
  if (rules.forwarded) {
    out.push("X-Forwarded-For", appended(forwardedFor, context.clientAddress))
    const host = forwardedHost === "" ? context.clientHost : forwardedHost
    if (host !== undefined) out.push("X-Forwarded-Host", host)
    out.push("X-Forwarded-Proto", forwardedProto === "" ? context.proto : forwardedProto)
    const prefix = forwardedPrefix + context.prefix
    if (prefix !== "") out.push("X-Forwarded-Prefix", prefix)
  }
  if (rules.via) out.push("Via", appended(via, `${context.httpVersion} ${context.pseudonym}`))
  else out.push("CDN-Loop", loopMembers(loop, via, context.pseudonym))
  out.push("X-Request-Id", context.requestId)
  const { added, replaced } = context.trace
  if (replaced !== undefined) out.push("traceparent", replaced)
  else if (added && !hasTraceParent) out.push("traceparent", newTraceParent(context.requestId, !hasRequestId))
  return out
}

/**
 * The fields of a 1xx response as the client gets them: all but the hop-by-hop ones, in order, with duplicates and case. It
 * has no content, and says nothing of its length (RFC 9110 section 8.6).
 */
export const interimFields = (fields: RawFields): Array<string> => {
  const nominated = nominatedBy(fields)
  const out: Array<string> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    const value = fields[index + 1] ?? ""
    switch (treatment(name)) {
      case Treatment.Connection:
      case Treatment.ContentLength:
      case Treatment.Remove:
      case Treatment.Te:
        break
      case Treatment.ProxyStatus: {
        const others = nominated?.has("proxy-status") === true ? undefined : foreignProxyStatus(value)
        if (others !== undefined) out.push(name, others)
        break
      }
      default:
        if (nominated === undefined || !nominated.has(name.toLowerCase())) out.push(name, value)
    }
  }
  return out
}

/** The fields of a final response as lines for the client, and what they say about its body. */
export interface ResponseLines {
  readonly text: string
  /** Value of `Content-Length`. */
  readonly length: string | undefined
  /** Whether there is a `Trailer` among them, which only stands with a body in chunks. */
  readonly announcesTrailers: boolean
  /** Whether its server has dated it. */
  readonly isDated: boolean
}

/**
 * The fields of a final response of this status as the client gets them: all but the hop-by-hop ones, in order, with
 * duplicates and case. A 204 has no `Content-Length` (RFC 9110 section 8.6). `withTrailer`: whether a `Trailer` field
 * is passed on.
 */
export const responseLines = (fields: RawFields, status: number, withTrailer = true): ResponseLines => {
  const nominated = nominatedBy(fields)
  let text = ""
  let length: string | undefined
  let announcesTrailers = false
  let isDated = false
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    switch (treatment(name)) {
      case Treatment.Connection:
      case Treatment.Remove:
      case Treatment.Te:
        break
      case Treatment.Trailer:
        announcesTrailers = true
        if (withTrailer) text += `${name}: ${fields[index + 1]}\r\n`
        break
      case Treatment.ContentLength:
        if (status === 204) break
        length = fields[index + 1]
        text += `${name}: ${length}\r\n`
        break
      case Treatment.Date:
        isDated = true
        text += `${name}: ${fields[index + 1]}\r\n`
        break
      case Treatment.ProxyStatus: {
        const others = nominated?.has("proxy-status") === true ? undefined : foreignProxyStatus(fields[index + 1] ?? "")
        if (others !== undefined) text += `${name}: ${others}\r\n`
        break
      }
      default:
        if (nominated === undefined || !nominated.has(name.toLowerCase())) text += `${name}: ${fields[index + 1]}\r\n`
    }
  }
  return { text, length, announcesTrailers, isDated }
}
