import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import { Effect, Option } from "effect"
import { onOrOff, type Reading } from "../../domain/Reading.js"
import { wsPathRule } from "../../domain/Settings.js"
import type { SessionPolicy } from "../../domain/SessionPolicy.js"
import { type Flag, option } from "../Flag.js"

export const insecure: Flag<boolean> = {
  name: "insecure",
  reading: onOrOff,
  about: "Does not verify the certificate of the session's server. Anybody on the way there can pass for it.",
}

export const noInsecure: Flag<boolean> = {
  name: "no-insecure",
  reading: onOrOff,
  about: "Verifies the certificate of the session's server again.",
}

const sessionWsPathRule: Reading<SessionPolicy["wsPath"]> = {
  ...wsPathRule,
  allowed: `${wsPathRule.allowed}, default`,
  read: (text) => (text.toLowerCase() === "default" ? Option.some(null) : wsPathRule.read(text)),
  is: (value) => value === null || wsPathRule.is(value),
}

/** The session's own rule. It has no variable: that of the proxy's flag says nothing of one session. */
export const sessionWsPath: Flag<SessionPolicy["wsPath"]> = {
  name: "ws-path",
  reading: sessionWsPathRule,
  about: "In place of the proxy's --ws-path, for this session alone: append, full or strip.",
}

const given = { insecure: option(insecure), wsPath: option(sessionWsPath) }

/** The policies that the flags name; those that they do not are absent. */
export const policyOptions: Options.Options<Partial<SessionPolicy>> = Options.map(
  Options.all(given),
  ({ insecure, wsPath }) => ({
    ...(Option.isSome(insecure) && { insecure: insecure.value }),
    ...(Option.isSome(wsPath) && { wsPath: wsPath.value }),
  }),
)

/** The same, with flags that take policies back. */
export const policyChanges: Options.Options<Partial<SessionPolicy>> = Options.mapEffect(
  Options.all([policyOptions, option(noInsecure)]),
  ([policy, verified]) => {
    if (Option.isNone(verified)) return Effect.succeed(policy)
    if (policy.insecure === undefined) return Effect.succeed({ ...policy, insecure: !verified.value })
    const message = "--insecure and --no-insecure contradict each other; give one of them"
    return Effect.fail(ValidationError.invalidValue(HelpDoc.p(message)))
  },
)
