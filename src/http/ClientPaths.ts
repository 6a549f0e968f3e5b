import type { RequestHead } from "../downstream/Downstream.js"
import type { AnswerRules, LiveSession } from "../sessions/LiveSession.js"
import { firstValue } from "../wire/HeaderFields.js"
import { type ClientView, type Origin, originOf, type ServerView } from "../wire/ServerReferences.js"
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

const isSame = (one: Origin, other: Origin): boolean => one.hostname === other.hostname && one.port === other.port

/** Whether an origin is what this authority names, by this scheme. */
const isAt = (origin: Origin, scheme: string, authority: string | undefined): boolean => {
  const other = authority === undefined ? undefined : originOf(scheme, authority)
  return other !== undefined && isSame(origin, other)
}

/** What the paths and the address of a session's server are to the client of one request, and the other way round. */
export class ClientPaths implements ClientView, CookieView, ServerView {
  readonly base: string
  readonly prefix: string
  private readonly clientHost: string | undefined

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
    this.clientHost = route.authority ?? request.framing.host
  }

  /** The session's own name, where the host is that: without a port. */
  get ownName(): string | undefined {
    return this.route.byHost ? this.clientHost?.replace(/:\d*$/, "") : undefined
  }

  get defaultIsBelow(): boolean {
    return hasSlash(this.route.rest)
  }

  get address(): string {
    const { authority, secure } = this.session.target
    return `${secure ? "https" : "http"}://${this.told("host") ?? authority}`
  }

  /**
   * Whether this is the address of the session's server, or one that it was told to be its own. By `https` only where the
   * client or the session's URL has that: else it sends the client there because of that, and would do so for ever.
   */
  isOwn(scheme: string, authority: string): boolean {
    const origin = originOf(scheme, authority)
    if (origin === undefined) return false
    const isSecure = scheme === "https" || scheme === "wss"
    const isUsed = !isSecure || this.told("x-forwarded-proto") === "https"
    if (isSame(origin, this.session.target)) return isUsed || this.session.target.secure
    return isUsed && (isAt(origin, scheme, this.told("host")) || isAt(origin, scheme, this.told("x-forwarded-host")))
  }

  isOfProxy(scheme: string, authority: string): boolean {
    const origin = originOf(scheme, authority)
    if (origin === undefined) return false
    return isAt(origin, scheme, this.clientHost) || isAt(origin, scheme, this.told("x-forwarded-host"))
  }

  private told(name: string): string | undefined {
    return firstValue(this.asked.fields, name)
  }
}
