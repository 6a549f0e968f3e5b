import { answerCauses, refusalCodes, statusClasses } from "./Causes.js"

/** How the values of several processes become one: added up, the largest of them, or each with a label `worker`. */
export type Merge = "sum" | "max" | "each"

/**
 * A label and all the values that it can have; or several labels that go together, with the values that they can have together.
 * Nothing that a client, a row or a server chooses is ever one of them: the number of series never grows.
 */
export interface Dimension<Key extends string = string> {
  readonly labels: ReadonlyArray<string>
  /** What a position is called in code. */
  readonly keys: ReadonlyArray<Key>
  /** The values of the labels at each position. */
  readonly values: ReadonlyArray<ReadonlyArray<string>>
}

const label = <const Key extends string>(name: string, keys: ReadonlyArray<Key>): Dimension<Key> => ({
  labels: [name],
  keys,
  values: keys.map((key) => [key]),
})

/** What is known of a metric: its documents, its exposition and its cells follow from this. */
export interface Metric<Dimensions extends ReadonlyArray<Dimension> = ReadonlyArray<Dimension>> {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  /** One line, without a full stop. */
  readonly help: string
  readonly dimensions: Dimensions
  /** Upper bounds of a histogram's buckets, ascending, without the last, which is infinite. */
  readonly bounds: ReadonlyArray<number>
  readonly merge: Merge
  /** What it is called in OpenTelemetry's semantic conventions, as Markdown; empty where they have no name for it. */
  readonly convention: string
  /** Where its cells begin, how many series it has, and how many cells one of these takes: a histogram's one a bucket, and the sum. */
  readonly offset: number
  readonly series: number
  readonly width: number
}

interface Words {
  readonly help: string
  readonly convention?: string
}

/** Cells that have an owner. */
let cells = 0

const metric = <const Dimensions extends ReadonlyArray<Dimension>>(
  row: Pick<Metric<Dimensions>, "name" | "type" | "dimensions" | "merge"> & Partial<Pick<Metric, "bounds">> & Words,
): Metric<Dimensions> => {
  const { bounds = [], dimensions } = row
  const series = dimensions.reduce((product, { keys }) => product * keys.length, 1)
  const width = row.type === "histogram" ? bounds.length + 2 : 1
  const offset = cells
  cells += series * width
  return { convention: "", ...row, bounds, offset, series, width }
}

const counter = <const Dimensions extends ReadonlyArray<Dimension>>(
  name: string,
  words: Words,
  ...dimensions: Dimensions
): Metric<Dimensions> => metric({ name, type: "counter", merge: "sum", dimensions, ...words })

const gauge = <const Dimensions extends ReadonlyArray<Dimension>>(
  name: string,
  merge: Merge,
  words: Words,
  ...dimensions: Dimensions
): Metric<Dimensions> => metric({ name, type: "gauge", merge, dimensions, ...words })

const histogram = <const Dimensions extends ReadonlyArray<Dimension>>(
  name: string,
  bounds: ReadonlyArray<number>,
  words: Words,
  ...dimensions: Dimensions
): Metric<Dimensions> => metric({ name, type: "histogram", merge: "sum", bounds, dimensions, ...words })

/** From a warm request on the same machine to a stream of half an hour, in seconds. */
const latencies = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800]
/** How long WebSockets live: up to a day, in seconds. */
const lifetimes = [1, 10, 60, 300, 1_800, 3_600, 14_400, 43_200, 86_400]
/** How late a timer is, in seconds. */
const delays = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

/** The methods of RFC 9110 section 9 and RFC 5789. Any other counts as `_OTHER`, which is no method that anybody would invent. */
export const methods = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "CONNECT",
  "TRACE",
  "_OTHER",
] as const

/** The close codes of RFC 6455 and of IANA's registry; those of libraries and of applications (section 7.4.2) count together. */
export const closeCodes = [
  "1000",
  "1001",
  "1002",
  "1003",
  "1005",
  "1006",
  "1007",
  "1008",
  "1009",
  "1010",
  "1011",
  "1012",
  "1013",
  "1014",
  "3xxx",
  "4xxx",
  "other",
] as const

