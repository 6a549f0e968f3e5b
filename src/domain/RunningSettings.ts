import * as Reading from "./Reading.js"
import { setting, settingOfPrograms } from "./Setting.js"

/** What is recorded, and how the proxy stops. */
export const runningSettings = {
  traces: settingOfPrograms({
    reading: Reading.onOrOff,
    fallback: false,
    group: "Running",
    help: "Records spans of requests and WebSockets with the Tracer that the proxy's Layer is given.",
    guide:
      "Records spans of requests and WebSockets with the `Tracer` that the proxy's Layer is given ([how](TRACES.md)).",
  }),
  accessLog: settingOfPrograms({
    reading: Reading.onOrOff,
    fallback: false,
    group: "Running",
    help: "Logs a line for every request and WebSocket.",
    guide:
      "Logs a line for every request and WebSocket when it is over, to Effect's log, with [these fields](CONFIGURATION.md#access-log).",
  }),
  logQuery: setting({
    reading: Reading.oneOf<"redact" | "keep" | "drop">("RULE", ["redact", "keep", "drop"]),
    fallback: "redact",
    flag: { name: "log-query" },
    group: "Running",
    help: "What logs show of a request's query: redact hides likely secrets, keep shows all, drop nothing.",
    guide:
      "What logs show of a request's query: `redact` hides [likely secrets](CONFIGURATION.md#secrets), `keep` shows all of it, `drop` nothing.",
  }),
  drainDelay: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "drain-delay" },
    group: "Running",
    help: "Behind a balancer: serves on for so long after SIGTERM or SIGINT, while /health says 503.",
    guide:
      "Behind a load balancer: for so long after a signal the proxy accepts and serves as ever, while `/health` says `503` ([why](OPERATIONS.md#restart-without-a-failed-request)). Then `--grace` begins.",
  }),
  grace: setting({
    reading: Reading.seconds,
    fallback: 30_000,
    flag: { name: "grace" },
    group: "Running",
    help: "Time for requests in flight to finish after SIGTERM or SIGINT.",
    guide: "Time for requests and WebSockets in flight to finish when the proxy stops.",
  }),
}
