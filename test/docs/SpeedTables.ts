import { Schema } from "effect"

/** What the documents show of a run of `npm run bench`. */
const Report = Schema.parseJson(
  Schema.Struct({
    machine: Schema.Struct({
      cpu: Schema.String,
      cores: Schema.Number,
      node: Schema.String,
      load: Schema.String,
      origin: Schema.String,
      pinning: Schema.String,
    }),
    run: Schema.Struct({ at: Schema.String, rounds: Schema.Number }),
    proxies: Schema.Array(Schema.Struct({ name: Schema.String, about: Schema.String })),
    sections: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        title: Schema.String,
        columns: Schema.Array(Schema.Struct({ key: Schema.String, digits: Schema.Number })),
        rows: Schema.Array(
          Schema.Struct({
            name: Schema.String,
            figures: Schema.Record({ key: Schema.String, value: Schema.NullOr(Schema.Number) }),
          }),
        ),
      }),
    ),
    targets: Schema.Array(
      Schema.Struct({
        workload: Schema.String,
        title: Schema.String,
        against: Schema.optional(Schema.String),
        is: Schema.String,
        limit: Schema.Number,
        value: Schema.Number,
        isKept: Schema.Boolean,
      }),
    ),
  }),
)
type Report = typeof Report.Type

/** A figure in a table: kind of work, figure of it, and the title of its row or column. */
type Shown = readonly [workload: string, figure: string, title: string]

/** What a proxy is called: its name, and the version where that tells. */
const titles: Readonly<Record<string, string>> = {
  "ss-proxy": "**ss-proxy**",
  rust: "ss-proxy in Rust",
  "reply-from": "@fastify/reply-from 12",
  "fastify-http-proxy": "@fastify/http-proxy 11",
  "http-proxy": "http-proxy 1.18",
  "http-proxy-3": "http-proxy-3 1.23",
  "configurable-http-proxy": "configurable-http-proxy 5",
  httpxy: "httpxy 0.5",
  "fast-proxy": "fast-proxy 2.2",
  nginx: "nginx 1.22",
}
const titleOf = (proxy: string): string => titles[proxy] ?? proxy

/** The proxies that README.md has a column for: itself and four others. */
const inReadme = ["ss-proxy", "rust", "reply-from", "configurable-http-proxy", "nginx"]

/** The table of README.md, in the language of the document. */
interface ReadmeTable {
  readonly about: (report: Report) => string
  readonly corner: string
  readonly rows: ReadonlyArray<Shown>
}

const english: ReadmeTable = {
  about: (report) =>
    `CPU time of the proxy's process for each piece of work: medians of ${report.run.rounds} rounds of \`npm run bench\`, all proxies in turn\n` +
    `(${machineOf(report)}). Where a cell is empty, that proxy cannot do the work: @fastify/reply-from\n` +
    "has no WebSockets, and the program in Rust takes no body of more than 2 MB.",
  corner: "work",
  rows: [
    ["get", "cpu", "GET of 118 bytes, µs"],
    ["post", "cpu", "POST of 1 KiB, µs"],
    ["large", "cpu", "GET of 64 KiB, µs"],
    ["events", "cpu", "server-sent event, µs"],
    ["download", "cpu", "GiB down, ms"],
    ["upload", "cpu", "GiB up, ms"],
    ["ws-single", "cpu", "WebSocket echo, 64 bytes, µs"],
    ["ws-large", "cpu", "WebSocket echo, 16 KiB, µs"],
  ],
}

const chinese: ReadmeTable = {
  about: ({ machine, run }) =>
    `每项工作消耗的代理进程 CPU 时间：所有代理轮流运行 \`npm run bench\`，取 ${run.rounds} 轮的中位数` +
    `（${run.at.slice(0, 10)}，${machine.cpu} 的 ${machine.cores} 个核，Node ${machine.node.slice(1)}）。` +
    "空格表示该代理做不了这项工作：@fastify/reply-from 不支持 WebSocket，Rust 版不接受超过 2 MB 的请求体。",
  corner: "工作",
  rows: [
    ["get", "cpu", "GET，118 字节，µs"],
    ["post", "cpu", "POST，1 KiB，µs"],
    ["large", "cpu", "GET，64 KiB，µs"],
    ["events", "cpu", "一个 SSE 事件，µs"],
    ["download", "cpu", "下载 1 GiB，ms"],
    ["upload", "cpu", "上传 1 GiB，ms"],
    ["ws-single", "cpu", "WebSocket 回显，64 字节，µs"],
    ["ws-large", "cpu", "WebSocket 回显，16 KiB，µs"],
  ],
}

