import { Data, Schema } from "effect"
import { defaultPolicy, StoredPolicy } from "./SessionPolicy.js"

/** First path segments that the proxy keeps for itself. */
export const reservedIds: ReadonlySet<string> = new Set(["health", "ws"])

const loneSurrogate = /\p{Surrogate}/u

/** The id of a session: the first path segment, percent-decoded. Not empty, not reserved, and Unicode. */
export const SessionId = Schema.String.pipe(
  Schema.filter((id) => {
    if (id === "") return "a session id cannot be empty"
    if (reservedIds.has(id)) return `"${id}" is reserved: the proxy answers /${id} itself. Choose another id.`
    return loneSurrogate.test(id) ? "a session id must be valid Unicode" : true
  }),
)

/** One row of the `sessions` table, with what is stored beside it. Timestamps are SQLite's text, UTC. */
export class Session extends Schema.Class<Session>("Session")({
  id: Schema.String,
  /** Where requests go, as stored: it may hold user info, so show `redactUrl` of it. */
  url: Schema.String,
  status: Schema.String,
  policy: Schema.optionalWith(StoredPolicy, { default: () => defaultPolicy }),
  createdAt: Schema.NullOr(Schema.String),
  updatedAt: Schema.NullOr(Schema.String),
}) {}

/** The statuses of sessions that take requests. */
export const forwardingStatuses: ReadonlySet<string> = new Set(["active", "online", "ready"])

/** Whether a session of this status takes requests. */
export const isForwarding = (status: string): boolean => forwardingStatuses.has(status)

/** What is to be stored can be no session: its id, its URL or a policy. `problem` is a phrase, without user info. */
export class SessionInvalid extends Data.TaggedError("SessionInvalid")<{
  readonly sessionId: string
  readonly problem: string
}> {
  override get message(): string {
    return this.problem
  }
}

/** `sessions add` of an id that is there already. */
export class SessionExists extends Data.TaggedError("SessionExists")<{ readonly sessionId: string }> {}

/** `sessions import` of ids that are there already. */
export class SessionsExist extends Data.TaggedError("SessionsExist")<{
  readonly sessionIds: readonly [string, ...ReadonlyArray<string>]
}> {}
