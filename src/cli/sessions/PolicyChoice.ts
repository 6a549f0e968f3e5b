import { Effect, Option } from "effect"
import type { SessionPolicy } from "../../domain/SessionPolicy.js"
import { UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { given, onOrOff, sessionWsPathRule } from "../Setting.js"

/** The flags of what one session wants otherwise than the proxy's settings say. */
export const policyFlags = {
  insecure: Flag.option(Flag.insecure),
  wsPath: Flag.option(Flag.sessionWsPath),
}

/** What was given for `policyFlags`, and for the flag that takes one of them back. */
export type PolicyChoice = Readonly<Record<keyof typeof policyFlags, Option.Option<string>>> & {
  readonly noInsecure?: Option.Option<string>
}

/** The policies that the flags name; those that they do not are absent. */
export const resolvePolicy = (flags: PolicyChoice): Effect.Effect<Partial<SessionPolicy>, UsageError> =>
  Effect.gen(function* () {
    const insecure = yield* given(Flag.insecure, flags.insecure, onOrOff)
    const verified = yield* given(Flag.noInsecure, flags.noInsecure ?? Option.none(), onOrOff)
    const wsPath = yield* given(Flag.sessionWsPath, flags.wsPath, sessionWsPathRule)
    if (Option.isSome(insecure) && Option.isSome(verified))
      return yield* new UsageError({ message: "--insecure and --no-insecure contradict each other; give one of them" })
    const isInsecure = Option.orElse(insecure, () => Option.map(verified, (is) => !is))
    return {
      ...(Option.isSome(isInsecure) && { insecure: isInsecure.value }),
      ...(Option.isSome(wsPath) && { wsPath: wsPath.value }),
    }
  })
