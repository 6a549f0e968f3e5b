import uPlot from "uplot"
import { button, element, fill, setText } from "./Element.js"
import { moment } from "./Format.js"
import type { Lifetime } from "./View.js"

/** One line of a chart. */
export interface Line<Point> {
  readonly label: string
  /** A variable of the style. */
  readonly colour: string
  readonly read: (point: Point) => number | null
}

interface Options<Point> {
  readonly title: string
  readonly lines: ReadonlyArray<Line<Point>>
  readonly format: (value: number | null) => string
  readonly timeOf: (point: Point) => string
  /** Shared by charts whose cursors move together. */
  readonly group: string
}

const plotHeight = 132
/** A chart that has only begun spans so many seconds. */
const leastSpan = 60
/** Rows of the table behind a chart. */
const tableRows = 15

const styleOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Values over the last minutes, with a table of the latest of them behind a button. */
export class Chart<Point> {
  readonly node: HTMLElement
  private readonly plotArea = element("div", { class: "plot", is: { "aria-hidden": "true" } })
  private readonly table = element("div", { class: "table chart-table" })
  private readonly values: ReadonlyArray<HTMLElement>
  private plot: uPlot | undefined
  private points: ReadonlyArray<Point> = []

  constructor(
    private readonly options: Options<Point>,
    lifetime: Lifetime,
  ) {
    this.values = options.lines.map(() => element("b", {}, "–"))
    this.node = this.frame()
    this.table.hidden = true
    const resized = new ResizeObserver(() => this.fit())
    resized.observe(this.plotArea)
    const theme = matchMedia("(prefers-color-scheme: dark)")
    theme.addEventListener("change", () => this.rebuild(), { signal: lifetime.signal })
    lifetime.atEnd(() => {
      resized.disconnect()
      this.plot?.destroy()
    })
  }

  show(points: ReadonlyArray<Point>): void {
    this.points = points
    this.plot?.setData(this.data())
    if (this.plot?.cursor.idx === null || this.plot?.cursor.idx === undefined) this.showValues(points.at(-1))
    if (!this.table.hidden) this.drawTable()
  }

  private frame(): HTMLElement {
    const { lines, title } = this.options
    const legend = lines.map(({ colour, label }, at) =>
      element("span", { class: `key ${colour.slice(2)}` }, element("i"), label, " ", this.values[at]),
    )
    const toggle = button("Table", () => this.toggle(toggle), {
      class: "quiet",
      is: { "aria-expanded": "false", "aria-label": `${title} as a table` },
    })
    return element(
      "section",
      { class: "card chart", is: { "aria-label": title } },
      element("header", {}, element("h2", {}, title), toggle),
      element("div", { class: "legend" }, ...legend),
      this.plotArea,
      this.table,
    )
  }

  private toggle(toggle: HTMLButtonElement): void {
    this.table.hidden = !this.table.hidden
    toggle.ariaExpanded = String(!this.table.hidden)
    if (!this.table.hidden) this.drawTable()
  }

  private data(): uPlot.AlignedData {
    const { lines, timeOf } = this.options
    const times = this.points.map((point) => new Date(timeOf(point)).getTime() / 1_000)
    return [times, ...lines.map(({ read }) => this.points.map(read))]
  }

  private showValues(point: Point | undefined): void {
    const { format, lines } = this.options
    for (const [at, { read }] of lines.entries()) {
      const node = this.values[at]
      if (node !== undefined) setText(node, point === undefined ? "–" : format(read(point)))
    }
  }

  private fit(): void {
    const width = this.plotArea.clientWidth
    if (width === 0) return
    if (this.plot === undefined) this.rebuild()
    else this.plot.setSize({ width, height: plotHeight })
  }

  private rebuild(): void {
    this.plot?.destroy()
    this.plot = new uPlot(this.plotOptions(), this.data(), this.plotArea)
  }

  private plotOptions(): uPlot.Options {
    const { format, group, lines } = this.options
    const [dim, grid] = [styleOf("--dim"), styleOf("--line")]
    const axis = {
      stroke: dim,
      font: "11px system-ui, sans-serif",
      ticks: { show: false },
      grid: { stroke: grid, width: 1 },
    }
    return {
      width: this.plotArea.clientWidth,
      height: plotHeight,
      // The last time below the chart is as wide as this on the right of its place.
      padding: [10, 28, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: group }, drag: { x: false, y: false }, points: { size: 5 } },
      scales: {
        x: { range: (_, first, last) => [Math.min(first, last - leastSpan), last] },
        y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 22,
          space: 80,
          values: (_, times) => times.map((time) => clockOf(time, times)),
        },
        { ...axis, size: 58, space: 34, values: (_, values) => values.map(format) },
      ],
      series: [
        {},
        ...lines.map(({ colour }, at) => {
          const stroke = styleOf(colour)
          return { stroke, width: 1.5, points: { show: false }, ...(at === 0 && { fill: `${stroke}1f` }) }
        }),
      ],
      hooks: { setCursor: [({ cursor }) => this.showValues(this.points[cursor.idx ?? this.points.length - 1])] },
    }
  }

  private drawTable(): void {
    const { format, lines, timeOf } = this.options
    const heads = ["Time", ...lines.map(({ label }) => label)].map((label) =>
      element("th", { is: { scope: "col" } }, label),
    )
    const rows = this.points
      .slice(-tableRows)
      .toReversed()
      .map((point) =>
        element(
          "tr",
          {},
          element("td", {}, moment(timeOf(point))),
          ...lines.map(({ read }) => element("td", { class: "num" }, format(read(point)))),
        ),
      )
    fill(
      this.table,
      element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)),
    )
  }
}

/** The time below a chart; with its seconds where minutes do not tell one from the next. */
const clockOf = (seconds: number, [first = 0, second = 0]: ReadonlyArray<number>): string => {
  const at = new Date(seconds * 1_000)
  const parts = [at.getHours(), at.getMinutes(), ...(second - first < 60 ? [at.getSeconds()] : [])]
  return parts.map((part) => String(part).padStart(2, "0")).join(":")
}
