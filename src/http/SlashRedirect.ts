import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { namesHtml } from "../wire/Accept.js"
import { firstValue } from "../wire/HeaderFields.js"
import { type Reply, slashReply } from "../wire/Reply.js"
import type { SessionRoute } from "./Admission.js"
import type { ProxyRequest } from "./ProxyRequest.js"

/** What of a prefix is put before a path that a client is sent to: whole segments, of what segments are made of. */
const wholeSegments = /^(?:\/[\w.~!$&'()*+,;=:@%-]+)+$/

/** The prefix that a trusted proxy in front has removed from the path; `""` for none, and for what cannot be one. */
const prefixInFront = ({ client, fields }: ProxyRequest): string => {
  const prefix = client.trusted ? firstValue(fields, "x-forwarded-prefix")?.replace(/\/$/, "") : undefined
  return prefix !== undefined && wholeSegments.test(prefix) ? prefix : ""
}

/** Browsers read a backslash as a slash, so that `/\host` would be another host; other bytes beyond ASCII are in no URI. */
const notInLocation = /[^!-[\]-~]/g
const percentEncoded = (byte: string): string => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`

/** Where a client is sent to: the same path with a slash behind it, on the same host (RFC 9110 section 10.2.2). */
const locationOf = (request: ProxyRequest, { rest, segment }: SessionRoute): string =>
  prefixInFront(request) + `${segment}/${rest}`.replace(notInLocation, percentEncoded)

/** `/{session_id}` as an address of a browser: relative links of the page would lead out of the session without a slash behind it. */
export class SlashRedirect {
  constructor(private readonly settings: Pick<ProxySettings, "path" | "slash">) {}

  /** Whether browsers are redirected that ask for this route with such a method. */
  appliesTo(method: string, session: LiveSession, { byHost, rest, segment }: SessionRoute): boolean {
    if (rest.charCodeAt(0) === 0x2f || byHost || segment === "") return false
    if (method !== "GET" && method !== "HEAD") return false
    const rule = session.policy.slash ?? this.settings.slash
    if (rule === "off" || (session.policy.path ?? this.settings.path) === "keep") return false
    return rule === "redirect" || session.target.storedPath.endsWith("/")
  }

  /** The redirect of a browser's request, which `Accept` tells: it names HTML. `undefined` for any other request. */
  of(request: ProxyRequest, session: LiveSession, route: SessionRoute): Reply | undefined {
    if (!this.appliesTo(request.method, session, route) || !namesHtml(request.fields)) return undefined
    return slashReply(locationOf(request, route), request.requestId)
  }
}
