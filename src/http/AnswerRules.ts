import { Effect } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { RequestHead, ResponseHead } from "../downstream/Downstream.js"
import { warnInLog } from "../downstream/Warn.js"
import type { AnswerRules, LiveSession } from "../sessions/LiveSession.js"
import type { RawFields } from "../wire/HeaderFields.js"
import { referenceForClient, refreshForClient } from "../wire/ServerReferences.js"
import { confinedCookie, cookieName, isOfWholeHost } from "../wire/SetCookie.js"
import type { SessionRoute } from "./Admission.js"
import { ClientPaths } from "./ClientPaths.js"
import type { AnswerChange, ProxyRequest } from "./ProxyRequest.js"

/**
 * Prepares what becomes of the answers to a request that is let in to its session, by the policy of that or else by the
 * settings. `head`: the request as its server gets it. Costs a comparison where nothing becomes of them.
 */
export type BeginAnswers = (request: ProxyRequest, session: LiveSession, route: SessionRoute, head: RequestHead) => void

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
    if (rules === null) return
    const paths = new ClientPaths(rules, session, route, request, head)
    request.answerChange = new RuledAnswer(rules, paths, (cookie) => warnOfCookie(session, cookie))
  }
})

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
    const { confinesCookies, rewritesReferences } = this.rules
    switch (name) {
      case "location":
      case "content-location":
        return rewritesReferences ? referenceForClient(value, this.paths) : value
      case "refresh":
        return rewritesReferences ? refreshForClient(value, this.paths) : value
      case "set-cookie":
        return confinesCookies ? this.confined(value) : value
      default:
        return value
    }
  }

  private confined(cookie: string): string | undefined {
    if (this.paths.prefix === "" || !isOfWholeHost(cookie)) return confinedCookie(cookie, this.paths)
    this.unconfined(cookie)
    return cookie
  }
}
