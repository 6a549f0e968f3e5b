import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { CloseRequest } from "./ControlBody.js"
import { Count, Duration, Limit, Missing, Next, optional, PathPart } from "./Fields.js"

const LivePath = Schema.Struct({ live: PathPart })

const LiveKind = Schema.Literal("request", "stream", "websocket")

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
}).annotations({ identifier: "Live" })

const LiveQuery = Schema.Struct({
  session: optional(Schema.String),
  kind: optional(LiveKind),
  client: optional(Schema.String),
  older_than: optional(Duration),
  silent_for: optional(Duration),
  sort: optional(Schema.Literal("age", "bytes")),
  limit: optional(Limit(1_000)),
  after: optional(Schema.String),
})

const LivePage = Schema.Struct({ live: Schema.Array(LiveView), next: Next, missing: Missing })

/** Calls about what is under way. */
export const liveGroup = HttpApiGroup.make("live")
  .add(HttpApiEndpoint.get("list", "/v1/live").setUrlParams(LiveQuery).addSuccess(LivePage))
  .add(HttpApiEndpoint.get("find", "/v1/live/:live").setPath(LivePath).addSuccess(LiveView))
  .add(
    HttpApiEndpoint.del("end", "/v1/live/:live")
      .setPath(LivePath)
      .setPayload(CloseRequest)
      .addSuccess(HttpApiSchema.NoContent),
  )
