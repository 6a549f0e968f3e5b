/** This proxy's name in `Proxy-Status` (RFC 9209). Only its own answers have it. */
export const proxyStatusName = "ss-proxy"

const text = String.raw`"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"`
const token = "[A-Za-z*][!#$%&'*+\\-.^_`|~0-9A-Za-z:/]*"
/** A bare item: the value of a parameter (RFC 8941 section 3.3, RFC 9651 section 3.3). */
const bareItem = `(?:%?${text}|${token}|@?-?\\d{1,15}(?:\\.\\d{1,3})?|:[A-Za-z0-9+/=]*:|\\?[01])`
const parameters = `(?: *; *[a-z*][a-z0-9_\\-.*]*(?:=${bareItem})?)*`
/** Captures a member of the list, its name, and the comma or the end after it. */
const member = new RegExp(`[ \\t]*((${text}|${token})${parameters})[ \\t]*(,|$)`, "y")

const isOwn = (name: string): boolean => name.replaceAll('"', "").toLowerCase() === proxyStatusName

/**
 * A server's `Proxy-Status` (a structured list, RFC 9209 section 2) without the members that name this proxy, because a
 * server cannot report for it. `undefined` if nothing is left, and if the value is not such a list: then such a member
 * cannot be excluded.
 */
export const foreignProxyStatus = (value: string): string | undefined => {
  const kept: Array<string> = []
  let end: string | undefined = ","
  for (member.lastIndex = 0; end === ",";) {
    const [, whole = "", name = "", ending]: ReadonlyArray<string | undefined> = member.exec(value) ?? []
    if (ending === undefined) return undefined
    if (!isOwn(name)) kept.push(whole)
    end = ending
  }
  return kept.length === 0 ? undefined : kept.join(", ")
}