/** What became of an attempt to connect to a session's server. */
export const dialResults = [
  "ok",
  "cancelled",
  "refused",
  "dns",
  "tls",
  "certificate",
  "timeout",
  "unroutable",
  "denied",
  "failed",
] as const

/** What a health check of a session's server came to. */
export const checkResults = ["ok", "status", "timeout", "unreachable", "broken", "skipped"] as const

/** Paths of the admin listener. */
export const adminRoutes = ["/metrics", "/livez", "/readyz", "/v1", "page", "other"] as const

const directions = label("direction", ["in", "out"])
const outcomes: Dimension = {
  labels: ["status", "cause"],
  keys: answerCauses.map(({ status, cause }) => `${status} ${cause}`),
  values: answerCauses.map(({ status, cause }) => [status, cause]),
}

/**
 * Every metric, once. A new one needs a row here, a call in `Telemetry.ts` and a test; `node scripts/docs.mjs` writes
 * docs/METRICS.md.
 */
export const catalogue = {
  requests: counter(
    "ss_proxy_http_requests_total",
    {
      help: "Finished requests, except handshakes that became WebSockets; cause: code of the proxy's own answer, empty for a server's",
      convention: "count of `http.server.request.duration`; `error.type`",
    },
    label("method", methods),
    outcomes,
  ),
  broken: counter(
    "ss_proxy_http_broken_total",
    { help: "Requests whose answer broke off, and who broke it off", convention: "`error.type`" },
    label("by", ["client", "server", "session", "proxy"]),
  ),
  requestsInFlight: gauge("ss_proxy_http_requests_in_flight", "sum", {
    help: "Requests in progress",
    convention: "`http.server.active_requests`",
  }),
  responsesStreaming: gauge("ss_proxy_http_responses_streaming", "sum", {
    help: "Requests in progress whose answer has begun",
  }),
  requestDuration: histogram(
    "ss_proxy_http_request_duration_seconds",
    latencies,
    { help: "From a request's head to the last byte of its answer", convention: "`http.server.request.duration`" },
    label("status", statusClasses),
  ),
  firstByte: histogram("ss_proxy_http_first_byte_seconds", latencies, {
    help: "From a request's head to the head of its answer, written to the client; answers of servers only",
  }),
  bodyBytes: counter(
    "ss_proxy_http_body_bytes_total",
    {
      help: "Bytes of content, from clients and to them, including requests in progress",
      convention: "sums of `http.server.request.body.size` and `http.server.response.body.size`",
    },
    directions,
  ),
  connections: gauge("ss_proxy_client_connections", "sum", {
    help: "Open connections of clients, including WebSockets",
  }),
  connectionsAccepted: counter("ss_proxy_client_connections_total", {
    help: "Connections of clients that were accepted",
  }),
  refused: counter(
    "ss_proxy_client_refused_total",
    { help: "Connections and messages of clients that were refused before they became a request" },
    label("cause", refusalCodes),
  ),
  dials: counter(
    "ss_proxy_downstream_dials_total",
    { help: "Attempts to connect to a session's server" },
    label("result", dialResults),
  ),
  leases: counter(
    "ss_proxy_downstream_leases_total",
    { help: "Requests that got a connection, from the pool or a new one" },
    label("source", ["pool", "new"]),
  ),
  dialDuration: histogram("ss_proxy_downstream_dial_seconds", latencies, {
    help: "Time to connect to a session's server, TCP and TLS, if it succeeded",
    convention: "part of `http.client.request.duration`",
  }),
  serverFirstByte: histogram("ss_proxy_downstream_first_byte_seconds", latencies, {
    help: "From sending a request to its session's server to the head of the response",
    convention: "part of `http.client.request.duration`",
  }),
  serverConnections: gauge(
    "ss_proxy_downstream_connections",
    "sum",
    { help: "Connections to the servers of sessions", convention: "`http.client.open_connections`" },
    label("state", ["busy", "idle", "websocket"]),
  ),
  retries: counter("ss_proxy_downstream_retries_total", {
    help: "Requests sent again on a new connection because the pooled one had just been closed",
    convention: "`http.request.resend_count`",
  }),
  queueWaiting: gauge("ss_proxy_downstream_queue_waiting", "sum", {
    help: "Requests that wait for a connection to a session's server",
  }),
  held: gauge("ss_proxy_downstream_held", "sum", {
    help: "Requests and handshakes that wait for a server that cannot be reached",
  }),
  queueDuration: histogram("ss_proxy_downstream_queue_seconds", latencies, {
    help: "Time that requests waited for a connection to a session's server, if they had to",
  }),
  healthChecks: counter(
    "ss_proxy_health_checks_total",
    {
      help: "Health checks of sessions' servers; status: neither 2xx nor 3xx; broken: no HTTP answer; skipped: no connection was free",
    },
    label("result", checkResults),
  ),
  webSocketsOpen: gauge("ss_proxy_websockets_open", "sum", { help: "Open WebSockets" }),
  handshakes: counter(
    "ss_proxy_websocket_handshakes_total",
    {
      help: "Finished WebSocket handshakes; refused: another answer than 101; failed: no answer of the server",
    },
    label("result", ["switched", "refused", "failed"]),
  ),
  messages: counter(
    "ss_proxy_websocket_messages_total",
    { help: "Complete data messages, from clients and to them, including open WebSockets" },
    directions,
  ),
  frameBytes: counter(
    "ss_proxy_websocket_bytes_total",
    { help: "Bytes of frames, from clients and to them, including open WebSockets" },
    directions,
  ),
  webSocketsClosed: counter(
    "ss_proxy_websocket_closed_total",
    { help: "Closed WebSockets, by the first close code and by who sent it or was lost" },
    label("code", closeCodes),
    label("by", ["client", "server", "proxy"]),
  ),
  webSocketDuration: histogram("ss_proxy_websocket_duration_seconds", lifetimes, {
    help: "How long WebSockets were open",
  }),
  sessions: gauge(
    "ss_proxy_sessions",
    "max",
    { help: "Sessions in the store, counted at most every 30 s; forwards: whether their status does" },
    label("forwards", ["true", "false"]),
  ),
  sessionsFailing: gauge("ss_proxy_sessions_failing", "max", {
    help: "Sessions in memory whose server failed at its last request: no connection, a reset before the answer, or a failed health check",
  }),
  sessionsEnded: counter(
    "ss_proxy_sessions_ended_total",
    { help: "Lifetimes of sessions that ended in this process" },
    label("reason", ["removed", "retargeted", "killed", "shutdown", "stale"]),
  ),
  lookups: counter(
    "ss_proxy_directory_lookups_total",
    {
      help: "Lookups of sessions; hit: from memory; read: a row was read; missing: no such row; failed: it could not be read",
    },
    label("result", ["hit", "read", "missing", "failed"]),
  ),
  refreshes: counter("ss_proxy_directory_refreshes_total", { help: "Times that the store was found to have changed" }),
  directoryEntries: gauge("ss_proxy_directory_entries", "sum", { help: "Sessions in memory" }),
  directoryAge: gauge("ss_proxy_directory_age_seconds", "max", {
    help: "Time since the store last said whether it has changed; it is asked for requests and while something is live",
  }),
  storeFailures: counter("ss_proxy_store_failures_total", {
    help: "Reads and writes of the store that failed; while it cannot be read, it is tried ten times a second",
  }),
  accessLogDropped: counter("ss_proxy_access_log_dropped_total", {
    help: "Lines of the access log that were dropped because its file or reader was too slow",
  }),
  accessLogFailures: counter("ss_proxy_access_log_failures_total", { help: "Writes of the access log that failed" }),
  traceSpans: counter(
    "ss_proxy_trace_spans_total",
    { help: "Spans of traces, by their fate" },
    label("result", ["sent", "dropped", "failed"]),
  ),
  adminRequests: counter(
    "ss_proxy_admin_requests_total",
    { help: "Requests to the admin listener that were answered" },
    label("route", adminRoutes),
    label("status", ["2xx", "3xx", "4xx", "5xx"]),
  ),
  draining: gauge("ss_proxy_draining", "max", { help: "1 while the proxy is stopping" }),
  eventLoopDelay: histogram("ss_proxy_event_loop_delay_seconds", delays, {
    help: "How late a timer of 500 ms is",
    convention: "`nodejs.eventloop.delay.*`",
  }),
  eventLoopUtilization: gauge("ss_proxy_event_loop_utilization_ratio", "each", {
    help: "Share of the time since the last scrape in which the event loop was busy",
    convention: "`nodejs.eventloop.utilization`",
  }),
  cpu: metric({
    name: "process_cpu_seconds_total",
    type: "counter",
    merge: "each",
    help: "CPU time, user and system",
    convention: "`process.cpu.time`",
    dimensions: [],
  }),
  residentMemory: gauge("process_resident_memory_bytes", "each", {
    help: "Resident memory",
    convention: "`process.memory.usage`",
  }),
  openFiles: gauge("process_open_fds", "each", {
    help: "Open file descriptors; on Linux only",
    convention: "`process.open_file_descriptor.count`",
  }),
  mostFiles: gauge("process_max_fds", "each", { help: "Limit of open file descriptors; on Linux only" }),
  startTime: gauge("process_start_time_seconds", "each", {
    help: "Start of the process, in seconds since the epoch",
  }),
  heapUsed: gauge("nodejs_heap_size_used_bytes", "each", {
    help: "Memory in use in the heap of JavaScript",
    convention: "`v8js.memory.heap.used`",
  }),
  heapTotal: gauge("nodejs_heap_size_total_bytes", "each", {
    help: "Memory of the heap of JavaScript",
    convention: "`v8js.memory.heap.limit`",
  }),
  externalMemory: gauge("nodejs_external_memory_bytes", "each", {
    help: "Memory of buffers and the like, outside the heap",
  }),
}

