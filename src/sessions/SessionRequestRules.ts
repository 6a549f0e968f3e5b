import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { SessionPolicy } from "../domain/SessionPolicy.js"
import { fieldEdits } from "../wire/FieldEdits.js"
import { type RequestRules, usualRules } from "../wire/RequestRules.js"
import type { LiveSession } from "./LiveSession.js"

/** The settings that a session may have otherwise. */
export type RuleSettings = Pick<ProxySettings, "via" | "forwarded" | "traceContext" | "setFields" | "stripFields">

const made = (policy: SessionPolicy, settings: RuleSettings): RequestRules => {
  const via = (policy.via ?? settings.via) === "on"
  const forwarded = (policy.forwarded ?? settings.forwarded) === "on"
  const trace = (policy.trace ?? settings.traceContext) === "on"
  const edits = fieldEdits(policy.stripFields ?? settings.stripFields, policy.setFields ?? settings.setFields)
  return via && forwarded && trace && edits === undefined ? usualRules : { via, forwarded, trace, edits }
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
