/** Where cookies of a session's server may be sent to: to that session alone. */
export interface CookieView {
  /** Raw path of the server under which all is that the client reaches, without a slash at its end; `""`: all paths. */
  readonly base: string
  /** Raw path by which the client reaches that, without a slash at its end; `""`: the root. */
  readonly prefix: string
  /** Whether a browser that is told no path takes one below `prefix` (RFC 6265 section 5.1.4). */
  readonly defaultIsBelow: boolean
}

/** Browsers ignore an attribute that is longer. */
const longestPath = 1_024

/**
 * An attribute: its text with the semicolon before it, the name in small letters, and where its value stands in that text;
 * but for a path or a domain the text alone.
 */
interface Attribute {
  readonly text: string
  readonly name: string
  readonly value: string
  readonly valueAt: number
}

const trimmedEnd = (text: string): string => {
  let end = text.length
  while (end > 0 && (text[end - 1] === " " || text[end - 1] === "\t")) end--
  return text.slice(0, end)
}

/** Other attributes stay as they are, and a server may write tens of thousands of them into one cookie. */
const isPathOrDomain = /^;[\t ]*(?:path|domain)/i

/** Spaces and tabs around names and values do not count, quotation marks do (RFC 6265 section 5.2). */
const attributeOf = (text: string): Attribute => {
  if (!isPathOrDomain.test(text)) return { text, name: "", value: "", valueAt: text.length }
  const [, before = "", name = "", value = ""] = /^(;[\t ]*([^=]*)(?:=[\t ]*)?)([^]*)$/.exec(text) ?? []
  return { text, name: trimmedEnd(name).toLowerCase(), value: trimmedEnd(value), valueAt: before.length }
}

/** Where the attributes begin. */
const startOfAttributes = (cookie: string): number => {
  const semicolon = cookie.indexOf(";")
  return semicolon < 0 ? cookie.length : semicolon
}

const attributesOf = (cookie: string): Array<Attribute> =>
  cookie
    .slice(startOfAttributes(cookie))
    .split(";")
    .slice(1)
    .map((text) => attributeOf(`;${text}`))

/** Whether a request for `path` gets a cookie of the path `top` (RFC 6265 section 5.1.4). */
const matches = (path: string, top: string): boolean =>
  path.startsWith(top) && (path.length === top.length || top.endsWith("/") || path.charAt(top.length) === "/")

/** The path of a cookie as the client needs it: below the session's own, whatever it was. */
const pathForClient = (path: string, { base, prefix }: CookieView): string => {
  if (prefix !== "" && matches(path, prefix)) return path
  if (matches(base === "" ? "/" : base, path)) return prefix === "" ? "/" : prefix
  return prefix + (base !== "" && matches(path, base) ? path.slice(base.length) : path)
}

/** Whether the attribute can hold a path, so that browsers read it as it is. */
const isWritable = (path: string): boolean => path.length <= longestPath && !path.includes(";")

/** The name of a cookie; `""` for one without. */
export const cookieName = (cookie: string): string => {
  const pair = cookie.slice(0, startOfAttributes(cookie))
  // No other white space counts: browsers take that for a part of the name.
  return pair.includes("=") ? trimmedEnd(pair.slice(0, pair.indexOf("="))).replace(/^[\t ]+/, "") : ""
}

/** Whether a cookie has a name that only goes with `Path=/`, so that no browser takes it with another (RFC 6265bis). */
export const isOfWholeHost = (cookie: string): boolean => /^__Host-/i.test(cookieName(cookie))

const withValue = ({ text, valueAt, value }: Attribute, changed: string): string =>
  text.slice(0, valueAt) + changed + text.slice(valueAt + value.length)

/**
 * The value of a `Set-Cookie` field, so that browsers send the cookie to its own session alone: no domain, and a path below the
 * session's. All else is as it was, byte for byte. `undefined`: there is no such text, and the cookie must not be set.
 */
export const confinedCookie = (cookie: string, view: CookieView): string | undefined => {
  const fallback = isWritable(view.prefix) ? view.prefix || "/" : undefined
  if (fallback === undefined && !view.defaultIsBelow) return undefined
  let text = cookie.slice(0, startOfAttributes(cookie))
  let hasPath = false
  for (const attribute of attributesOf(cookie)) {
    const isPath = attribute.name === "path"
    if (isPath && fallback === undefined) continue
    if (attribute.name === "domain") continue
    const path = isPath && attribute.value.startsWith("/") ? pathForClient(attribute.value, view) : undefined
    if (path !== undefined && isWritable(path)) text += withValue(attribute, path)
    else if (isPath && fallback !== undefined && !view.defaultIsBelow) text += `; Path=${fallback}`
    else if (path === undefined) text += attribute.text
    hasPath ||= isPath
  }
  return hasPath || view.defaultIsBelow || fallback === undefined ? text : `${text}; Path=${fallback}`
}

/** A dot before a domain does not count, and one behind it makes no other of it. */
const withoutDots = (domain: string): string => domain.replace(/^\./, "").replace(/\.$/, "").toLowerCase()

/**
 * The same for a session with a name of its own, `host`: only a domain that is above that name goes, for all below the
 * domain, sessions with other names among it, would get the cookie.
 */
export const cookieOfName = (cookie: string, host: string): string => {
  const name = withoutDots(host)
  const isAbove = (attribute: Attribute): boolean =>
    attribute.name === "domain" && name.endsWith(`.${withoutDots(attribute.value)}`)
  const attributes = attributesOf(cookie)
  if (!attributes.some(isAbove)) return cookie
  const kept = attributes.filter((attribute) => !isAbove(attribute)).map(({ text }) => text)
  return cookie.slice(0, startOfAttributes(cookie)) + kept.join("")
}
