import { filled, widthOf } from "../TextWidth.js"
import { gap, type Line, type Look, span } from "./Line.js"
import type { TopSort } from "./Snapshot.js"
import { placeOf } from "./TopState.js"

/** A column of a table. What matters most stays where there is little room. */
export interface ViewColumn<Row> {
  readonly title: string
  readonly width: number
  readonly side: "left" | "right"
  /** Those of the least number stay longest; that of the order always does. */
  readonly rank: number
  readonly text: (row: Row) => string
  readonly look?: (row: Row) => Look
  /** The order that it belongs to. */
  readonly sort?: TopSort
}

/** A column of numbers. */
export const numberColumn = <Row>(
  title: string,
  width: number,
  rank: number,
  text: (row: Row) => string,
  more: Pick<ViewColumn<Row>, "look" | "sort"> = {},
): ViewColumn<Row> => ({ title, width, side: "right", rank, text, ...more })

/** Columns before the first one, for the mark of the chosen row. */
const marker = 2

/** A table whose first or last column takes the room that others leave. */
export interface ViewTable<Row> {
  readonly first: { readonly title: string; readonly least: number; readonly text: (row: Row) => string }
  readonly columns: ReadonlyArray<ViewColumn<Row>>
  /** A last column of as much room as is left behind it, where there is any. */
  readonly last?: { readonly title: string; readonly text: (row: Row) => string }
}

/** The columns that there is room for, as they stand. */
const fitting = <Row>(
  columns: ReadonlyArray<ViewColumn<Row>>,
  room: number,
  order: TopSort | undefined,
): ReadonlyArray<ViewColumn<Row>> => {
  const kept = new Set<ViewColumn<Row>>()
  let left = room
  const rankOf = ({ rank, sort }: ViewColumn<Row>): number => (sort !== undefined && sort === order ? 0 : rank)
  for (const column of [...columns].sort((one, other) => rankOf(one) - rankOf(other))) {
    left -= column.width + gap
    if (left < 0) break
    kept.add(column)
  }
  return columns.filter((column) => kept.has(column))
}

/** The least room in which a last column is worth it. */
const leastLast = 10

/** Numbers stand near what they are about, also where there is much room: behind the longest of the ids, if that is no longer. */
const widestFirst = 64

interface Widths<Row> {
  readonly first: number
  readonly columns: ReadonlyArray<ViewColumn<Row>>
  readonly last: number
}

const widthsOf = <Row>(
  { columns, first, last }: ViewTable<Row>,
  rows: ReadonlyArray<Row>,
  room: number,
  order: TopSort | undefined,
): Widths<Row> => {
  const shown = fitting(columns, room - marker - first.least, order)
  const left = room - marker - shown.reduce((sum, { width }) => sum + width + gap, 0)
  if (last === undefined) {
    const longest = rows.reduce((most, row) => Math.max(most, widthOf(first.text(row))), first.least)
    return { first: Math.max(0, Math.min(left, longest, widestFirst)), columns: shown, last: 0 }
  }
  const forLast = left - first.least - gap
  return forLast < leastLast
    ? { first: Math.max(0, left), columns: shown, last: 0 }
    : { first: first.least, columns: shown, last: forLast }
}

/** Titles; that of the order is marked. */
const titleLine = <Row>(table: ViewTable<Row>, widths: Widths<Row>, sort: TopSort | undefined): Line => [
  span(`${" ".repeat(marker)}${filled(table.first.title, widths.first, "left")}`, "bold"),
  ...widths.columns.map(({ side, sort: own, title, width }) =>
    span(`  ${filled(title, width, side)}`, own !== undefined && own === sort ? "cyan" : "bold"),
  ),
  ...(widths.last > 0 && table.last !== undefined
    ? [span(`  ${filled(table.last.title, widths.last, "left")}`, "bold")]
    : []),
]

const rowLine = <Row>(table: ViewTable<Row>, widths: Widths<Row>, row: Row, isSelected: boolean, look: Look): Line => {
  const spans = [
    span(`${isSelected ? "> " : "  "}${filled(table.first.text(row), widths.first, "left")}`, look),
    ...widths.columns.map((column) =>
      span(`  ${filled(column.text(row), column.width, column.side)}`, column.look?.(row) ?? "plain"),
    ),
    ...(widths.last > 0 && table.last !== undefined
      ? [span(`  ${filled(table.last.text(row), widths.last, "left")}`)]
      : []),
  ]
  return isSelected ? [span(spans.map(({ text }) => text).join(""), "inverse")] : spans
}

/** The lines of a table: its titles, and the page of rows that has the chosen one. */
export const tableLines = <Row extends { readonly id: string }>(
  table: ViewTable<Row>,
  rows: ReadonlyArray<Row>,
  selected: string | undefined,
  {
    columns,
    height,
    lookOf,
    sort,
  }: {
    readonly columns: number
    readonly height: number
    readonly lookOf: (row: Row) => Look
    readonly sort: TopSort | undefined
  },
): ReadonlyArray<Line> => {
  const widths = widthsOf(table, rows, columns, sort)
  const body = Math.max(1, height - 1)
  const place = placeOf(rows, selected)
  const from = Math.floor(place / body) * body
  return [
    titleLine(table, widths, sort),
    ...rows.slice(from, from + body).map((row, at) => rowLine(table, widths, row, from + at === place, lookOf(row))),
  ]
}
