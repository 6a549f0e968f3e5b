import type { Style } from "./Style.js"
import { printable } from "../wire/PrintableText.js"

/** A column of a table. `colour` chooses the style of a cell. */
export interface Column {
  readonly title: string
  readonly cells: ReadonlyArray<string>
  readonly colour?: (cell: string) => (text: string) => string
}

const plainText = (text: string): string => text

const clip = (cell: string, width: number): string =>
  cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 1))}…`

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

/** Lines of aligned columns under their titles. `lineWidth`: width of the terminal; `undefined`: cut nothing. */
export const renderTable = (columns: ReadonlyArray<Column>, style: Style, lineWidth: number | undefined): string => {
  const shown = columns.map((column) => ({ ...column, cells: column.cells.map(printable) }))
  // Not `Math.max(...)` with an argument for each cell, because there may be a million.
  const natural = shown.map(({ title, cells }) =>
    cells.reduce((most, cell) => Math.max(most, cell.length), title.length),
  )
  const widths = fit(natural, lineWidth)
  const rows = shown[0]?.cells.length ?? 0
  const line = (
    cellAt: (column: Column) => string,
    colourOf: (column: Column, cell: string) => (text: string) => string,
  ) =>
    shown
      .map((column, index) => {
        const cell = cellAt(column)
        const padded = clip(cell, widths[index] ?? 0).padEnd(index === shown.length - 1 ? 0 : (widths[index] ?? 0))
        return colourOf(column, cell)(padded)
      })
      .join(gap)
      .trimEnd()
  return [
    line(
      (column) => column.title,
      () => style.bold,
    ),
    ...Array.from({ length: rows }, (_, row) =>
      line(
        (column) => column.cells[row] ?? "",
        (column, cell) => column.colour?.(cell) ?? plainText,
      ),
    ),
  ].join("\n")
}

/** Columns of a terminal; none for anything else, and for a terminal that does not say. */
export const terminalWidth = (stream: NodeJS.WriteStream): number | undefined =>
  stream.isTTY && stream.columns > 0 ? stream.columns : undefined
