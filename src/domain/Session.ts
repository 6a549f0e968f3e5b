import { Data, Schema } from "effect"
import { noControl, StoredControl } from "./SessionControl.js"
import { defaultPolicy, StoredPolicy } from "./SessionPolicy.js"

/** First path segments that the proxy answers itself. */
const reservedIds: ReadonlySet<string> = new Set(["health", "ws"])

const loneSurrogate = /\p{Surrogate}/u

/** The id of a session: the first path segment, percent-decoded. Not empty, not reserved, and Unicode. */
export const SessionId = Schema.String.pipe(
  Schema.filter((id) => {
    if (id === "") return "a session id cannot be empty"
    if (reservedIds.has(id)) return `"${id}" is reserved: the proxy answers /${id} itself. Choose another id.`
    return loneSurrogate.test(id) ? "a session id must be valid Unicode" : true
  }),
)

/** A row of the `sessions` table with its policy. Timestamps are UTC, in SQLite's text format. */
export class Session extends Schema.Class<Session>("Session")({
  id: Schema.String,
  /** The URL of the session's server, as stored. It may contain user info, so show only `redactUrl` of it. */
  url: Schema.String,
  status: Schema.String,
  policy: Schema.optionalWith(StoredPolicy, { default: () => defaultPolicy }),
  /** That it was killed, or drains. */
  control: Schema.optionalWith(StoredControl, { default: () => noControl }),
  createdAt: Schema.NullOr(Schema.String),
  updatedAt: Schema.NullOr(Schema.String),
}) {}

/** The statuses of sessions that take requests. */
export const forwardingStatuses: ReadonlySet<string> = new Set(["active", "online", "ready"])

/** Whether requests for a session with this status are forwarded. */
export const isForwarding = (status: string): boolean => forwardingStatuses.has(status)

/**
 * The id, the URL or a policy of a session is invalid, so it cannot be stored. `problem` is a phrase without user info.
 */
export class SessionInvalid extends Data.TaggedError("SessionInvalid")<{
  readonly sessionId: string
  readonly problem: string
}> {
  override get message(): string {
    return this.problem
  }
}

/** The id of a new session exists already. */
export class SessionExists extends Data.TaggedError("SessionExists")<{ readonly sessionId: string }> {}

/** Some ids of several new sessions exist already. */
export class SessionsExist extends Data.TaggedError("SessionsExist")<{
  readonly sessionIds: readonly [string, ...ReadonlyArray<string>]
}> {}
