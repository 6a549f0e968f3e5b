import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { Count, Missing, Nullable, optional } from "./Fields.js"
import { HealthView, LiveCounts } from "./SessionViews.js"

/** Of a second, for each second of it. Latencies are those of what was over, or began to be answered; null where nothing was. */
export const SampleView = Schema.Struct({
  /** The end of the second. */
  time: Schema.String,
  /** Requests that were over; handshakes that became WebSockets are none. */
  requests_per_second: Count,
  answers_per_second: Schema.Struct({
    "1xx": Count,
    "2xx": Count,
    "3xx": Count,
    "4xx": Count,
    "5xx": Count,
    /** Nothing was answered. */
    none: Count,
  }),
  /** By the fault of a server or of the proxy. */
  errors_per_second: Count,
  bytes_in_per_second: Count,
  bytes_out_per_second: Count,
  messages_in_per_second: Count,
  messages_out_per_second: Count,
  p50_ms: Nullable(Count),
  p99_ms: Nullable(Count),
  first_byte_p50_ms: Nullable(Count),
  first_byte_p99_ms: Nullable(Count),
  /** Under way at its end: requests without an answer yet, answers on their way, WebSockets. */
  requests: Count,
  streams: Count,
  websockets: Count,
  /** Connections of clients. */
  connections: Count,
  /** Part of the time in which the event loop was at work: 0 to 1. */
  loop_utilization: Count,
}).annotations({ identifier: "Sample" })

export const StatsView = Schema.Struct({
  sample: SampleView,
  sessions: Schema.Struct({
    /** Those in memory: somebody asked for them. */
    known: Schema.Int,
    /** Of these. */
    draining: Schema.Int,
    /** Rows in the store whose status forwards, and others; counted at most every 30 s. */
    forwarding: Nullable(Schema.Int),
    others: Nullable(Schema.Int),
  }),
  store: Schema.Struct({
    state: Schema.Literal("ok", "failing"),
    last_ok_at: Nullable(Schema.String),
    problem: Nullable(Schema.String),
  }),
  process: Schema.String,
  missing: Missing,
}).annotations({ identifier: "Stats" })

export const HistoryView = Schema.Struct({
  interval_seconds: Schema.Int,
  /** Of the last quarter of an hour, oldest first. */
  samples: Schema.Array(SampleView),
  missing: Missing,
}).annotations({ identifier: "History" })

/** At most so many sessions are told of in one stream of events. */
export const mostNamed = 100

const EventsQuery = Schema.Struct({
  /** Ids, each percent-encoded, between commas. */
  sessions: optional(Schema.String),
})

/** What the event `sessions` tells of each that has changed. */
export const SessionEventView = Schema.Union(
  Schema.Struct({
    id: Schema.String,
    status: Schema.String,
    forwards: Schema.Boolean,
    draining_until: Nullable(Schema.String),
    health: Nullable(HealthView),
    live: LiveCounts,
    idle_seconds: Nullable(Count),
  }),
  Schema.Struct({ id: Schema.String, removed: Schema.Literal(true) }),
)

/** Calls about how much there is to do. */
export const statsGroup = HttpApiGroup.make("stats")
  .add(HttpApiEndpoint.get("latest", "/v1/stats").addSuccess(StatsView))
  .add(HttpApiEndpoint.get("history", "/v1/stats/history").addSuccess(HistoryView))
  .add(
    HttpApiEndpoint.get("events", "/v1/events")
      .setUrlParams(EventsQuery)
      .addSuccess(HttpApiSchema.Text({ contentType: "text/event-stream" })),
  )
