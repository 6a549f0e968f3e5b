import { Chart, type Line } from "../Chart.js"
import { problemText } from "../Dialog.js"
import { element, fill, link, setClass, setText } from "../Element.js"
import { bytes, bytesPerSecond, count, duration, exact, milliseconds, moment, percent, rate } from "../Format.js"
import type { Failure, Process, Sample, Stats } from "../Shapes.js"
import { Table } from "../Table.js"
import { Loader, type Lifetime, type Shared, type View } from "../View.js"
import { byCause } from "./Errors.js"

const refreshEvery = 5_000

const line = (label: string, colour: string, read: (sample: Sample) => number | null): Line<Sample> => ({
  label,
  colour,
  read,
})

const chartsOf = (lifetime: Lifetime): ReadonlyArray<Chart<Sample>> => {
  const make = (title: string, format: (value: number | null) => string, ...lines: ReadonlyArray<Line<Sample>>) =>
    new Chart<Sample>({ title, format, lines, timeOf: ({ time }) => time, group: "overview" }, lifetime)
  return [
    make(
      "Answers per second",
      rate,
      line("2xx", "--accent", ({ answers_per_second: answers }) => answers["2xx"]),
      line("3xx", "--quiet", ({ answers_per_second: answers }) => answers["3xx"]),
      line("4xx", "--warn", ({ answers_per_second: answers }) => answers["4xx"]),
      line("5xx", "--bad", ({ answers_per_second: answers }) => answers["5xx"]),
    ),
    make(
      "Time to answer",
      milliseconds,
      line("p50", "--accent", ({ p50_ms: time }) => time),
      line("p99", "--warn", ({ p99_ms: time }) => time),
      line("first byte p99", "--quiet", ({ first_byte_p99_ms: time }) => time),
    ),
    make(
      "Under way",
      count,
      line("WebSockets", "--accent", ({ websockets }) => websockets),
      line("streams", "--warn", ({ streams }) => streams),
      line("requests", "--quiet", ({ requests }) => requests),
    ),
    make(
      "Bytes per second",
      bytes,
      line("out", "--accent", ({ bytes_out_per_second: size }) => size),
      line("in", "--quiet", ({ bytes_in_per_second: size }) => size),
    ),
  ]
}

interface Tile {
  readonly label: string
  readonly read: (sample: Sample) => string
  readonly tone?: (sample: Sample) => string
}

const tiles: ReadonlyArray<Tile> = [
  { label: "requests/s", read: ({ requests_per_second: requests }) => rate(requests) },
  { label: "p50", read: ({ p50_ms: time }) => milliseconds(time) },
  { label: "p99", read: ({ p99_ms: time }) => milliseconds(time) },
  { label: "first byte p99", read: ({ first_byte_p99_ms: time }) => milliseconds(time) },
  { label: "WebSockets", read: ({ websockets }) => count(websockets) },
  { label: "streams", read: ({ streams }) => count(streams) },
  { label: "out", read: ({ bytes_out_per_second: size }) => bytesPerSecond(size) },
  {
    label: "errors/s",
    read: ({ errors_per_second: errors }) => rate(errors),
    tone: ({ errors_per_second: errors }) => (errors > 0 ? "bad" : ""),
  },
]

/** The figures of this second. */
const makeTiles = () => {
  const made = tiles.map((tile) => ({ ...tile, value: element("b", {}, "–"), node: element("div", { class: "tile" }) }))
  for (const { label, node, value } of made) fill(node, value, element("span", {}, label))
  return {
    node: element("div", { class: "tiles" }, ...made.map(({ node }) => node)),
    show: (sample: Sample): void => {
      for (const { node, read, tone, value } of made) {
        setText(value, read(sample))
        setClass(node, `tile ${tone?.(sample) ?? ""}`)
      }
    },
  }
}

/** A supervisor and its workers are called what they are. */
const processName = ({ generation, pid, process, role, worker }: Process): string => {
  if (role === "supervisor") return `supervisor (pid ${pid})`
  return worker === null ? `${process} (pid ${pid})` : `worker ${worker}, generation ${generation} (pid ${pid})`
}

/** All of it goes away, and not only workers whose work others do. */
const isDraining = (processes: ReadonlyArray<Process>): boolean => {
  const serving = processes.filter(({ role }) => role !== "supervisor")
  return serving.length > 0 && serving.every(({ draining }) => draining)
}

const processTable = (): Table<Process> =>
  new Table(
    "Processes",
    [
      { title: "Process", class: "mono", text: processName },
      {
        title: "State",
        text: ({ draining }) => (draining ? "draining" : "running"),
        tone: ({ draining }) => (draining ? "warn" : "good"),
      },
      { title: "Up", class: "num", text: ({ uptime_seconds: time }) => duration(time) },
      { title: "Loop", class: "num", text: ({ loop_utilization: part }) => percent(part) },
      { title: "Memory", class: "num", text: ({ memory }) => bytes(memory.rss) },
      { title: "Heap", class: "num", text: ({ memory }) => bytes(memory.heap_used) },
      {
        title: "Under way",
        class: "num",
        text: ({ live: { requests, streams, websockets } }) => exact(requests + streams + websockets),
      },
    ],
    ({ process }) => process,
    "No process answers.",
  )

