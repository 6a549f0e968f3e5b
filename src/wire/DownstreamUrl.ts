import { Data, Either } from "effect"

/** A session's `downstream_server_url`, parsed. */
export interface DownstreamUrl {
  /** TLS: the scheme was `https` or `wss`. */
  readonly secure: boolean
  /** Host to connect to: a name, an IPv4 or an IPv6 address without brackets. */
  readonly hostname: string
  readonly port: number
  /** The `Host` field of requests (RFC 9110 section 7.2), without the port if it is the scheme's default. */
  readonly authority: string
  /** Raw path that precedes the path of requests, without a slash at its end; `""` for none. */
  readonly basePath: string
  /** The whole path as stored, for a request that has no path of its own; `/` if none is stored. */
  readonly storedPath: string
  /** `Basic …` from the URL's user info, for requests without `Authorization`. */
  readonly authorization: string | undefined
}

/** A text is not a downstream URL. `problem` is a phrase that does not quote the URL. */
export class InvalidDownstreamUrl extends Data.TaggedError("InvalidDownstreamUrl")<{ readonly problem: string }> {}

const secureness: Readonly<Record<string, boolean>> = { "http:": false, "ws:": false, "https:": true, "wss:": true }
const schemePattern = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//
const spaceAround = /^\s|\s$/
const quoteAround = /^["'`\u2018-\u201f]|["`\u2018-\u201f]$/
const forbiddenBytes = /[\u0000-\u0020\u007f\\]/
const loneSurrogate = /\p{Surrogate}/u
const emptyAuthority = /^[^/]*\/\/(?:$|[/?#])/
const afterAuthority = /^[^/]*\/\/[^/?#]*([^?#]*)/
/** A scheme name without `://`, unless it is the beginning of a host name, or a host and a port. */
const schemeWithoutSlashes = /^(?:https?|wss?)(?![\w.-]|:\d+(?:[/?#]|$))/i
/** `host:/path`, `host:` and `host//path`: likely a misspelt scheme. */
const likeScheme = /^[^/?#@]*:(?:[/?#]|$)|^[^:/?#@]*\/\//
/** A scheme after the scheme. */
const secondScheme = /^[^/?#@]*:\/\/|^(?:https?|wss?)(?::\/|\/\/)/i
/** A host name as `URL` normalises it; IPv6 addresses are in brackets. */
const hostPattern = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/

const invalid = (problem: string) => Either.left(new InvalidDownstreamUrl({ problem }))

/** An `@` behind what ends the authority (RFC 3986 section 3.2): a password may have been cut in two there. */
const cutUserInfo = /^[^/]*\/\/[^/?#@]*[/?#][^]*@/

/** The same of a URL that perhaps would be one if its password were encoded. */
const invalidUnlessEncoded = (url: string, problem: string) =>
  invalid(
    cutUserInfo.test(url)
      ? `${problem}; in a user name or password, write / as %2F, ? as %3F and # as %23 (percent-encoding)`
      : problem,
  )

/** Detects a misspelt scheme, which `URL` would take for a host name. */
const schemeProblem = (text: string): string | undefined => {
  const scheme = schemePattern.exec(text)?.[0]
  if (scheme !== undefined)
    return secondScheme.test(text.slice(scheme.length)) ? "it begins with two schemes; leave one out" : undefined
  return schemeWithoutSlashes.test(text) || likeScheme.test(text)
    ? "its scheme is misspelt; write http:// or https:// before the host"
    : undefined
}

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

/**
 * The path as it was written, not normalised; only characters that a request line cannot contain are encoded (UTF-8).
 */
const rawPath = (text: string): string => {
  const path = afterAuthority.exec(text)?.[1] ?? ""
  return path.replace(/[^\u0021-\u007e]+/g, encodeURIComponent)
}

/** Space, tab, and what breaks lines. */
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13)

/** The URL without whitespace around it, which means nothing: shells and other programs leave it in rows. */
export const trimUrl = (text: string): string => {
  let [from, to] = [0, text.length]
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

/**
 * Parses a stored URL: `http`, `https`, `ws`, `wss`, or no scheme, which means `http`. A base path is kept byte for
 * byte. A query or a fragment is refused, because a request has no place for it. Whitespace around it is left out.
 */
export const parseDownstreamUrl = (stored: string): Either.Either<DownstreamUrl, InvalidDownstreamUrl> => {
  const text = trimUrl(stored)
  if (text === "") return invalid("it is empty")
  if (spaceAround.test(text)) return invalid("it has an unusual kind of space before or after it; remove that")
  if (quoteAround.test(text)) return invalid("it has a quotation mark before or after it; remove that")
  if (forbiddenBytes.test(text)) return invalid("it holds a space, a backslash or a control character")
  if (loneSurrogate.test(text)) return invalid("it is not valid Unicode")
  const problem = schemeProblem(text)
  if (problem !== undefined) return invalid(problem)
  const withScheme = schemePattern.test(text) ? text : `http://${text}`
  if (emptyAuthority.test(withScheme)) return invalid("it names no host")
  const url = parseUrl(withScheme)
  if (url === undefined) return invalidUnlessEncoded(withScheme, "it is not a URL such as http://host:port/path")
  const secure = secureness[url.protocol]
  if (secure === undefined) return invalid(`its scheme is "${url.protocol.slice(0, -1)}"; use http, https, ws or wss`)
  if (withScheme.includes("?"))
    return invalidUnlessEncoded(withScheme, "it has a query; a downstream URL may only have a path")
  if (withScheme.includes("#"))
    return invalidUnlessEncoded(withScheme, "it has a fragment; a downstream URL may only have a path")
  if (url.hostname === "") return invalid("it names no host")
  if (!hostPattern.test(url.hostname)) return invalid("its host has a character that no name of a host has")
  if (url.port === "0") return invalid("its port is 0")
  const defaultPort = secure ? 443 : 80
  const port = url.port === "" ? defaultPort : Number(url.port)
  const authorization = basicAuthorization(url)
  if (authorization === undefined && (url.username !== "" || url.password !== ""))
    return invalid("its user name or password has a broken percent-encoding")
  const path = rawPath(withScheme)
  return Either.right({
    secure,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port,
    authority: port === defaultPort ? url.hostname : `${url.hostname}:${port}`,
    basePath: path.replace(/\/$/, ""),
    storedPath: path === "" ? "/" : path,
    authorization,
  })
}

/** Schemes that are shown. An unknown scheme may be a part of the user info, so it is hidden. */
const knownScheme = /^(?:https?|wss?|sqlite|postgres(?:ql)?):\/\//i

/** Up to the last `@`. In an invalid URL, an encoded `@` or one of another width may have been meant as one. */
const untilAt = /^[^]*@/
const untilAnyAt = /^[^]*(?:@|%(?:25)*40|[\ufe6b\uff20])/

/** A query, with a character at least, and what is behind it. No downstream URL may have one; where it was stored anyway, it may hold a token. */
const query = /\?[^]+/

/** URLs of databases have queries of their own. */
const isOfDatabase = (scheme: string): boolean => /^(?:sqlite|postgres)/i.test(scheme)

/**
 * The URL without secrets and without whitespace around it, valid or not: replaces everything before the last `@` except the scheme. A password may
 * contain any character, so its end cannot be known, and a path that contains an `@` is hidden up to it. Replaces a query, too.
 */
export const redactUrl = (stored: string): string => {
  const text = trimUrl(stored)
  const scheme = knownScheme.exec(text)?.[0] ?? ""
  const until = Either.isRight(parseDownstreamUrl(text)) ? untilAt : untilAnyAt
  const rest = text.slice(scheme.length)
  const shown = until.test(rest) ? `${scheme}***@${rest.replace(until, "")}` : text
  return isOfDatabase(scheme) ? shown : shown.replace(query, "?***")
}
