import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { CloseRequest } from "./ControlBody.js"
import { Duration, Limit, Missing, Next, optional, PathPart } from "./Fields.js"
import { LiveKind, LiveView } from "./LiveView.js"

const LivePath = Schema.Struct({ live: PathPart })

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
