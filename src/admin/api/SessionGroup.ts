import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { CloseRequest, DrainRequest, DrainView, LiveNumbers } from "./ControlBody.js"
import { Conditions, SessionPatch, SessionPut } from "./SessionBody.js"
import { Duration, Limit, Missing, Next, optional, PathPart, Words } from "./Fields.js"
import { ActivityView, SessionView } from "./SessionViews.js"

const SessionPath = Schema.Struct({ id: PathPart })

/** `activity`: the last; of numbers those of this process; `live`: how much is under way. */
export const SessionSort = Schema.Literal("id", "activity", "requests", "bytes", "errors", "live")

const SessionsQuery = Schema.Struct({
  limit: optional(Limit(1_000)),
  after: optional(Schema.String),
  status: optional(Schema.String),
  prefix: optional(Schema.String),
  q: optional(Schema.String),
  include: optional(Words("live", "activity")),
  sort: optional(SessionSort),
  /** `desc` unless by id. */
  order: optional(Schema.Literal("asc", "desc")),
  idle_for: optional(Duration),
  /** `active`: what is under way is activity, also where nothing passes. */
  open: optional(Schema.Literal("active")),
})

export type SessionsQuery = typeof SessionsQuery.Type

const SessionPage = Schema.Struct({
  sessions: Schema.Array(SessionView),
  next: Next,
  /** Sorted by what is known of more sessions than are remembered. */
  truncated: Schema.Boolean,
  missing: Missing,
  /** Only while the database is away: these are those that processes know, and the database was last heard of then. */
  as_of: optional(Schema.String),
})

/** Calls about sessions. */
export const sessionGroup = HttpApiGroup.make("sessions")
  .add(HttpApiEndpoint.get("list", "/v1/sessions").setUrlParams(SessionsQuery).addSuccess(SessionPage))
  .add(HttpApiEndpoint.get("find", "/v1/sessions/:id").setPath(SessionPath).addSuccess(SessionView))
  .add(
    HttpApiEndpoint.put("put", "/v1/sessions/:id")
      .setPath(SessionPath)
      .setHeaders(Conditions)
      .setPayload(SessionPut)
      .addSuccess(SessionView)
      .addSuccess(SessionView, { status: 201 }),
  )
  .add(
    HttpApiEndpoint.patch("patch", "/v1/sessions/:id")
      .setPath(SessionPath)
      .setHeaders(Conditions)
      .setPayload(SessionPatch)
      .addSuccess(SessionView),
  )
  .add(
    HttpApiEndpoint.del("remove", "/v1/sessions/:id")
      .setPath(SessionPath)
      .setHeaders(Conditions)
      .addSuccess(HttpApiSchema.NoContent),
  )
  .add(
    HttpApiEndpoint.post("drain", "/v1/sessions/:id/drain")
      .setPath(SessionPath)
      .setPayload(DrainRequest)
      .addSuccess(DrainView, { status: 202 }),
  )
  .add(HttpApiEndpoint.del("resume", "/v1/sessions/:id/drain").setPath(SessionPath).addSuccess(HttpApiSchema.NoContent))
  .add(
    HttpApiEndpoint.post("kill", "/v1/sessions/:id/kill")
      .setPath(SessionPath)
      .setPayload(CloseRequest)
      .addSuccess(LiveNumbers, { status: 202 }),
  )
  .add(HttpApiEndpoint.get("activity", "/v1/sessions/:id/activity").setPath(SessionPath).addSuccess(ActivityView))
  .add(HttpApiEndpoint.post("touch", "/v1/sessions/:id/touch").setPath(SessionPath).addSuccess(HttpApiSchema.NoContent))
