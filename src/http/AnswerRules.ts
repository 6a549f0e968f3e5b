import { Effect } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { RequestHead, ResponseHead } from "../downstream/Downstream.js"
import type { AnswerRules, LiveSession } from "../sessions/LiveSession.js"
import { firstValue, type RawFields } from "../wire/HeaderFields.js"
import { type ClientView, originOf, referenceForClient, refreshForClient } from "../wire/ServerReferences.js"
import type { SessionRoute } from "./Admission.js"
import type { AnswerChange, ProxyRequest } from "./ProxyRequest.js"

/** Gives what is to be done to answers of a session's server; `null` where nothing is: to ask costs a comparison. */
export type RulesOf = (session: LiveSession) => AnswerRules | null

/** The rules of this proxy: what policies say, else its settings. Each session's are made once for each of its policies. */
export const makeAnswerRules: Effect.Effect<RulesOf, never, ProxyConfig> = Effect.map(ProxyConfig, (settings) => {
  const make = ({ policy }: LiveSession): AnswerRules | null => {
    const rewritesReferences = (policy.location ?? settings.location) === "rewrite"
    const keepsPath = (policy.path ?? settings.path) === "keep"
    return rewritesReferences ? { rewritesReferences, keepsPath } : null
  }
  return (session) => {
    if (session.answerRules === undefined) session.answerRules = make(session)
    return session.answerRules
  }
})

/** A path by which a proxy in front of this one may be reached: nothing in it can be taken for a host. */
const plainPath = /^(?:\/[\w.~!$&'()*+,;=:@%-]+)+$/

/** The path that a proxy in front, which is trusted, has removed from the target; `""` for none. */
const outerPrefix = ({ client, fields }: ProxyRequest): string => {
  const told = client.trusted ? firstValue(fields, "x-forwarded-prefix") : undefined
  return told !== undefined && plainPath.test(told) ? told : ""
}

/** What becomes of the fields of answers to one request, by the rules of its session. Made only where there are some. */
export class RuledAnswer implements AnswerChange {
  private view: ClientView | undefined

  constructor(
    private readonly rules: AnswerRules,
    private readonly session: LiveSession,
    private readonly route: SessionRoute,
    private readonly request: ProxyRequest,
    /** What the server was asked: by these fields it knows what it is called. */
    private readonly asked: RequestHead,
  ) {}

  changed(head: ResponseHead): ResponseHead {
    const fields = this.changedFields(head.fields)
    return fields === undefined ? head : { status: head.status, reason: head.reason, fields }
  }

  /** `undefined` where they are to be as they are. */
  private changedFields(fields: RawFields): RawFields | undefined {
    let out: Array<string> | undefined
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const value = fields[index + 1] ?? ""
      const changed = this.changedValue(fields[index] ?? "", value)
      if (changed === value) continue
      out ??= [...fields]
      out[index + 1] = changed
    }
    return out
  }

  private changedValue(name: string, value: string): string {
    if (!this.rules.rewritesReferences) return value
    switch (name.toLowerCase()) {
      case "location":
      case "content-location":
        return referenceForClient(value, this.clientView)
      case "refresh":
        return refreshForClient(value, this.clientView)
      default:
        return value
    }
  }

  private get clientView(): ClientView {
    this.view ??= this.makeView()
    return this.view
  }

  private makeView(): ClientView {
    const { request, route, rules, session } = this
    const isKept = rules.keepsPath && !route.webSocketOnly
    return {
      base: session.target.basePath,
      prefix: outerPrefix(request) + (isKept ? session.target.basePath : route.segment),
      isOwn: (scheme, authority) => this.isOwn(scheme, authority),
    }
  }

  /**
   * Whether this is the address of the session's server, or one that it was told to be its own. By `https` only where the
   * client uses that: else it sends the client there because of that, and would do so for ever.
   */
  private isOwn(scheme: string, authority: string): boolean {
    const origin = originOf(scheme, authority)
    if (origin === undefined) return false
    const { target } = this.session
    if (origin.hostname === target.hostname && origin.port === target.port) return true
    const isSecure = scheme === "https" || scheme === "wss"
    if (isSecure && firstValue(this.asked.fields, "x-forwarded-proto") !== "https") return false
    return ["host", "x-forwarded-host"].some((name) => {
      const told = originOf(scheme, firstValue(this.asked.fields, name) ?? "")
      return told !== undefined && told.hostname === origin.hostname && told.port === origin.port
    })
  }
}
