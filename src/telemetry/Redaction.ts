import { shortened, textOfBytes } from "../wire/PrintableText.js"

/** What is shown of queries: all but secrets, all, or nothing. */
export type QueryRule = "redact" | "keep" | "drop"

/** The longest target that is shown, in bytes: one may have a mebibyte, and two thousand bytes of them tell no more. */
const longestTarget = 2_048

/** What stands in place of a secret. */
const hidden = "REDACTED"

/** Names of parameters whose values are secrets: where they contain one of these, end in `key`, or are one of these. */
const secretName =
  /token|secret|passw|passphrase|passcode|pwd|signature|credential|assertion|saml|jwt|session|key$|^(?:auth|authorization|sig|code|state|ticket|pass|otp|pin)$/i

const octet = /%([0-9a-f]{2})/gi

/** Percent-encoding undone, where it is any, as often as somebody may have done it. */
const decoded = (text: string): string => {
  let current = text
  for (let times = 0; times < 3 && current.includes("%"); times++)
    current = current.replace(octet, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return current
}

/** `token[]`, `user[token]` and ` token ` are called so too. */
const isSecretName = (name: string): boolean =>
  decoded(name)
    .split(/[[\]+\s.]/)
    .some((part) => secretName.test(part))

/** The name of `name=value`; `undefined` where there is no value. */
const nameOf = (parameter: string): string | undefined => {
  const equals = parameter.indexOf("=")
  return equals <= 0 || equals === parameter.length - 1 ? undefined : parameter.slice(0, equals)
}

const isSecret = (parameter: string): boolean => {
  const name = nameOf(parameter)
  return name !== undefined && isSecretName(name)
}

/** Whether a value is a query, or a URL that has one, with a secret in it. */
const holdsSecret = (value: string): boolean =>
  decoded(value)
    .split(/[&;?#]/)
    .some(isSecret)

/** User info in a URL (RFC 3986 section 3.2.1). */
const urlWithUserInfo = /:\/\/[^/?#]*@/

/** Whether a URL in it holds a user's name or password. */
const holdsUserInfo = (part: string): boolean =>
  (part.includes("@") || part.includes("%")) && urlWithUserInfo.test(decoded(part))

/**
 * What stands between two `&` of a query. Some servers take `;` for an `&`; for others it is a part of the value, as `?` and
 * `#` are: so what follows a secret is hidden with it.
 */
const redactParameters = (part: string): string => {
  if (holdsUserInfo(part)) return /^[^=:%@]+=/.exec(part)?.[0].concat(hidden) ?? hidden
  const pieces = part.split(/([;?#])/)
  const first = pieces.findIndex((piece) => isSecret(piece) || (piece.includes("%") && holdsSecret(piece)))
  const name = nameOf(pieces[first] ?? "")
  return name === undefined ? part : `${pieces.slice(0, first).join("")}${name}=${hidden}`
}

const redactQuery = (query: string): string => query.split("&").map(redactParameters).join("&")

/** Parameters of a segment of a path (RFC 3986 section 3.3): a session's id may be one. */
const redactPath = (path: string): string =>
  path.includes(";")
    ? path.replace(/;([^;/=]+)=[^;/]+/g, (whole, name: string) => (isSecretName(name) ? `;${name}=${hidden}` : whole))
    : path

/** User info of an absolute target, or of one that is an authority alone (RFC 9112 section 3.2), up to the last `@` of that. */
const userInfo = /^([a-z][a-z0-9+.-]*:\/\/)?[^/?#]*@/i

/** A text cut; `length` is how long it was before any of it was left out. */
const cut = (text: string, length: number): string =>
  text.length <= longestTarget && length <= longestTarget
    ? text
    : `${text.slice(0, longestTarget)}…[${length} characters]`

const redacted = (target: string, rule: "redact" | "drop"): string => {
  const mark = target.search(/[?#]/)
  if (mark < 0) return redactPath(target)
  const path = redactPath(target.slice(0, mark))
  return rule === "drop" ? path : `${path}${target.charAt(mark)}${redactQuery(target.slice(mark + 1))}`
}

/** By its code, whether a character of a path hides nothing and needs no change: 1 where that is so. */
const harmless = Uint8Array.from({ length: 128 }, (_, code) => (/[!$-:<->@-~]/.test(String.fromCharCode(code)) ? 1 : 0))

/** A path that hides nothing and needs no change, as most targets are. Character by character: that makes nothing. */
const isHarmless = (target: string): boolean => {
  if (target.length > longestTarget || target.charCodeAt(0) !== 47) return false
  for (let index = 1; index < target.length; index++) if (harmless[target.charCodeAt(index)] !== 1) return false
  return true
}

/**
 * A request target, raw as latin1, as it may be shown: without secrets in its query and without user info, cut at 2 KiB,
 * its bytes read as UTF-8. What cannot be seen is still to be spelled out.
 */
export const shownTarget = (target: string, rule: QueryRule): string => {
  if (isHarmless(target)) return target
  const isAbsolute = target !== "" && target.charCodeAt(0) !== 47
  const whole = isAbsolute ? target.replace(userInfo, "$1***@") : target
  const part = whole.length > longestTarget ? whole.slice(0, longestTarget) : whole
  return textOfBytes(cut(rule === "keep" ? part : redacted(part, rule), whole.length))
}

/** The longest value of a field that is shown, in characters. */
export const longestField = 200

/** A field's value, raw as latin1, as it may be shown. */
export const shownField = (value: string): string => textOfBytes(shortened(value, longestField))

/** A `Host` without user info, which has no place there, but is a secret where it stands. */
export const withoutUserInfo = (host: string): string =>
  host.includes("@") ? host.slice(host.lastIndexOf("@") + 1) : host

/** A text that somebody else chose, as it may be shown. */
export const shownText = (text: string): string => shortened(text, longestField)
