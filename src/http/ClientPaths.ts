import type { RequestHead } from "../downstream/Downstream.js"
import type { AnswerRules, LiveSession } from "../sessions/LiveSession.js"
import { firstValue } from "../wire/HeaderFields.js"
import { type ClientView, originOf } from "../wire/ServerReferences.js"
import type { CookieView } from "../wire/SetCookie.js"
import type { SessionRoute } from "./Admission.js"
import type { ProxyRequest } from "./ProxyRequest.js"

/** A path by which a proxy in front of this one may be reached: nothing in it can be taken for a host. */
const plainPath = /^(?:\/[\w.~!$&'()*+,;=:@%-]+)+$/

/** The path that a proxy in front, which is trusted, has removed from the target; `""` for none. */
const outerPrefix = ({ client, fields }: ProxyRequest): string => {
  const told = client.trusted ? firstValue(fields, "x-forwarded-prefix") : undefined
  return told !== undefined && plainPath.test(told) ? told : ""
}

/** Whether the path that the client asked for has a slash behind the part that names the session. */
const hasSlash = (rest: string): boolean => {
  const query = rest.indexOf("?")
  return (query < 0 ? rest : rest.slice(0, query)).includes("/")
}

/** What the paths and the address of a session's server are to the client of one request, and the other way round. */
export class ClientPaths implements ClientView, CookieView {
  readonly base: string
  readonly prefix: string

  constructor(
    { keepsPath }: AnswerRules,
    private readonly session: LiveSession,
    private readonly route: SessionRoute,
    request: ProxyRequest,
    /** What the server was asked: by these fields it knows what it is called. */
    private readonly asked: RequestHead,
  ) {
    const isKept = keepsPath && !route.webSocketOnly
    this.base = isKept ? session.target.basePath + route.segment : session.target.basePath
    this.prefix = outerPrefix(request) + route.segment
  }

  get defaultIsBelow(): boolean {
    return hasSlash(this.route.rest)
  }

  /**
   * Whether this is the address of the session's server, or one that it was told to be its own. By `https` only where the
   * client uses that: else it sends the client there because of that, and would do so for ever.
   */
  isOwn(scheme: string, authority: string): boolean {
    const origin = originOf(scheme, authority)
    if (origin === undefined) return false
    const { target } = this.session
    if (origin.hostname === target.hostname && origin.port === target.port) return true
    const isSecure = scheme === "https" || scheme === "wss"
    if (isSecure && firstValue(this.asked.fields, "x-forwarded-proto") !== "https") return false
    return this.isTold(scheme, origin, "host") || this.isTold(scheme, origin, "x-forwarded-host")
  }

  private isTold(
    scheme: string,
    { hostname, port }: { readonly hostname: string; readonly port: number },
    name: string,
  ) {
    const told = originOf(scheme, firstValue(this.asked.fields, name) ?? "")
    return told?.hostname === hostname && told.port === port
  }
}
