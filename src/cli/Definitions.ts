import type { Style } from "./Style.js"

/** Breaks a text between words, at `columns`. */
export const wrap = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/** A name and its meaning. `note` stands behind the meaning, on a line of its own if it does not fit there. */
export interface Definition {
  readonly name: string
  readonly meaning: string
  readonly note?: string
}

/** Before names, and between a name and its meaning. */
const gap = 2

/** The least room for meanings beside names. */
const leastBeside = 28

/** Before meanings that stand below their names. */
const indentBelow = 10

/** How rows stand: meanings in a column beside the names, or where that would be too narrow, below them. */
export interface Layout {
  /** Width of a line. */
  readonly width: number
  /** Width of the names; none where meanings stand below. */
  readonly left: number | undefined
}

/** The layout for these rows, which may stand under several titles. */
export const layoutOf = (rows: ReadonlyArray<Definition>, width: number): Layout => {
  const left = Math.max(0, ...rows.map(({ name }) => name.length))
  const needed = Math.max(leastBeside, ...rows.map(({ note = "" }) => note.length))
  return { width, left: width - left - 2 * gap >= needed ? left : undefined }
}

const meaningLines = ({ meaning, note }: Definition, columns: number): ReadonlyArray<string> => {
  const lines = wrap(meaning, columns)
  if (note === undefined) return lines
  const last = `${lines.at(-1) ?? ""} ${note}`
  return last.length <= columns ? [...lines.slice(0, -1), last] : [...lines, ...wrap(note, columns)]
}

/** The lines of these rows. */
export const definitions = (rows: ReadonlyArray<Definition>, style: Style, { left, width }: Layout): string => {
  const indent = " ".repeat(left === undefined ? indentBelow : left + 2 * gap)
  const space = " ".repeat(gap)
  return rows
    .flatMap((row) => {
      const name = space + style.cyan(row.name.padEnd(left ?? 0))
      const [first = "", ...others] = meaningLines(row, width - indent.length)
      const above = left === undefined ? [name, indent + first] : [name + space + first]
      return [...above, ...others.map((line) => indent + line)]
    })
    .join("\n")
}
