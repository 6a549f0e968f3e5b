import { Effect } from "effect"
import { printPiece } from "../Output.js"
import { styleOf } from "../Style.js"
import { Table, terminalWidth } from "../Table.js"
import { columnsOf, type Listed } from "./ListColumns.js"
import { JsonArray } from "./SessionWriter.js"

/** Prints parts of the list as they come. */
export interface ListPrinter {
  readonly part: (listed: ReadonlyArray<Listed>) => Effect.Effect<void>
  readonly end: Effect.Effect<void>
}

/** All of them as one array of JSON. */
export const jsonPrinter = (): ListPrinter => {
  const array = new JsonArray()
  return {
    part: (listed) => printPiece(array.page(listed.map(({ view }) => view))),
    end: Effect.suspend(() => printPiece(array.end())),
  }
}

/** Sessions by which a table's columns are made as wide as they need to be; longer ones follow in parts. */
const alignedSessions = 10_000

/** A table, cut to the width of a terminal. */
export const tablePrinter = (): ListPrinter => {
  const { stdout } = process
  const style = styleOf(stdout)
  const table = new Table(style, terminalWidth(stdout))
  let held: Array<Listed> = []
  let isLong = false
  const print = Effect.suspend(() => {
    const text = held.length === 0 ? "" : `${table.render(columnsOf(held, style, isLong))}\n`
    held = []
    return printPiece(text)
  })
  return {
    part: (listed) =>
      Effect.suspend(() => {
        held.push(...listed)
        if (held.length < alignedSessions) return Effect.void
        isLong = true
        return print
      }),
    end: print,
  }
}
