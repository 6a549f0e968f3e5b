import { Either } from "effect"
import type { WsPath } from "../domain/ProxyConfig.js"
import { BadRequest, SessionNotFound } from "../domain/ProxyError.js"
import type { DownstreamUrl } from "./DownstreamUrl.js"
import { isHost } from "./RequestFraming.js"

/** Where a request target leads. Texts are raw latin1, unless said otherwise. */
export type Route =
  | { readonly _tag: "Health" }
  /** The proxy as a whole: `OPTIONS *` (RFC 9112 section 3.2.4). */
  | { readonly _tag: "Proxy" }
  | {
      readonly _tag: "Session"
      /** Percent-decoded; for the lookup only. */
      readonly id: string
      /** The raw segment of the id, with the slash before it. */
      readonly segment: string
      /** All after that segment: nothing, a path, a query, or both. */
      readonly rest: string
      /** `/ws/{session_id}`: for WebSockets only. */
      readonly webSocketOnly: boolean
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

const parsePath = (path: string, authority: string | undefined): Either.Either<Route, BadRequest | SessionNotFound> => {
  if (path.includes("#")) return badTarget("The request target has a fragment.")
  const end = segmentEnd(path, 1)
  const first = decodeSegment(path.slice(1, end))
  if (first === undefined) return badTarget("The first path segment has a broken percent-encoding.")
  if (first === "health" && path[end] !== "/") return Either.right(health)
  if (first === "" || first === "health") return Either.left(new SessionNotFound({ sessionId: first }))
  if (first !== "ws") {
    const segment = path.slice(0, end)
    return Either.right({ _tag: "Session", id: first, segment, rest: path.slice(end), webSocketOnly: false, authority })
  }
  if (path[end] !== "/") return Either.left(new SessionNotFound({ sessionId: "" }))
  const idEnd = segmentEnd(path, end + 1)
  const id = decodeSegment(path.slice(end + 1, idEnd))
  if (id === undefined) return badTarget("The session id has a broken percent-encoding.")
  // Reserved ids: no session can have them.
  if (id === "" || id === "health" || id === "ws") return Either.left(new SessionNotFound({ sessionId: id }))
  const segment = path.slice(end, idEnd)
  return Either.right({ _tag: "Session", id, segment, rest: path.slice(idEnd), webSocketOnly: true, authority })
}

/**
 * Parses a request target (RFC 9112 section 3.2): origin-form, absolute-form, or asterisk-form for `OPTIONS`. Only the
 * segment of the session id is decoded; nothing is normalised.
 */
export const parseTarget = (method: string, target: string): Either.Either<Route, BadRequest | SessionNotFound> => {
  if (target.charCodeAt(0) === 0x2f) return parsePath(target, undefined)
  if (target === "*" && method === "OPTIONS") return Either.right(wholeProxy)
  const absolute = absoluteForm.exec(target)
  if (absolute === null) return badTarget("The request target is neither a path nor an absolute URL.")
  const [, authority = "", path = ""] = absolute
  if (authority === "" || authority.startsWith(":")) return badTarget("The request target names no host.")
  if (!isHost(authority)) return badTarget("What the request target names is not a host.")
  if (path === "" && method === "OPTIONS") return Either.right(wholeProxy)
  return parsePath(path.startsWith("/") ? path : `/${path}`, authority)
}

const joined = (basePath: string, rest: string): string =>
  rest.charCodeAt(0) === 0x2f ? basePath + rest : `${basePath}/${rest}`

/** Request target for the session's server: of a plain request, or of a WebSocket outside of `/ws`. */
export const downstreamTarget = (url: DownstreamUrl, rest: string): string => joined(url.basePath, rest)

/** Request target for the session's server: of a WebSocket to `/ws{segment}{rest}`. */
export const webSocketTarget = (url: DownstreamUrl, segment: string, rest: string, wsPath: WsPath): string => {
  switch (wsPath) {
    case "append":
      return url.basePath + segment + rest
    case "full":
      return `${url.basePath}/ws${segment}${rest}`
    case "strip":
      return joined(url.basePath, rest)
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
