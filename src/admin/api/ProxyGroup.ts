import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import { Schema } from "effect"
import { Count, Duration, Limit, Missing, Nullable, optional } from "./Fields.js"
import { HealthView, SessionView } from "./SessionGroup.js"

export const VersionView = Schema.Struct({
  version: Schema.String,
  node: Schema.String,
  started_at: Schema.String,
}).annotations({ identifier: "Version" })

export const ProcessView = Schema.Struct({
  /** What begins the ids of all that is under way in it. */
  process: Schema.String,
  pid: Schema.Int,
  started_at: Schema.String,
  uptime_seconds: Count,
  draining: Schema.Boolean,
  live: Schema.Struct({ requests: Count, streams: Count, websockets: Count }),
  memory: Schema.Struct({ rss: Count, heap_used: Count, heap_total: Count, external: Count }),
  /** Part of its time in which its event loop was at work, since it started. */
  loop_utilization: Schema.Number,
}).annotations({ identifier: "Process" })

export const SettingView = Schema.Struct({
  name: Schema.String,
  /** As its flag takes it; `set` for a secret. */
  value: Schema.String,
  from: Schema.Literal("flag", "variable", "program", "default"),
}).annotations({ identifier: "Setting" })

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
}).annotations({ identifier: "Explanation" })

export const ErrorView = Schema.Struct({
  time: Schema.String,
  session: Nullable(Schema.String),
  code: Schema.String,
  /** What clients do wrong is not remembered. */
  fault: Schema.Literal("downstream", "proxy"),
  reason: Nullable(Schema.String),
  /** 0: nothing was answered. */
  status: Schema.Int,
  request_id: Schema.String,
  method: Schema.String,
  target: Schema.String,
  server: Nullable(Schema.String),
}).annotations({ identifier: "RememberedError" })

const ExplainQuery = Schema.Struct({
  url: optional(Schema.String),
  target: optional(Schema.String),
  method: optional(Schema.String),
  upgrade: optional(Schema.Literal("websocket")),
})

const ErrorsQuery = Schema.Struct({
  session: optional(Schema.String),
  request_id: optional(Schema.String),
  limit: optional(Limit(200)),
})

const TokenRequest = Schema.Struct({
  read_only: optional(Schema.Boolean),
  for: optional(Duration),
})

/** Calls about the proxy as a whole. */
export const proxyGroup = HttpApiGroup.make("proxy", { topLevel: true })
  .add(HttpApiEndpoint.get("version", "/v1/version").addSuccess(VersionView))
  .add(
    HttpApiEndpoint.get("processes", "/v1/processes").addSuccess(
      Schema.Struct({ processes: Schema.Array(ProcessView), missing: Missing }),
    ),
  )
  .add(HttpApiEndpoint.get("config", "/v1/config").addSuccess(Schema.Struct({ settings: Schema.Array(SettingView) })))
  .add(HttpApiEndpoint.get("explain", "/v1/explain").setUrlParams(ExplainQuery).addSuccess(ExplainView))
  .add(
    HttpApiEndpoint.get("errors", "/v1/errors")
      .setUrlParams(ErrorsQuery)
      .addSuccess(Schema.Struct({ errors: Schema.Array(ErrorView), missing: Missing })),
  )
  .add(
    HttpApiEndpoint.post("makeToken", "/v1/tokens")
      .setPayload(TokenRequest)
      .addSuccess(Schema.Struct({ token: Schema.String, url: Nullable(Schema.String) }), { status: 201 }),
  )
