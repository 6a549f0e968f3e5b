// What the documents say of speed, from the figures of a run: `npm run bench -- --documents` writes it.

/**
 * @typedef {object} Report
 * @property {ReturnType<typeof import("../process/Machine.mjs").machine>} machine
 * @property {{ at: string, rounds: number, seconds: number }} run
 * @property {Array<{ name: string, about: string }>} proxies
 * @property {import("./Figures.mjs").Section[]} sections
 * @property {import("./Verdicts.mjs").Verdict[]} targets
 */

/** @typedef {[workload: string, figure: string, title: string]} Shown */

/** What a proxy is called in a table: its name, and the version where that tells. */
const calledBy = /** @type {Record<string, string>} */ ({
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
})

/** Those that README.md has a column for. */
const inReadme = ["ss-proxy", "rust", "floor", "reply-from", "http-proxy", "configurable-http-proxy", "nginx"]

/** @type {Shown[]} */
const rowsOfReadme = [
  ["get", "cpu", "GET of 118 bytes, µs"],
  ["post", "cpu", "POST of 1 KiB, µs"],
  ["large", "cpu", "GET of 64 KiB, µs"],
  ["events", "cpu", "server-sent event, µs"],
  ["download", "cpu", "GiB down, ms"],
  ["upload", "cpu", "GiB up, ms"],
  ["ws-single", "cpu", "WebSocket echo, 64 bytes, µs"],
  ["ws-large", "cpu", "WebSocket echo, 16 KiB, µs"],
]

/** The tables of docs/PERFORMANCE.md, all with a row for each proxy. */
const tables = /** @type {Record<string, Shown[]>} */ ({
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
    ["sessions", "perSecond", "10,000 sessions: a second"],
    ["sessions", "share", "share of one session's"],
    ["million", "memory", "1,000,000 rows: memory, MiB"],
    ["million", "p50", "cold lookup p50, ms"],
    ["commit", "p50", "in force after a commit, p50, ms"],
    ["commit", "p99", "p99, ms"],
  ],
})

/** @param {readonly string[]} cells */
const line = (cells) => `| ${cells.join(" | ")} |`

/**
 * @param {readonly string[]} head
 * @param {ReadonlyArray<readonly string[]>} rows
 */
const table = (head, rows) => [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")

/** @param {string} name */
const called = (name) => calledBy[name] ?? name

/**
 * A figure as the report has it; nothing where there is none.
 *
 * @param {Report} report
 * @param {string} workload
 * @param {string} figure
 * @param {string} proxy
 */
const cell = ({ sections }, workload, figure, proxy) => {
  const section = sections.find(({ name }) => name === workload)
  const value = section?.rows.find(({ name }) => name === proxy)?.figures[figure]
  const digits = section?.columns.find(({ key }) => key === figure)?.digits ?? 0
  return value === undefined
    ? ""
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** @param {Report} report */
const where = ({ machine, run }) =>
  `${run.at.slice(0, 10)}, ${machine.cores} cores of an ${machine.cpu}, Node ${machine.node.slice(1)}`

/** @param {Report} report */
const readmeTable = (report) =>
  `CPU time of the proxy's process, the medians of ${report.run.rounds} rounds of \`npm run bench\`: all proxies in turn, in one run ` +
  `(${where(report)}).\n"Floor" is node's own server with a bare undici client behind it.\n\n` +
  `${table(
    ["a", ...inReadme.map(called)],
    rowsOfReadme.map(([workload, figure, title]) => [
      title,
      ...inReadme.map((proxy) => cell(report, workload, figure, proxy)),
    ]),
  )}\n`

/**
 * @param {Report} report
 * @param {readonly Shown[]} shown
 */
const proxyTable = (report, shown) => {
  const rows = report.proxies
    .map(({ name }) => [called(name), ...shown.map(([workload, figure]) => cell(report, workload, figure, name))])
    .filter(([, ...cells]) => cells.some((text) => text !== ""))
  return `${table(["", ...shown.map(([, , title]) => title)], rows)}\n`
}

/** @param {Report} report */
const targetTable = (report) =>
  `${table(
    ["", "against", "measured", "target", ""],
    report.targets.map(({ title, against, value, is, limit, isKept }) => [
      title,
      against === undefined ? "" : called(against),
      value.toFixed(2),
      `${is} ${limit}`,
      isKept ? "kept" : "**missed**",
    ]),
  )}\n`

/** @param {Report} report */
const proxyList = ({ proxies }) =>
  `${proxies
    .filter(({ name }) => name !== "direct")
    .map(({ name, about }) => `- ${called(name)}: ${about}`)
    .join("\n")}\n`

/**
 * A document with what stands between `<!-- bench: NAME -->` and `<!-- /bench -->` written anew.
 *
 * @param {string} document
 * @param {Report} report
 * @returns {string}
 */
export const withFigures = (document, report) =>
  document.replaceAll(/(<!-- bench: (\w+) -->\n)[^]*?(<!-- \/bench -->)/g, (_, from, name, until) => {
    /** @type {Record<string, () => string>} */
    const texts = {
      readme: () => readmeTable(report),
      where: () => `${where(report)}; ${report.machine.load} for load, ${report.machine.origin} as the origin.\n`,
      proxies: () => proxyList(report),
      targets: () => targetTable(report),
    }
    const shown = tables[name]
    const text = texts[name]?.() ?? (shown === undefined ? undefined : proxyTable(report, shown))
    if (text === undefined) throw new Error(`there are no figures called ${name}`)
    return `${from}\n${text}\n${until}`
  })
