import { Data, Either } from "effect"

/** Where a session's requests go: its `downstream_server_url`, taken apart once. */
export interface DownstreamUrl {
  /** TLS: the scheme was `https` or `wss`. */
  readonly secure: boolean
  /** Host to connect to: a name, an IPv4 or an IPv6 address without brackets. */
  readonly hostname: string
  readonly port: number
  /** The `Host` field of requests (RFC 9110 section 7.2): no port where it is the scheme's default. */
  readonly authority: string
  /** Path before the request's own, as stored, without a slash at its end; `""` for none. */
  readonly basePath: string
  /** `Basic …` made of the URL's user info, for requests that carry no authorization of their own. */
  readonly authorization: string | undefined
}

/** Why a text is no downstream URL. `problem` is a whole phrase and does not repeat the URL. */
export class InvalidDownstreamUrl extends Data.TaggedError("InvalidDownstreamUrl")<{ readonly problem: string }> {}

const secureness: Readonly<Record<string, boolean>> = { "http:": false, "ws:": false, "https:": true, "wss:": true }
const schemePattern = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//
const forbiddenBytes = /[\u0000-\u0020\u007f\\]/
const loneSurrogate = /\p{Surrogate}/u
const emptyAuthority = /^[^/]*\/\/(?:$|[/?#])/
const afterAuthority = /^[^/]*\/\/[^/?#]*([^?#]*)/

const invalid = (problem: string) => Either.left(new InvalidDownstreamUrl({ problem }))

const parseUrl = (text: string): URL | undefined => {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const basicAuthorization = (url: URL): string | undefined => {
  if (url.username === "" && url.password === "") return undefined
  const user = decoded(url.username)
  const password = decoded(url.password)
  if (user === undefined || password === undefined) return undefined
  return `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`
}

/** The path as it was written: nothing normalised, only what could not stand in a request line encoded as UTF-8. */
const rawPath = (text: string): string => {
  const path = afterAuthority.exec(text)?.[1] ?? ""
  return path.replace(/[^\u0021-\u007e]+/g, encodeURIComponent).replace(/\/$/, "")
}

/**
 * Reads a stored URL: `http`, `https`, `ws`, `wss`, or no scheme, which is `http`. A base path is kept byte for byte.
 * A query or a fragment is refused: there is no place for it in a request.
 */
export const parseDownstreamUrl = (text: string): Either.Either<DownstreamUrl, InvalidDownstreamUrl> => {
  if (text === "") return invalid("it is empty")
  if (forbiddenBytes.test(text)) return invalid("it holds a space, a backslash or a control character")
  if (loneSurrogate.test(text)) return invalid("it is not valid Unicode")
  const withScheme = schemePattern.test(text) ? text : `http://${text}`
  if (emptyAuthority.test(withScheme)) return invalid("it names no host")
  const url = parseUrl(withScheme)
  if (url === undefined) return invalid("it is not a URL such as http://host:port/path")
  const secure = secureness[url.protocol]
  if (secure === undefined) return invalid(`its scheme is "${url.protocol.slice(0, -1)}"; use http, https, ws or wss`)
  if (withScheme.includes("?")) return invalid("it has a query; a downstream URL may only have a path")
  if (withScheme.includes("#")) return invalid("it has a fragment; a downstream URL may only have a path")
  if (url.hostname === "") return invalid("it names no host")
  if (url.port === "0") return invalid("its port is 0")
  const defaultPort = secure ? 443 : 80
  const port = url.port === "" ? defaultPort : Number(url.port)
  const authorization = basicAuthorization(url)
  if (authorization === undefined && (url.username !== "" || url.password !== ""))
    return invalid("its user name or password has a broken percent-encoding")
  return Either.right({
    secure,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port,
    authority: port === defaultPort ? url.hostname : `${url.hostname}:${port}`,
    basePath: rawPath(withScheme),
    authorization,
  })
}

/** The URL as it may be shown: user info replaced. Works on unusable URLs too. */
export const redactUrl = (text: string): string =>
  text.replace(
    /^([A-Za-z][A-Za-z0-9+.-]*:\/\/)?[^/?#]*@/,
    (_match, scheme: string | undefined) => `${scheme ?? ""}***@`,
  )
