import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import { Option, ParseResult, Schema } from "effect"
import { duration } from "../domain/Reading.js"
import { version } from "../domain/Version.js"
import { problems } from "./ApiProblem.js"

// What the API takes and gives. Names are those of `--json` of the command line. Times are RFC 3339 in UTC.

const Nullable = <A, I>(schema: Schema.Schema<A, I>) => Schema.NullOr(schema)
const Count = Schema.Number
const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * A part of a path. The client of HttpApi puts it into the URL as it is, and the router decodes what it finds there: so it is
 * encoded on the way out, and left alone on the way in.
 */
const PathPart = Schema.transform(Schema.String, Schema.String, {
  strict: true,
  decode: (part) => part,
  encode: encodeURIComponent,
})
const SessionPath = Schema.Struct({ id: PathPart })
const LivePath = Schema.Struct({ live: PathPart })

/** A time such as `30s` or `15m`, in milliseconds. */
const Duration = Schema.transformOrFail(Schema.String, Schema.Number, {
  strict: true,
  decode: (text, _, ast) =>
    Option.match(duration.read(text), {
      onNone: () => ParseResult.fail(new ParseResult.Type(ast, text, `must be ${duration.allowed}`)),
      onSome: ParseResult.succeed,
    }),
  encode: (milliseconds) => ParseResult.succeed(`${milliseconds / 1_000}s`),
})

const Limit = (most: number) => Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, most))

/** Words between commas. */
const Words = <const A extends string>(...words: ReadonlyArray<A>) =>
  Schema.split(",").pipe(Schema.compose(Schema.Array(Schema.Literal(...words))))

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

export const LiveCounts = Schema.Struct({ requests: Count, streams: Count, websockets: Count }).annotations({
  identifier: "LiveCounts",
})

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
    live: optional(LiveCounts),
    activity: optional(ActivityTimesView),
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

export const LiveKind = Schema.Literal("request", "stream", "websocket")

export const LiveView = Schema.Struct({
  id: Schema.String,
  session: Schema.String,
  kind: LiveKind,
  /** May come from its client, and so is no key. */
  request_id: Schema.String,
  client: Schema.String,
  method: Schema.String,
  /** Values of parameters that look like secrets are not shown. */
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

export const ExplainView = Schema.Struct({
  route: Nullable(
    Schema.Struct({
      form: Schema.Literal("origin", "absolute", "asterisk"),
      session: Nullable(Schema.String),
      rest: Schema.String,
      websocket_only: Schema.Boolean,
    }),
  ),
  session: Nullable(SessionView),
  lifetime: Nullable(Schema.Struct({ generation: Schema.Int, known_from: Schema.Literal("memory", "store") })),
  /** Where the request goes; without user info. */
  target: Nullable(Schema.String),
  /** The fields that the session's server gets; credentials are not shown. */
  fields: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })),
  guard: Nullable(Schema.Struct({ address: Schema.String, denied: Nullable(Schema.String) })),
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

const Next = Nullable(Schema.String)
/** Processes that did not answer in time. */
const Missing = Schema.Array(Schema.String)

const SessionsQuery = Schema.Struct({
  limit: optional(Limit(1_000)),
  after: optional(Schema.String),
  status: optional(Schema.String),
  prefix: optional(Schema.String),
  q: optional(Schema.String),
  include: optional(Words("live", "activity")),
})

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

const SessionPage = Schema.Struct({ sessions: Schema.Array(SessionView), next: Next, missing: Missing })
const LivePage = Schema.Struct({ live: Schema.Array(LiveView), next: Next, missing: Missing })

const proxy = HttpApiGroup.make("proxy", { topLevel: true })
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

const sessions = HttpApiGroup.make("sessions")
  .add(HttpApiEndpoint.get("list", "/v1/sessions").setUrlParams(SessionsQuery).addSuccess(SessionPage))
  .add(HttpApiEndpoint.get("find", "/v1/sessions/:id").setPath(SessionPath).addSuccess(SessionView))
  .add(HttpApiEndpoint.get("activity", "/v1/sessions/:id/activity").setPath(SessionPath).addSuccess(ActivityView))
  .add(HttpApiEndpoint.post("touch", "/v1/sessions/:id/touch").setPath(SessionPath).addSuccess(HttpApiSchema.NoContent))

const live = HttpApiGroup.make("live")
  .add(HttpApiEndpoint.get("list", "/v1/live").setUrlParams(LiveQuery).addSuccess(LivePage))
  .add(HttpApiEndpoint.get("find", "/v1/live/:live").setPath(LivePath).addSuccess(LiveView))
  .add(HttpApiEndpoint.del("end", "/v1/live/:live").setPath(LivePath).addSuccess(HttpApiSchema.NoContent))

const declared = HttpApi.make("ss-proxy admin")
  .add(proxy)
  .add(sessions)
  .add(live)
  .annotate(OpenApi.Title, "ss-proxy admin API")
  .annotate(OpenApi.Version, version)

/** Every call of the admin API, and the errors that any of them may have. */
export const AdminApi = declared.addError(Schema.Union(...problems))