/** Sessions and their store, in a few lines. */
const storeFacts = ({ sessions, store }: Stats): ReadonlyArray<HTMLElement> => {
  const pairs: ReadonlyArray<readonly [name: string, value: string, tone?: string]> = [
    [
      "Store",
      store.state === "ok" ? "readable" : `failing: ${store.problem ?? "not readable"}`,
      store.state === "ok" ? "good" : "bad",
    ],
    ["Last read", moment(store.last_ok_at)],
    ["Sessions in memory", exact(sessions.known)],
    ["Forwarding", sessions.forwarding === null ? "–" : exact(sessions.forwarding)],
    ["Others", sessions.others === null ? "–" : exact(sessions.others)],
    ["Draining", exact(sessions.draining), sessions.draining > 0 ? "warn" : ""],
  ]
  return pairs.flatMap(([name, value, tone = ""]) => [element("dt", {}, name), element("dd", { class: tone }, value)])
}

const errorList = (errors: ReadonlyArray<Failure>): ReadonlyArray<HTMLElement> =>
  errors.length === 0
    ? [element("p", { class: "none" }, "Nothing went wrong lately.")]
    : byCause(errors)
        .slice(0, 6)
        .map(([code, errors]) =>
          element(
            "li",
            {},
            element("b", { class: "num" }, exact(errors.length)),
            link("#/errors", code),
            element("span", { class: "dim" }, `last ${moment(errors[0]?.time)}`),
          ),
        )

interface Loaded {
  readonly stats: Stats
  readonly processes: ReadonlyArray<Process>
  readonly missing: ReadonlyArray<string>
  readonly errors: ReadonlyArray<Failure>
}

const load = async ({ api }: Shared, signal: AbortSignal): Promise<Loaded> => {
  const [stats, { missing, processes }, { errors }] = await Promise.all([
    api.get<Stats>("/v1/stats", signal),
    api.get<Pick<Loaded, "processes" | "missing">>("/v1/processes", signal),
    api.get<Pick<Loaded, "errors">>("/v1/errors?limit=200", signal),
  ])
  return { stats, processes, missing: [...new Set([...missing, ...stats.missing])], errors }
}

/** What there is to say of what does not answer, or is about to end. */
const noticesOf = ({ missing, processes }: Loaded): ReadonlyArray<HTMLElement> => [
  ...(missing.length === 0
    ? []
    : [
        element(
          "div",
          { class: "notice bad" },
          `Does not answer, and so is not in these figures: ${missing.join(", ")}.`,
        ),
      ]),
  ...(isDraining(processes)
    ? [
        element(
          "div",
          { class: "notice warn" },
          "This proxy is draining: it takes no new requests, and ends when what is under way is over.",
        ),
      ]
    : []),
]

/** How the proxy as a whole is doing. */
export const overviewView = (shared: Shared, lifetime: Lifetime): View => {
  const charts = chartsOf(lifetime)
  const figures = makeTiles()
  const problem = element("div", { class: "problem", is: { role: "alert" } })
  const notices = element("div")
  const store = element("dl", { class: "facts" })
  const errors = element("ul", { class: "error-list" })
  const scope = element("p", { class: "dim" }, "Of the last 200 that are remembered, of one session at most 50.")
  const processes = processTable()
  const area = element(
    "div",
    { class: "columns" },
    element("section", { class: "card pad" }, element("h2", {}, "Sessions"), store),
    element("section", { class: "card pad" }, element("h2", {}, "Latest errors"), errors, scope),
  )
  const loader = new Loader<Loaded>(
    area,
    lifetime,
    (signal) => load(shared, signal),
    (loaded) => {
      fill(problem)
      fill(notices, ...noticesOf(loaded))
      fill(store, ...storeFacts(loaded.stats))
      fill(errors, ...errorList(loaded.errors))
      scope.hidden = loaded.errors.length === 0
      processes.show(loaded.processes)
      figures.show(loaded.stats.sample)
    },
    (error) => fill(problem, problemText(error)),
  )
  const draw = (): void => {
    for (const chart of charts) chart.show(shared.feed.samples)
  }
  shared.feed.onSample.add((sample) => {
    figures.show(sample)
    draw()
  }, lifetime.signal)
  lifetime.every(refreshEvery, loader.refresh)
  loader.restart()
  draw()
  return {
    title: "Overview",
    node: element(
      "section",
      { class: "page scrolls" },
      notices,
      problem,
      figures.node,
      element("div", { class: "charts" }, ...charts.map(({ node }) => node)),
      area,
      element("section", { class: "card" }, element("header", {}, element("h2", {}, "Processes")), processes.node),
    ),
    reload: () => {
      loader.restart()
      draw()
    },
  }
}
