import { buildInfo, catalogue, type Metric, metrics, sessionMetrics } from "../../src/telemetry/Catalogue.js"
import { table } from "./MarkdownTable.js"

/** A label and its values: all of them where they are few. */
const labelText = (name: string, values: ReadonlyArray<string>): string => {
  const named = [...new Set(values)].map((value) => (value === "" ? "empty" : `\`${value}\``))
  return `\`${name}\`: ${named.join(", ")}`
}

const labelsOf = ({ dimensions }: Metric): string =>
  dimensions
    .flatMap(({ labels, values }) =>
      labels.map((name, index) =>
        labelText(
          name,
          values.map((row) => row[index] ?? ""),
        ),
      ),
    )
    .join("; ")

const merges = { sum: "added up", max: "the largest", each: "each, by `worker`" } as const

const row = (metric: Metric): ReadonlyArray<string> => [
  `\`${metric.name}\``,
  metric.type,
  `${metric.help}.`,
  labelsOf(metric),
  metric.convention,
]

/** Metrics whose cells have one of these bounds, and the bounds. */
const buckets = (): string =>
  table(
    ["histograms", "upper bounds of buckets, in seconds"],
    [...new Set(metrics.filter(({ type }) => type === "histogram").map(({ bounds }) => bounds))].map((bounds) => [
      metrics
        .filter((metric) => metric.bounds === bounds && metric.type === "histogram")
        .map(({ name }) => `\`${name}\``)
        .join(", "),
      [...bounds, "+Inf"].join(", "),
    ]),
  )

const section = (title: string, wanted: (metric: Metric) => boolean): string =>
  `## ${title}\n\n${table(["metric", "type", "meaning", "labels", "OpenTelemetry"], metrics.filter(wanted).map(row))}`

const isNamed =
  (...beginnings: ReadonlyArray<string>) =>
  ({ name }: Metric): boolean =>
    beginnings.some((beginning) => name.startsWith(beginning))

/** In the order of the document; each metric belongs to the first that it fits. */
const sections: ReadonlyArray<readonly [title: string, fits: (metric: Metric) => boolean]> = [
  ["Requests", isNamed("ss_proxy_http_")],
  ["Connections of clients", isNamed("ss_proxy_client_")],
  ["Servers of sessions", isNamed("ss_proxy_downstream_", "ss_proxy_health_")],
  ["WebSockets", isNamed("ss_proxy_websocket")],
  ["Sessions", isNamed("ss_proxy_session", "ss_proxy_directory_", "ss_proxy_store_")],
  ["The proxy and its process", isNamed("ss_proxy_", "process_", "nodejs_")],
]

const sectionTexts = (): string =>
  sections
    .map(([title, fits], index) =>
      section(title, (metric) => fits(metric) && !sections.slice(0, index).some(([, earlier]) => earlier(metric))),
    )
    .join("\n\n")

const apart = metrics.filter(({ merge }) => merge !== "sum").map(({ merge, name }) => [`\`${name}\``, merges[merge]])

const ofSessions = table(
  ["metric", "type", "meaning", "labels"],
  Object.values(sessionMetrics).map(({ help, labels, name, type }) => [
    `\`${name}\``,
    type,
    `${help}.`,
    labels.map((label) => `\`${label}\``).join(", "),
  ]),
)

