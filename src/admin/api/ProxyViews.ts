import { Schema } from "effect"
import { Count, Nullable, optional } from "./Fields.js"

export const VersionView = Schema.Struct({
  version: Schema.String,
  node: Schema.String,
  started_at: Schema.String,
}).annotations({ identifier: "Version" })

/** What a process tells of itself. */
export const ProcessNumbersView = Schema.Struct({
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
})

export const ProcessView = Schema.Struct({
  ...ProcessNumbersView.fields,
  /** `proxy`: it does everything. `worker`: it serves; the supervisor, which does not, starts and ends it. */
  role: Schema.Literal("proxy", "worker", "supervisor"),
  /** What the worker is called, as in the log and in metrics; null where there are none. */
  worker: Nullable(Schema.String),
  /** Of workers: grows with each reload. */
  generation: Nullable(Schema.Int),
}).annotations({ identifier: "Process" })

export const SettingView = Schema.Struct({
  name: Schema.String,
  /** As its flag takes it; `set` for a secret. */
  value: Schema.String,
  from: Schema.Literal("flag", "variable", "program", "default"),
}).annotations({ identifier: "Setting" })

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
  /** Where there are several, which one it was in. */
  worker: optional(Schema.String),
}).annotations({ identifier: "RememberedError" })
