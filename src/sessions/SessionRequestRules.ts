import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { SessionPolicy } from "../domain/SessionPolicy.js"
import { fieldEdits } from "../wire/FieldEdits.js"
import { type RequestRules, usualRules } from "../wire/RequestRules.js"
import type { LiveSession } from "./LiveSession.js"

/** The settings that a session may have otherwise. */
export type RuleSettings = Pick<
  ProxySettings,
  "via" | "forwarded" | "traceContext" | "setFields" | "stripFields" | "setResponseFields" | "stripResponseFields"
>

const made = (policy: SessionPolicy, settings: RuleSettings): RequestRules => {
  const rules: RequestRules = {
    via: (policy.via ?? settings.via) === "on",
    forwarded: (policy.forwarded ?? settings.forwarded) === "on",
    trace: (policy.trace ?? settings.traceContext) === "on",
    edits: fieldEdits(policy.stripFields ?? settings.stripFields, policy.setFields ?? settings.setFields),
    answerEdits: fieldEdits(
      policy.stripResponseFields ?? settings.stripResponseFields,
      policy.setResponseFields ?? settings.setResponseFields,
    ),
  }
  const isUsual =
    rules.via && rules.forwarded && rules.trace && rules.edits === undefined && rules.answerEdits === undefined
  return isUsual ? usualRules : rules
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