/** The whole of docs/METRICS.md. */
export const metricsDocument = (): string => `# Metrics

<!-- Made by \`node scripts/docs.mjs\` from src/telemetry/Catalogue.ts and test/docs/MetricsReference.ts. -->

The proxy always counts. \`--admin-port\` shows the numbers. The [admin socket](ADMIN.md#the-socket) shows them without a port:
\`curl --unix-socket sessions.db.*.sock http://admin/metrics\`.

| path | answer |
| --- | --- |
| \`/metrics\` | everything below, in Prometheus' text format 0.0.4 |
| \`/livez\` | \`200 ok\` as long as the process answers |
| \`/readyz\` | \`200 ok\`, or \`503\` if the proxy is draining or its last read of the store failed |

\`?verbose\` shows each check of a probe on its own line. A probe itself reads neither disk nor network. So it notices a lost store
only after a request has. When the store is back, the proxy notices by itself within a second.

These three paths need no token, unless [sessions have series of their own](#one-session). They show no session id, no URL and no address of a client. The listener accepts only requests
whose \`Host\` is an IP address, \`localhost\` or a name of \`--admin-hosts\`. It refuses pages of other origins and sends no CORS
field. A session whose URL leads to the listener gets [\`loop_detected\`](ERRORS.md#508-loop_detected).

A configuration of Prometheus:

\`\`\`yaml not-run: it is for Prometheus
scrape_configs:
  - job_name: ss-proxy
    static_configs:
      - targets: ["127.0.0.1:9091"]
\`\`\`

[grafana.json](grafana.json) is a board for Grafana: import it and choose the data source.

Every label has a fixed list of values. Clients, rows and servers cannot add one. An unknown method counts as
\`_OTHER\`, an unknown close code as \`other\`. So the number of series, fewer than 800, is the same from the first
scrape on; only \`ss_proxy_directory_age_seconds\` comes with the first request for a session.

Counters include bytes and messages of requests and WebSockets in progress. So a stream of three hours grows at every scrape.

${sectionTexts()}

\`${buildInfo.name}\` is always 1. Its labels are ${buildInfo.labels.map((name) => `\`${name}\``).join(" and ")}.

## One session

\`--metrics-sessions 50\` gives fifty sessions series of their own. It is off by default, and then costs nothing.

${ofSessions}

- The first fifty sessions with requests get them. All others are added up as \`session=""\`. Requests that name no
  session are not counted here.
- A session loses its series when its row is gone, or after an hour without live traffic. Another session may then get the place.
- Whoever knows the id of a session can reach its server. So \`/metrics\` then needs [a token](ADMIN.md#tokens) on the port; a read-only one is
  enough. Prometheus sends it with \`authorization: {credentials_file: FILE}\`. The admin socket needs none.
- You do not need this to see which sessions are busy now: use \`ss-proxy top\` or \`GET /v1/sessions?sort=requests\`.

## Buckets

${buckets()}

A time that is exactly on a bound counts in that bound's bucket.

## Several processes

With \`run --workers\` the supervisor shows the numbers of all workers as those of one proxy ([ADMIN](ADMIN.md#several-processes)). It asks
them at each scrape. Counters never fall while the supervisor runs: for a worker that does not answer within a second it uses the last
values, and what an ended worker has counted stays. The supervisor also asks once a second, so a killed worker loses at most what it
counted in its last second. [Series of sessions](#one-session) are only asked for at a scrape.

Numbers of several processes are added up, except for these. \`worker\` names the process: \`supervisor\`, or the unique name of a worker; a replacement
gets a new name.

${table(["metric", "combined value"], apart)}

## What to watch

| question | query |
| --- | --- |
| Which share of requests fails because of servers or the proxy? | \`sum(rate(${catalogue.requests.name}{status="5xx"}[5m])) / sum(rate(${catalogue.requests.name}[5m]))\` |
| How long do users wait for the first byte? | \`histogram_quantile(0.99, sum by (le) (rate(${catalogue.firstByte.name}_bucket[5m])))\` |
| Are servers of sessions gone? | \`sum by (result) (rate(${catalogue.dials.name}{result!="ok"}[5m]))\` |
| Is the event loop late? | \`histogram_quantile(0.99, sum by (le) (rate(${catalogue.eventLoopDelay.name}_bucket[5m])))\` |
| Is the store readable? | \`rate(${catalogue.storeFailures.name}[5m]) > 0\` |
| Are connections of clients refused? | \`sum by (cause) (rate(${catalogue.refused.name}[5m]))\` |
`
