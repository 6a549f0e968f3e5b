import { Either, Schema } from "effect"
import { type WsPath, wsPathRule } from "./Settings.js"

/** What one session wants otherwise than the settings of the proxy say. */
export interface SessionPolicy {
  /** Where the session's server speaks TLS, its certificate is not verified. */
  readonly insecure: boolean
  /** In place of the setting of this name; `null`: as the setting says. */
  readonly wsPath: WsPath | null
}

/** The policy of a session that has none of its own. */
export const defaultPolicy: SessionPolicy = { insecure: false, wsPath: null }

/**
 * A policy as it is stored. Others write it too, and a value that means nothing is there as its text, so that it can be
 * shown; `readPolicy` tells.
 */
export const StoredPolicy = Schema.Struct({
  insecure: Schema.Union(Schema.Boolean, Schema.String),
  wsPath: Schema.NullOr(Schema.String),
})

export type StoredPolicy = typeof StoredPolicy.Type

/** What a stored policy means, or what is wrong with it, as a phrase. */
export const readPolicy = ({ insecure, wsPath }: StoredPolicy): Either.Either<SessionPolicy, string> => {
  if (typeof insecure === "string") return Either.left(`its insecure is ${JSON.stringify(insecure)}; it must be 0 or 1`)
  const rule = wsPath === null ? null : wsPathRule.is(wsPath) ? wsPath : undefined
  return rule === undefined
    ? Either.left(`its ws_path is ${JSON.stringify(wsPath)}; it must be ${wsPathRule.allowed}, or NULL`)
    : Either.right({ insecure, wsPath: rule })
}

/** Whether two stored policies are the same. */
export const isSamePolicy = (one: StoredPolicy, other: StoredPolicy): boolean =>
  one.insecure === other.insecure && one.wsPath === other.wsPath
