import { Schema } from "effect"
import { Count, Nullable, optional } from "./Fields.js"

/** What is under way. Rates, latencies and the like of the last second are null until somebody has looked for two seconds. */
export const LiveCounts = Schema.Struct({
  requests: Count,
  streams: Count,
  websockets: Count,
  requests_per_second: Nullable(Count),
  errors_per_second: Nullable(Count),
  bytes_in_per_second: Nullable(Count),
  bytes_out_per_second: Nullable(Count),
  /** Of requests that were over; null also where none was. */
  p50_ms: Nullable(Count),
  p99_ms: Nullable(Count),
  /** The code of its last failure that is remembered. */
  last_error: Nullable(Schema.String),
}).annotations({ identifier: "LiveCounts" })

export const ActivityTimesView = Schema.Struct({
  last_request_at: Nullable(Schema.String),
  last_client_at: Nullable(Schema.String),
  last_server_at: Nullable(Schema.String),
  last_kind: Nullable(Schema.Literal("request", "websocket", "touch")),
  idle_seconds: Nullable(Count),
  requests: Count,
  errors: Count,
  bytes_in: Count,
  bytes_out: Count,
}).annotations({ identifier: "ActivityTimes" })

/** How a session's server does, as this process has seen it. No request is refused for it. */
export const HealthView = Schema.Struct({
  /** `unknown`: it has not been asked yet. `failing`: no connection, a reset before the answer, or what a check did not like. */
  state: Schema.Literal("ok", "failing", "unknown"),
  since: Nullable(Schema.String),
  /** In a row. */
  failures: Schema.Int,
  /** What it failed with last, be it long ago. */
  last_error: Nullable(Schema.Struct({ code: Schema.String, reason: Nullable(Schema.String), time: Schema.String })),
  /** Who found out: requests, or checks (`--health-check`). */
  checked: Schema.Literal("passive", "active"),
}).annotations({ identifier: "Health" })

/** A session; its policies, by the names of their columns, are among its fields. */
export const SessionView = Schema.Struct(
  {
    id: Schema.String,
    /** Without user info. */
    url: Schema.String,
    status: Schema.String,
    /** Whether requests for it are forwarded, by its row. */
    forwards: Schema.Boolean,
    created_at: Nullable(Schema.String),
    updated_at: Nullable(Schema.String),
    /** When what is left of a session that drains is ended; null while it does not drain. */
    draining_until: Nullable(Schema.String),
    /** null: not asked for, by `include=live`, or this process does not know the session. */
    health: Nullable(HealthView),
    live: optional(LiveCounts),
    activity: optional(ActivityTimesView),
    /** Only while the database is away: this is what the session is served by, and the database was last heard of then. */
    as_of: optional(Schema.String),
  },
  { key: Schema.String, value: Schema.Unknown },
).annotations({ identifier: "Session" })

export const OpenView = Schema.Struct({
  id: Schema.String,
  kind: Schema.Literal("request", "websocket", "touch"),
  request_id: Schema.String,
  client: Schema.String,
  since: Schema.String,
  silent_ms: Count,
  bytes_in: Count,
  bytes_out: Count,
  pings: Count,
  ignored: Schema.Boolean,
})

export const ActivityView = Schema.Struct({
  ...ActivityTimesView.fields,
  session: Schema.String,
  last_client: Nullable(Schema.String),
  /** What is under way; to be open alone is no activity. */
  open: Schema.Array(OpenView),
  /** What was seen and does not count. */
  uncounted: Schema.Struct({ pings: Count, ignored_requests: Count }),
  /** Why nothing is known of what was before this process began, where it cannot be read. */
  problem: Nullable(Schema.String),
}).annotations({ identifier: "Activity" })
