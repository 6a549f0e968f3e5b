import type { IncomingMessage } from "node:http"
import { isIP } from "node:net"
import { Either } from "effect"
import type { RawFields } from "../wire/HeaderFields.js"
import type { AdminAnswer } from "./AdminAnswer.js"
import type { AdminTokens, Caller } from "./access/AdminTokens.js"
import type { FailedTries } from "./access/FailedTries.js"
import { maxBodyBytes } from "./api/BodyLimit.js"
import {
  bodyTooLarge,
  hostForbidden,
  hostUnclear,
  originForbidden,
  readOnly,
  tooManyTries,
  unauthorized,
  unsupportedMediaType,
} from "./Refusals.js"

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

/**
 * Why a request may not come in; `undefined` where it may. A name that somebody points at this machine, as DNS rebinding does,
 * is no name of ours, and so a browser cannot be led here; a page elsewhere is told by its `Origin`. `names`: in lower
 * case.
 */
export const refusalOf = (fields: RawFields, names: ReadonlySet<string>): AdminAnswer | undefined => {
  const [authority, ...more] = valuesOf(fields, "host")
  const host = authority === undefined ? undefined : hostOf(authority)
  if (authority === undefined || host === undefined || more.length > 0) return hostUnclear()
  if (!hasOwnName(host, names)) return hostForbidden()
  const isForeign = valuesOf(fields, "origin").some((origin) => !isOwnOrigin(origin, authority, names))
  const isCrossSite = valuesOf(fields, "sec-fetch-site").some((site) => site.toLowerCase() === "cross-site")
  return isForeign || isCrossSite ? originForbidden() : undefined
}

/** The token of a request (RFC 6750 section 2.1); some clients say `token` where others say `Bearer`. */
const tokenIn = (fields: RawFields): string | undefined => {
  const [value, ...more] = valuesOf(fields, "authorization")
  return more.length > 0 ? undefined : /^(?:bearer|token) +(\S+) *$/i.exec(value ?? "")?.[1]
}

/** Whether a request asks for what a token that only reads does not get: an export with the user info of URLs. */
export const asksForSecrets = ({ searchParams }: URL): boolean =>
  searchParams.getAll("secrets").some((value) => value !== "false")

/** By this field of a request the relay of the dashboard tells the socket that whoever asked it has shown no token. */
export const strangerField = "ss-proxy-stranger"

/** Whether a request on the socket is for somebody who may not see all that is there. */
export const isForStranger = ({ headers }: IncomingMessage): boolean => headers[strangerField] !== undefined

/** Whether a request only looks. */
export const isReading = (method: string | undefined): boolean => method === "GET" || method === "HEAD"

/** Who may come in over TCP: who has a token, and one that may write where the request does. */
export class TokenGate {
  constructor(
    private readonly tokens: AdminTokens,
    private readonly tries: FailedTries,
  ) {}

  /** Who asks. Left: why nothing is done for it. While an address has to wait, no token of it is looked at. */
  callerOf({ method, rawHeaders, socket }: IncomingMessage): Either.Either<Caller, AdminAnswer> {
    const address = socket.remoteAddress ?? ""
    const wait = this.tries.waitOf(address)
    if (wait > 0) return Either.left(tooManyTries(wait))
    const token = tokenIn(rawHeaders)
    // To come without one is no try: a browser, or a health check that was pointed at the wrong path.
    if (token === undefined) return Either.left(unauthorized())
    const caller = this.tokens.find(token)
    if (caller === undefined) {
      this.tries.failed(address)
      const wait = this.tries.waitOf(address)
      return Either.left(wait > 0 ? tooManyTries(wait) : unauthorized())
    }
    if (caller.mayWrite || isReading(method)) return Either.right(caller)
    return Either.left(readOnly())
  }
}

/** Whether a request says that it has a body (RFC 9112 section 6.3). */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

/** What the body of a change has to be. */
interface BodyRule {
  readonly type: string
  /** In bytes. */
  readonly most: number
}

const json: BodyRule = { type: "application/json", most: maxBodyBytes }
const mergePatch: BodyRule = { ...json, type: "application/merge-patch+json" }
/** It is read a line at a time, each of which has its own limit. */
const lines: BodyRule = { type: "application/x-ndjson", most: Infinity }

/** Calls that only the socket answers, to who may use the proxy's files. */
export const onlyOnSocket: ReadonlySet<string> = new Set(["/v1/tokens", "/v1/reload"])

/** The path of the call whose body may be of any size, and so may take any time to come. */
export const importPath = "/v1/import"

const ruleOf = (method: string | undefined, path: string): BodyRule => {
  if (method === "PATCH") return mergePatch
  return path === importPath ? lines : json
}

/** Why the body of a change is not taken; `undefined` where it may come, or there is none. */
export const bodyRefusalOf = (request: IncomingMessage, path: string): AdminAnswer | undefined => {
  if (isReading(request.method) || !hasBody(request)) return undefined
  const { most, type } = ruleOf(request.method, path)
  const [given = ""] = (request.headers["content-type"] ?? "").split(";")
  if (given.trim().toLowerCase() !== type) return unsupportedMediaType(type)
  const isLarge = Number(request.headers["content-length"] ?? 0) > most
  return isLarge ? bodyTooLarge(most) : undefined
}
