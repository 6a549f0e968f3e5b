import { Effect } from "effect"
import { Turns } from "../clock/Turns.js"
import { buildInfo, type Dimension, firstOfEach, type Metric, metrics } from "./Catalogue.js"
import type { ProcessNumbers, Snapshot } from "./Snapshot.js"

/** The media type of what `exposition` writes. */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8"

const escaped = (value: string): string => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")

/** A label. */
export const pair = (name: string, value: string): string => `${name}="${escaped(value)}"`

/** A number of a series. */
export const numberText = (value: number): string => {
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? "+Inf" : "-Inf"
}

/** The labels of every series of a metric, in the order of their cells; empty where it has none. */
const labelTexts = (dimensions: ReadonlyArray<Dimension>): ReadonlyArray<string> =>
  dimensions.reduce<ReadonlyArray<string>>(
    (texts, { labels, values }) =>
      texts.flatMap((text) =>
        values.map((row) => {
          const pairs = labels.map((name, index) => pair(name, row[index] ?? ""))
          return [...(text === "" ? [] : [text]), ...pairs].join(",")
        }),
      ),
    [""],
  )

/** What stands before the number of a series. */
export const named = (name: string, ...labels: ReadonlyArray<string>): string => {
  const present = labels.filter((label) => label !== "")
  return present.length === 0 ? `${name} ` : `${name}{${present.join(",")}} `
}

/** What stands before the series of a metric. */
export const headOf = ({ name, help, type }: Pick<Metric, "name" | "help"> & { readonly type: string }): string =>
  `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`

/** What stands before the numbers of one series: one text, or of a histogram those of buckets, sum and count. */
interface SeriesTexts {
  readonly value: string
  readonly buckets: ReadonlyArray<string>
  readonly sum: string
  readonly count: string
}

const seriesTexts = ({ name, bounds }: Metric, labels: string): SeriesTexts => ({
  value: named(name, labels),
  buckets: [...bounds, Number.POSITIVE_INFINITY].map((bound) =>
    named(`${name}_bucket`, labels, pair("le", numberText(bound))),
  ),
  sum: named(`${name}_sum`, labels),
  count: named(`${name}_count`, labels),
})

/** Everything about a metric but its numbers: it is the same at every scrape. */
interface MetricTexts {
  readonly metric: Metric
  readonly head: string
  readonly series: ReadonlyArray<SeriesTexts>
}

const textsOf = (metric: Metric, labels: string): MetricTexts => ({
  metric,
  head: headOf(metric),
  series: labelTexts(metric.dimensions).map((own) =>
    seriesTexts(metric, [labels, own].filter((text) => text !== "").join(",")),
  ),
})

/** Metrics that are told once, however many processes there are, with their cells from 0 on. */
const sharedMetrics = metrics.filter(({ merge }) => merge !== "each")

/** By the index of a metric among these. Made when it is needed first: all of them take a few milliseconds. */
const known: Array<MetricTexts> = []

const sharedTexts = (metric: Metric, index: number): MetricTexts => (known[index] ??= textsOf(metric, ""))

const isUnknown = (value: number | undefined): value is undefined => value === undefined || Number.isNaN(value)

const histogramText = (texts: SeriesTexts, values: Float64Array, cell: number): string => {
  let text = ""
  let count = 0
  for (const [bucket, before] of texts.buckets.entries()) {
    count += values[cell + bucket] ?? 0
    text += `${before}${count}\n`
  }
  return `${text}${texts.sum}${numberText(values[cell + texts.buckets.length] ?? 0)}\n${texts.count}${count}\n`
}

/** The lines of a metric's series. `values[0]` is the cell `first`. */
const seriesText = ({ metric, series }: MetricTexts, values: Float64Array, first: number): string => {
  let text = ""
  let cell = metric.offset - first
  for (const texts of series) {
    const value = values[cell]
    if (metric.type === "histogram") text += histogramText(texts, values, cell)
    else if (!isUnknown(value)) text += `${texts.value}${numberText(value)}\n`
    cell += metric.width
  }
  return text
}

/** A metric of which nothing is known has no head either. */
const withHead = (head: string, lines: string): string => (lines === "" ? "" : head + lines)

/** One process among several is named. */
const workerLabel = ({ worker }: ProcessNumbers, several: boolean): string => (several ? pair("worker", worker) : "")

const ofEachProcess = (processes: ReadonlyArray<ProcessNumbers>): string => {
  const several = processes.length > 1
  const infos = processes.map((process) => {
    const labels = [pair("version", process.version), pair("node", process.node), workerLabel(process, several)]
    return `${named(buildInfo.name, ...labels)}1\n`
  })
  const own = metrics.filter(({ merge }) => merge === "each")
  const lines = own.map((metric) =>
    withHead(
      headOf(metric),
      processes
        .map((process) => seriesText(textsOf(metric, workerLabel(process, several)), process.values, firstOfEach))
        .join(""),
    ),
  )
  return headOf({ ...buildInfo, type: "gauge" }) + infos.join("") + lines.join("")
}

const sharedText = (metric: Metric, index: number, values: Float64Array): string => {
  const texts = sharedTexts(metric, index)
  return withHead(texts.head, seriesText(texts, values, 0))
}

/**
 * A snapshot in Prometheus' text format 0.0.4.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { exposition, Telemetry } from "ss-proxy"
 *
 * const program = Effect.gen(function* () {
 *   const text = exposition(yield* (yield* Telemetry).snapshot)
 *   console.log(text.split("\n").find((line) => line.startsWith("ss_proxy_http_requests_in_flight")))
 * })
 * await Effect.runPromise(Effect.provide(program, Telemetry.layer))
 * // prints: ss_proxy_http_requests_in_flight 0
 * ```
 */
export const exposition = ({ values, processes }: Snapshot): string =>
  sharedMetrics.map((metric, index) => sharedText(metric, index, values)).join("") + ofEachProcess(processes)

/**
 * Makes what is the same at every scrape, and writes one that nobody gets, in slices: at the first one most of the time goes
 * into code that has not run before.
 */
export const prepareExposition = ({ values, processes }: Snapshot): Effect.Effect<void> =>
  Effect.gen(function* () {
    const turns = new Turns()
    for (const [index, metric] of sharedMetrics.entries()) {
      sharedText(metric, index, values)
      yield* turns.pause
    }
    ofEachProcess(processes)
  })
