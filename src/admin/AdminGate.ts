import { isIP } from "node:net"
import type { RawFields } from "../wire/HeaderFields.js"
import { type AdminAnswer, problemAnswer } from "./AdminAnswer.js"

/** All values of a field among raw pairs. */
const valuesOf = (fields: RawFields, name: string): ReadonlyArray<string> =>
  fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name)

/** The host of an authority (RFC 3986 section 3.2), without the brackets of IPv6; `undefined` where it is none. */
const hostOf = (authority: string): string | undefined => {
  const [, ipv6, name] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(authority) ?? []
  return (ipv6 ?? name)?.toLowerCase()
}

const hasOwnName = (host: string, names: ReadonlySet<string>): boolean =>
  isIP(host) !== 0 || host === "localhost" || names.has(host)

/** Whether a page of this origin (RFC 6454 section 6.2) is one of the listener's own. */
const isOwnOrigin = (origin: string, authority: string, names: ReadonlySet<string>): boolean => {
  const [, named = ""] = /^https?:\/\/(.+)$/i.exec(origin) ?? []
  return named.toLowerCase() === authority.toLowerCase() || names.has(hostOf(named) ?? "")
}

const hostForbidden =
  "This listener answers under an IP address, localhost and the names of --admin-hosts. Use one of these, or add the name."
const originForbidden = "A page of another origin may not ask here."

/**
 * Why a request may not come in; `undefined` where it may. A name that somebody points at this machine, as DNS rebinding does,
 * is no name of ours, and so a browser cannot be led here; a page elsewhere is told by its `Origin`. `names`: in lower
 * case.
 */
export const refusalOf = (fields: RawFields, names: ReadonlySet<string>): AdminAnswer | undefined => {
  const [authority, ...more] = valuesOf(fields, "host")
  const host = authority === undefined ? undefined : hostOf(authority)
  if (authority === undefined || host === undefined || more.length > 0)
    return problemAnswer(400, "bad_request", "A request has one Host field, with a name or an address.")
  if (!hasOwnName(host, names)) return problemAnswer(421, "host_forbidden", hostForbidden)
  const isForeign = valuesOf(fields, "origin").some((origin) => !isOwnOrigin(origin, authority, names))
  const isCrossSite = valuesOf(fields, "sec-fetch-site").some((site) => site.toLowerCase() === "cross-site")
  return isForeign || isCrossSite ? problemAnswer(403, "origin_forbidden", originForbidden) : undefined
}
