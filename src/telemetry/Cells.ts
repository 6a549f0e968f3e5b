import { cellCount, type Dimension, type Metric } from "./Catalogue.js"

/** The cell of a metric without labels; the first one of any other. */
export type Cell = number

/** The cell of the series whose label has this value. */
export const cellOf = <Key extends string>(metric: Metric<readonly [Dimension<Key>]>, key: Key): Cell =>
  metric.offset + metric.dimensions[0].keys.indexOf(key) * metric.width

/** The numbers of one process: a cell for each series that there can ever be, so that counting makes nothing. */
export class Cells {
  constructor(readonly values: Float64Array = new Float64Array(cellCount)) {}

  /** A copy, which nobody counts in. */
  copy(): Cells {
    return new Cells(this.values.slice())
  }

  add(cell: Cell, by: number): void {
    this.values[cell] = (this.values[cell] ?? 0) + by
  }

  set(cell: Cell, value: number): void {
    this.values[cell] = value
  }

  /** Puts a time, in milliseconds, into the histogram whose cells begin at `cell`. What is no time is left out. */
  observe({ bounds }: Metric, cell: Cell, milliseconds: number): void {
    const seconds = milliseconds / 1_000
    if (!(seconds >= 0)) return
    let bucket = 0
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket++
    this.add(cell + bucket, 1)
    this.add(cell + bounds.length + 1, seconds)
  }
}
