import { Either } from "effect"
import type { PathRule, WsPath } from "../domain/ProxyConfig.js"
import { BadRequest, SessionNotFound } from "../domain/ProxyError.js"
import type { DownstreamUrl } from "./DownstreamUrl.js"
import { isHost } from "./RequestFraming.js"
import { isLabel, type SessionHosts } from "./SessionHosts.js"

/** Where a request target leads. Texts are raw latin1, unless said otherwise. */
export type Route =
  | { readonly _tag: "Health" }
  /** The proxy as a whole: `OPTIONS *` (RFC 9112 section 3.2.4). */
  | { readonly _tag: "Proxy" }
  | {
      readonly _tag: "Session"
      /** Percent-decoded; for the lookup only. */
      readonly id: string
      /** The raw segment of the id, with the slash before it; `""` where the host names the session. */
      readonly segment: string
      /** All after that segment: nothing, a path, a query, or both. Where the host names the session, the whole path. */
      readonly rest: string
      /** `/ws/{session_id}`: for WebSockets only. */
      readonly webSocketOnly: boolean
      /** The host names the session, and no part of the path does. */
      readonly byHost: boolean
      /** Authority of an absolute-form target, which replaces the `Host` field (RFC 9112 section 3.2.2). */
      readonly authority: string | undefined
    }