/** The tables of docs/PERFORMANCE.md that have a row for each proxy, by the name in their marks. */
const proxyTables: Readonly<Record<string, ReadonlyArray<Shown>>> = {
  requests: [
    ["get", "cpu", "GET of 118 bytes, µs"],
    ["get", "perSecond", "a second"],
    ["get", "p99", "p99, ms"],
    ["post", "cpu", "POST of 1 KiB, µs"],
    ["post", "perSecond", "a second"],
    ["large", "cpu", "GET of 64 KiB, µs"],
    ["large", "perSecond", "a second"],
  ],
  streams: [
    ["events", "cpu", "server-sent event, µs"],
    ["download", "cpu", "GiB down, ms"],
    ["download", "growth", "growth, MiB"],
    ["upload", "cpu", "GiB up, ms"],
    ["upload", "growth", "growth, MiB"],
  ],
  websockets: [
    ["ws-single", "cpu", "echo of 64 bytes, µs"],
    ["ws-many", "cpu", "16 in flight, µs"],
    ["ws-large", "cpu", "echo of 16 KiB, µs"],
    ["ws-idle", "each", "idle, KiB each"],
  ],
  quiet: [
    ["rate", "p50Added", "added at 1,000 a second, p50, ms"],
    ["rate", "p99Added", "p99, ms"],
    ["start", "run", "start to first answer, ms"],
    ["start", "memory", "memory at rest, MiB"],
  ],
  sessions: [
    ["sessions", "perSecond", "10,000 sessions, requests a second"],
    ["sessions", "share", "share of one session's"],
    ["million", "memory", "1,000,000 rows, MiB"],
    ["million", "p50", "cold lookup, p50, ms"],
    ["commit", "p50", "in force after a commit, p50, ms"],
    ["commit", "p99", "p99, ms"],
  ],
}

const lineOf = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

const tableOf = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [lineOf(head), lineOf(head.map(() => "---")), ...rows.map(lineOf)].join("\n")

/** A figure as the benchmark prints it; nothing where there is none. */
const cellOf = ({ sections }: Report, workload: string, figure: string, proxy: string): string => {
  const section = sections.find(({ name }) => name === workload)
  const value = section?.rows.find(({ name }) => name === proxy)?.figures[figure] ?? undefined
  const digits = section?.columns.find(({ key }) => key === figure)?.digits ?? 0
  return value === undefined
    ? ""
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const machineOf = ({ machine, run }: Report): string =>
  `${run.at.slice(0, 10)}, ${machine.cores} cores of an ${machine.cpu}, Node ${machine.node.slice(1)}`

const readmeTable = (report: Report, { about, corner, rows }: ReadmeTable): string =>
  `${about(report)}\n\n${tableOf(
    [corner, ...inReadme.map(titleOf)],
    rows.map(([workload, figure, title]) => [
      title,
      ...inReadme.map((proxy) => cellOf(report, workload, figure, proxy)),
    ]),
  )}`

const proxyTable = (report: Report, shown: ReadonlyArray<Shown>): string => {
  const rows = report.proxies
    .map(({ name }) => [titleOf(name), ...shown.map(([workload, figure]) => cellOf(report, workload, figure, name))])
    .filter(([, ...cells]) => cells.some((cell) => cell !== ""))
  return tableOf(["", ...shown.map(([, , title]) => title)], rows)
}

const targetTable = ({ sections, targets }: Report): string =>
  tableOf(
    ["work", "figure", "against", "measured", "target", ""],
    targets.map(({ workload, title, against, value, is, limit, isKept }) => [
      sections.find(({ name }) => name === workload)?.title ?? workload,
      title,
      against === undefined ? "" : titleOf(against),
      value.toFixed(2),
      `${is} ${limit}`,
      isKept ? "kept" : "**missed**",
    ]),
  )

const textOf = (report: Report, name: string): string => {
  const shown = proxyTables[name]
  if (shown !== undefined) return proxyTable(report, shown)
  const { machine, proxies } = report
  switch (name) {
    case "readme":
      return readmeTable(report, english)
    case "readmeInChinese":
      return readmeTable(report, chinese)
    case "targets":
      return targetTable(report)
    case "machine":
      return `Measured ${machineOf(report)}; load by ${machine.load}, origin ${machine.origin}; ${machine.pinning}.`
    case "proxies":
      return proxies.map(({ name, about }) => `- ${titleOf(name)}: ${about}`).join("\n")
    default:
      throw new Error(`there is no table called ${name}`)
  }
}

/**
 * A document with what stands between `<!-- bench: NAME -->` and `<!-- /bench -->` brought up to date. `figures`: the text
 * of scripts/bench/figures.json.
 */
export const withFigures = (document: string, figures: string): string => {
  const report = Schema.decodeSync(Report)(figures)
  return document.replaceAll(
    /(<!-- bench: (\w+) -->\n)[^]*?(<!-- \/bench -->)/g,
    (_, from: string, name: string, until: string) => `${from}\n${textOf(report, name)}\n\n${until}`,
  )
}
