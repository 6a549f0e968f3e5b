import type { IncomingMessage } from "node:http"

/** Characters that mean the same when they are not encoded (RFC 3986 section 2.3). */
const unreserved = /[\w.~-]/

const decodeUnreserved = (encoded: string): string => {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
  return unreserved.test(character) ? character : encoded
}

/** One spelling of each path. The router of the API decodes what it finds, and takes a semicolon for the end of a path. */
const normalized = (path: string): string => path.replace(/%[0-9a-f]{2}/gi, decodeUnreserved).replaceAll(";", "%3B")

/**
 * The path and the query that a request asks for; what is in front of them in absolute form does not count. `undefined` where
 * there are none. Whoever looks at the path of a request looks at this one, so that none of them takes it for another.
 */
export const urlOf = ({ url = "/" }: Pick<IncomingMessage, "url">): URL | undefined => {
  // Two slashes at the beginning are a path here, and name no host.
  const absolute = url.startsWith("/") ? `http://admin${url}` : url
  if (!URL.canParse(absolute)) return undefined
  const found = new URL(absolute)
  found.pathname = normalized(found.pathname)
  return found
}
