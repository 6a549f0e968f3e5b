import { Schema } from "effect"
import { Count, optional } from "./Fields.js"

export const LiveKind = Schema.Literal("request", "stream", "websocket")

export const LiveView = Schema.Struct({
  id: Schema.String,
  session: Schema.String,
  kind: LiveKind,
  /** May come from its client, and so is no key. */
  request_id: Schema.String,
  client: Schema.String,
  method: Schema.String,
  /** Its query as `--log-query` says; values of parameters that look like secrets are not shown unless that says so. */
  target: Schema.String,
  /** 0: not answered yet. */
  status: Schema.Int,
  server: Schema.String,
  since: Schema.String,
  age_ms: Count,
  /** Nothing has passed that counts; to about a second. */
  silent_ms: Count,
  bytes_in: Count,
  bytes_out: Count,
  messages_in: Count,
  messages_out: Count,
  /** Where there are several, which one it is in. */
  worker: optional(Schema.String),
}).annotations({ identifier: "Live" })
