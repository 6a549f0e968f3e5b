import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { optional } from "./Fields.js"

const EventText = HttpApiSchema.Text({ contentType: "text/event-stream" })

const TailQuery = Schema.Struct({
  session: optional(Schema.String),
  /** Those that were answered with an error of the proxy's, or broke off. */
  only: optional(Schema.Literal("failed")),
})

const FeedQuery = Schema.Struct({ prefix: optional(Schema.String) })

/** The id of the last event that a reader has had (WHATWG HTML section 9.2.4). */
const FeedFields = Schema.Struct({ "last-event-id": optional(Schema.String) })

/** Calls that go on until their reader leaves: what is over, and which sessions there are. */
export const streamGroup = HttpApiGroup.make("streams")
  .add(HttpApiEndpoint.get("tail", "/v1/tail").setUrlParams(TailQuery).addSuccess(EventText))
  .add(HttpApiEndpoint.get("feed", "/v1/feed").setUrlParams(FeedQuery).setHeaders(FeedFields).addSuccess(EventText))
