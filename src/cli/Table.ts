import type { Style } from "./Style.js"
import { clipped, padded, widthOf } from "./TextWidth.js"
import { printable } from "../wire/PrintableText.js"

/** A column of a table. `colour` chooses the style of a cell. */
export interface Column {
  readonly title: string
  readonly cells: ReadonlyArray<string>
  readonly colour?: (cell: string) => (text: string) => string
}

const plainText = (text: string): string => text

const gap = "  "
const narrowest = 8

/** The widths of the columns: shrinks the widest until the line fits, unless `lineWidth` is undefined. */
const fit = (natural: ReadonlyArray<number>, lineWidth: number | undefined): ReadonlyArray<number> => {
  const widths = [...natural]
  if (lineWidth === undefined) return widths
  const total = () => widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1))
  while (total() > lineWidth) {
    const widest = Math.max(...widths)
    if (widest <= narrowest) break
    widths[widths.indexOf(widest)] = Math.max(narrowest, widest - (total() - lineWidth))
  }
  return widths
}

const shownCells = (columns: ReadonlyArray<Column>): ReadonlyArray<Column> =>
  columns.map((column) => ({ ...column, cells: column.cells.map(printable) }))

/** The widths of the columns. `lineWidth`: width of the terminal; `undefined`: cut nothing. */
const widthsOf = (shown: ReadonlyArray<Column>, lineWidth: number | undefined): ReadonlyArray<number> => {
  // Not `Math.max(...)` with an argument for each cell, because there may be a million.
  const natural = shown.map(({ title, cells }) =>
    cells.reduce((most, cell) => Math.max(most, widthOf(cell)), widthOf(title)),
  )
  return fit(natural, lineWidth)
}

/** A table in parts, whose columns are as wide in each as the first part makes them. */
export class Table {
  private widths: ReadonlyArray<number> | undefined

  /** `lineWidth`: width of the terminal; `undefined`: cut nothing. */
  constructor(
    private readonly style: Style,
    private readonly lineWidth: number | undefined,
  ) {}

  /** The lines of the next part; before the first one those of the titles. */
  render(columns: ReadonlyArray<Column>): string {
    const shown = shownCells(columns)
    const isFirst = this.widths === undefined
    this.widths ??= widthsOf(shown, this.lineWidth)
    const { bold } = this.style
    const title = this.line(shown, this.widths, ({ title }) => [title, bold])
    const rows = Array.from({ length: shown[0]?.cells.length ?? 0 }, (_, row) =>
      this.line(shown, this.widths ?? [], ({ cells, colour }) => {
        const cell = cells[row] ?? ""
        return [cell, colour?.(cell) ?? plainText]
      }),
    )
    return [...(isFirst ? [title] : []), ...rows].join("\n")
  }

  private line(
    columns: ReadonlyArray<Column>,
    widths: ReadonlyArray<number>,
    cellOf: (column: Column) => readonly [text: string, colour: (text: string) => string],
  ): string {
    const last = columns.length - 1
    const cells = columns.map((column, index) => {
      const [text, colour] = cellOf(column)
      const width = widths[index] ?? 0
      // What a later part has may be longer than a column; in a pipe nothing is cut.
      const cut = this.lineWidth === undefined ? text : clipped(text, width)
      return colour(index === last ? cut : padded(cut, width))
    })
    return cells.join(gap).trimEnd()
  }
}

/** Lines of aligned columns under their titles. `lineWidth`: width of the terminal; `undefined`: cut nothing. */
export const renderTable = (columns: ReadonlyArray<Column>, style: Style, lineWidth: number | undefined): string =>
  new Table(style, lineWidth).render(columns)

/** Columns of a terminal; none for anything else, and for a terminal that does not say. */
export const terminalWidth = (stream: NodeJS.WriteStream): number | undefined =>
  stream.isTTY && stream.columns > 0 ? stream.columns : undefined