/** All metrics, in the order of their cells. Those that each process keeps to itself are the last. */
export const metrics: ReadonlyArray<Metric> = Object.values(catalogue)

/** How many cells there are, and where those of metrics begin that each process keeps to itself. */
export const cellCount = cells
export const firstOfEach = metrics.find(({ merge }) => merge === "each")?.offset ?? cells

/**
 * Metrics of single sessions, which are only there where `--metrics-sessions` asks for them. Their label `session` is an id; it is
 * empty for all sessions together that have no series of their own.
 */
export const sessionMetrics = {
  requests: {
    name: "ss_proxy_session_requests_total",
    type: "counter",
    help: "Finished requests of a session, except handshakes that became WebSockets",
    labels: ["session", "status"],
  },
  bytes: {
    name: "ss_proxy_session_bytes_total",
    type: "counter",
    help: "Bytes of content and of frames of a session, from clients and to them, including what is in progress",
    labels: ["session", "direction"],
  },
  webSocketsOpen: {
    name: "ss_proxy_session_websockets_open",
    type: "gauge",
    help: "Open WebSockets of a session",
    labels: ["session"],
  },
  firstByte: {
    name: "ss_proxy_session_first_byte_seconds",
    type: "summary",
    help: "From a request's head to the first byte of its answer, written to the client; answers of the session's server only",
    labels: ["session"],
  },
} as const

/** The one metric whose labels are no numbers of ours: they say which program a process runs. Its value is always 1. */
export const buildInfo = {
  name: "ss_proxy_build_info",
  help: "Versions of ss-proxy and of Node",
  labels: ["version", "node"],
} as const
