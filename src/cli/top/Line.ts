import { clipped, widthOf } from "../TextWidth.js"

/** How a part of a line looks, where the terminal has colours. */
export type Look = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "inverse" | "plain"

/** A part of a line: harmless text, without line breaks and control characters. */
export interface Span {
  readonly text: string
  readonly look: Look
}

export type Line = ReadonlyArray<Span>

export const span = (text: string, look: Look = "plain"): Span => ({ text, look })

/** Columns between phrases, and between columns of a table. */
export const gap = 2

/** Puts phrases beside each other, in as few lines as they fit in. */
export const wrapped = (phrases: ReadonlyArray<Span>, columns: number): ReadonlyArray<Line> => {
  const lines: Array<Array<Span>> = []
  let left = -1
  for (const { look, text } of phrases) {
    const cut = clipped(text, columns)
    const width = widthOf(cut)
    const current = lines.at(-1)
    if (current === undefined || left < width + gap) {
      lines.push([span(cut, look)])
      left = columns - width
    } else {
      current.push(span("  "), span(cut, look))
      left -= width + gap
    }
  }
  return lines
}
