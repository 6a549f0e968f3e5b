import { Effect } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { RequestHead, ResponseHead } from "../downstream/Downstream.js"
import { warnInLog } from "../downstream/Warn.js"
import type { AnswerRules, LiveSession } from "../sessions/LiveSession.js"
import type { RawFields } from "../wire/HeaderFields.js"
import { referenceForClient, referenceForServer, refreshForClient } from "../wire/ServerReferences.js"
import { confinedCookie, cookieName, cookieOfName, isOfWholeHost } from "../wire/SetCookie.js"
import type { SessionRoute } from "./Admission.js"
import { ClientPaths } from "./ClientPaths.js"
import type { AnswerChange, ProxyRequest } from "./ProxyRequest.js"

/**
 * Prepares what becomes of the answers to a request that is let in to its session, by the policy of that or else by the
 * settings. `head`: the request as its server gets it. Gives that, with the address in its `Destination` made the server's
 * own where the addresses in answers are made the client's. Costs a comparison where there is nothing to be done.
 */
export type BeginAnswers = (
  request: ProxyRequest,
  session: LiveSession,
  route: SessionRoute,
  head: RequestHead,
) => RequestHead

/** On names of their own, sessions are kept apart by the names, which no policy can undo. */
const noRules: AnswerRules = { rewritesReferences: false, confinesCookies: false, keepsPath: false }

/** For a proxy with these settings. */
export const makeBeginAnswers: Effect.Effect<BeginAnswers, never, ProxyConfig> = Effect.gen(function* () {
  const settings = yield* ProxyConfig
  const warn = yield* warnInLog
  const warnedOf = new WeakSet<LiveSession>()

  /** Once for each lifetime of a session. */
  const warnOfCookie = (session: LiveSession, cookie: string): void => {
    if (warnedOf.has(session)) return
    warnedOf.add(session)
    warn("a cookie of this session's server cannot be confined: its name is only for cookies of the whole host", {
      session: session.id,
      cookie: cookieName(cookie),
    })
  }

  const rulesFor = ({ policy }: LiveSession): AnswerRules | null => {
    const rewritesReferences = (policy.location ?? settings.location) === "rewrite"
    const confinesCookies = (policy.cookies ?? settings.cookies) === "confine"
    const keepsPath = (policy.path ?? settings.path) === "keep"
    return rewritesReferences || confinesCookies ? { rewritesReferences, confinesCookies, keepsPath } : null
  }

  return (request, session, route, head) => {
    if (session.answerRules === undefined) session.answerRules = rulesFor(session)
    const rules = session.answerRules
    if (rules === null && !route.byHost) return head
    const paths = new ClientPaths(rules ?? noRules, session, route, request, head)
    request.answerChange = new RuledAnswer(rules ?? noRules, paths, (cookie) => warnOfCookie(session, cookie))
    return rules?.rewritesReferences === true ? withDestination(head, paths) : head
  }
})

/** The head of a request with its `Destination` as the server needs it (RFC 4918 section 10.3). */
const withDestination = (head: RequestHead, paths: ClientPaths): RequestHead => {
  if (head.method !== "COPY" && head.method !== "MOVE") return head
  const fields = head.fields.map((text, index) =>
    index % 2 === 1 && head.fields[index - 1]?.toLowerCase() === "destination" ? referenceForServer(text, paths) : text,
  )
  return { ...head, fields }
}

/** What becomes of the fields of answers to one request, by the rules of its session. */
class RuledAnswer implements AnswerChange {
  constructor(
    private readonly rules: AnswerRules,
    private readonly paths: ClientPaths,
    /** This cookie is not confined. */
    private readonly unconfined: (cookie: string) => void,
  ) {}

  changed(head: ResponseHead): ResponseHead {
    return { status: head.status, reason: head.reason, fields: this.changedFields(head.fields) }
  }

  private changedFields(fields: RawFields): RawFields {
    const out: Array<string> = []
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const name = fields[index] ?? ""
      const value = this.changedValue(name.toLowerCase(), fields[index + 1] ?? "")
      if (value !== undefined) out.push(name, value)
    }
    return out
  }

  /** `undefined`: the field goes. */
  private changedValue(name: string, value: string): string | undefined {
    const { rewritesReferences } = this.rules
    switch (name) {
      case "location":
      case "content-location":
        return rewritesReferences ? referenceForClient(value, this.paths) : value
      case "refresh":
        return rewritesReferences ? refreshForClient(value, this.paths) : value
      case "set-cookie":
        return this.changedCookie(value)
      default:
        return value
    }
  }

  private changedCookie(cookie: string): string | undefined {
    const { ownName, prefix } = this.paths
    if (!this.rules.confinesCookies) return ownName === undefined ? cookie : cookieOfName(cookie, ownName)
    if (prefix === "" || !isOfWholeHost(cookie)) return confinedCookie(cookie, this.paths)
    this.unconfined(cookie)
    return cookie
  }
}
