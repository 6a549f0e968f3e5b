import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { SessionPolicy } from "../domain/SessionPolicy.js"
import { type RequestRules, usualRules } from "../wire/RequestRules.js"
import type { LiveSession } from "./LiveSession.js"

/** The settings that a session may have otherwise. */
type RuleSettings = Pick<ProxySettings, "via" | "forwarded" | "traceContext">

const made = (policy: SessionPolicy, settings: RuleSettings): RequestRules => {
  const via = (policy.via ?? settings.via) === "on"
  const forwarded = (policy.forwarded ?? settings.forwarded) === "on"
  const trace = (policy.trace ?? settings.traceContext) === "on"
  return via && forwarded && trace ? usualRules : { via, forwarded, trace, edits: undefined }
}

/** What becomes of the fields of a session's requests: made anew only when its policy is another. */
export const rulesFor = (session: LiveSession, settings: RuleSettings): RequestRules => {
  const { policy } = session
  if (session.rulesOf !== policy) {
    session.requestRules = made(policy, settings)
    session.rulesOf = policy
  }
  return session.requestRules
}