const health: Route = { _tag: "Health" }
const wholeProxy: Route = { _tag: "Proxy" }
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const percentEncoded = /%[0-9A-Fa-f]{2}/g
const plainSegment = /^[\w.~!$&'()*+,;=:@-]*$/
const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/is

/**
 * Decodes the percent-encoding of a segment once. `undefined` if the encoding is invalid or the bytes are not UTF-8.
 */
const decodeSegment = (segment: string): string | undefined => {
  if (plainSegment.test(segment)) return segment
  if (segment.replace(percentEncoded, "").includes("%")) return undefined
  const bytes = segment.replace(percentEncoded, (encoded) => String.fromCharCode(Number.parseInt(encoded.slice(1), 16)))
  try {
    return utf8.decode(Buffer.from(bytes, "latin1"))
  } catch {
    return undefined
  }
}

/** The end of the segment that begins at `start`. */
const segmentEnd = (path: string, start: number): number => {
  for (let index = start; index < path.length; index++) {
    const code = path.charCodeAt(index)
    if (code === 0x2f || code === 0x3f) return index
  }
  return path.length
}

const badTarget = (detail: string) => Either.left(new BadRequest({ detail }))
const notFound = (sessionId: string) => Either.left(new SessionNotFound({ sessionId }))

type Parsed = Either.Either<Route, BadRequest | SessionNotFound>

/** Ids that no session can have. */
const isReserved = (id: string): boolean => id === "" || id === "health" || id === "ws"

const sessionByPath = (
  id: string,
  segment: string,
  rest: string,
  webSocketOnly: boolean,
  authority: string | undefined,
): Parsed => Either.right({ _tag: "Session", id, segment, rest, webSocketOnly, byHost: false, authority })

const parsePath = (path: string, authority: string | undefined): Parsed => {
  const end = segmentEnd(path, 1)
  const first = decodeSegment(path.slice(1, end))
  if (first === undefined) return badTarget("The first path segment has a broken percent-encoding.")
  if (first === "health" && path[end] !== "/") return Either.right(health)
  if (first === "" || first === "health") return notFound(first)
  if (first !== "ws") return sessionByPath(first, path.slice(0, end), path.slice(end), false, authority)
  if (path[end] !== "/") return notFound("")
  const idEnd = segmentEnd(path, end + 1)
  const id = decodeSegment(path.slice(end + 1, idEnd))
  if (id === undefined) return badTarget("The session id has a broken percent-encoding.")
  if (isReserved(id)) return notFound(id)
  return sessionByPath(id, path.slice(end, idEnd), path.slice(idEnd), true, authority)
}

/** Whose name the host is, decides before any path does: on a session's name no path is another session's, or the proxy's. */
const parseNamed = (
  path: string,
  authority: string | undefined,
  host: string | undefined,
  hosts: SessionHosts | undefined,
): Parsed => {
  if (path.includes("#")) return badTarget("The request target has a fragment.")
  const id = hosts === undefined || host === undefined ? undefined : hosts.below(host)
  if (id === undefined) return parsePath(path, authority)
  if (!isLabel(id) || isReserved(id)) return notFound(id)
  return Either.right({ _tag: "Session", id, segment: "", rest: path, webSocketOnly: false, byHost: true, authority })
}

/**
 * Parses a request target (RFC 9112 section 3.2): origin-form, absolute-form, or asterisk-form for `OPTIONS`, which is about
 * the proxy under any name. Only the segment of the session id is decoded; nothing is normalised. `host`: the `Host` field,
 * in whose place comes the authority of an absolute-form target; it counts where there are `hosts`.
 */
export const parseTarget = (method: string, target: string, host?: string, hosts?: SessionHosts): Parsed => {
  if (target.charCodeAt(0) === 0x2f) return parseNamed(target, undefined, host, hosts)
  if (target === "*" && method === "OPTIONS") return Either.right(wholeProxy)
  const absolute = absoluteForm.exec(target)
  if (absolute === null) return badTarget("The request target is neither a path nor an absolute URL.")
  const [, authority = "", path = ""] = absolute
  if (authority === "" || authority.startsWith(":")) return badTarget("The request target names no host.")
  if (!isHost(authority)) return badTarget("What the request target names is not a host.")
  if (path === "" && method === "OPTIONS") return Either.right(wholeProxy)
  return parseNamed(path.startsWith("/") ? path : `/${path}`, authority, authority, hosts)
}

/** The template of a route's path, such as `/{session_id}`, for whoever groups requests by it; `undefined` where it has none. */
export const routeTemplate = (route: Route): string | undefined => {
  if (route._tag === "Health") return "/health"
  if (route._tag === "Proxy" || route.byHost) return undefined
  return route.webSocketOnly ? "/ws/{session_id}" : "/{session_id}"
}

/** A request that has no path of its own asks for the stored path exactly: no slash is added to it. */
const joined = ({ basePath, storedPath }: DownstreamUrl, rest: string): string =>
  (rest.charCodeAt(0) === 0x2f ? basePath : storedPath) + rest

/** What of a route counts for what becomes of its path. */
type PathOfRoute = Pick<Extract<Route, { readonly _tag: "Session" }>, "rest" | "segment">

/** Request target for the session's server: of a plain request, or of a WebSocket outside of `/ws`. */
export const plainTarget = (url: DownstreamUrl, { rest, segment }: PathOfRoute, rule: PathRule): string =>
  rule === "keep" ? url.basePath + segment + rest : joined(url, rest)

/** The prefix that the proxy removes from such a path, for `X-Forwarded-Prefix`; `""` for none. */
export const plainPrefix = ({ segment }: PathOfRoute, rule: PathRule): string => (rule === "keep" ? "" : segment)

/** Request target for the session's server: of a WebSocket to `/ws{segment}{rest}`. */
export const webSocketTarget = (url: DownstreamUrl, segment: string, rest: string, wsPath: WsPath): string => {
  switch (wsPath) {
    case "append":
      return url.basePath + segment + rest
    case "full":
      return `${url.basePath}/ws${segment}${rest}`
    case "strip":
      return joined(url, rest)
  }
}

/** The prefix that the proxy removes from the path, for `X-Forwarded-Prefix`. */
export const webSocketPrefix = (segment: string, wsPath: WsPath): string => {
  switch (wsPath) {
    case "append":
      return "/ws"
    case "full":
      return ""
    case "strip":
      return `/ws${segment}`
  }
}
