import { Schema } from "effect"
import { Count, Nullable, optional } from "./Fields.js"
import { HealthView, SessionView } from "./SessionViews.js"

export const ExplainView = Schema.Struct({
  route: Nullable(
    Schema.Struct({
      form: Schema.Literal("origin", "absolute", "asterisk"),
      session: Nullable(Schema.String),
      rest: Schema.String,
      websocket_only: Schema.Boolean,
      /** The host names the session, and not the path. */
      by_host: Schema.Boolean,
    }),
  ),
  session: Nullable(SessionView),
  lifetime: Nullable(Schema.Struct({ generation: Schema.Int, known_from: Schema.Literal("memory", "store") })),
  /** Where the request goes; without user info. */
  target: Nullable(Schema.String),
  /** The fields that the session's server gets; credentials are not shown. */
  fields: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })),
  /** What is in force for the session, and by whose word: its own, or the settings' of the proxy. */
  policies: Schema.Array(
    Schema.Struct({ name: Schema.String, value: Schema.String, from: Schema.Literal("session", "proxy") }),
  ),
  guard: Nullable(Schema.Struct({ address: Schema.String, denied: Nullable(Schema.String) })),
  /** How its server does; null where this process has not looked the session up before. */
  health: Nullable(HealthView),
  limits: Schema.Array(Schema.Struct({ name: Schema.String, now: Count, most: Nullable(Count) })),
  verdict: Schema.Struct({
    forwards: Schema.Boolean,
    status: Nullable(Schema.Int),
    code: Nullable(Schema.String),
    detail: Schema.String,
  }),
  steps: Schema.Array(Schema.String),
  /** Only while the database is away: when it was last heard of. */
  as_of: optional(Schema.String),
  /** Where there are several, whose word this is; `limits` are of all. */
  worker: optional(Schema.String),
}).annotations({ identifier: "Explanation" })
