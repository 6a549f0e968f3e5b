import { eastAsianWidth } from "get-east-asian-width"
import { printable } from "../wire/PrintableText.js"

const isAscii = (text: string): boolean => /^[ -~]*$/.test(text)
const combining = /^\p{M}$/u

/**
 * Columns that a character takes on a terminal. Marks that join the character before them take none. Where terminals differ,
 * as they do for emoji that are joined to one, it is the larger number: a line may end early, but is never too long.
 */
const columnsOf = (character: string): number =>
  combining.test(character) ? 0 : eastAsianWidth(character.codePointAt(0) ?? 0)

/** Columns that a text takes on a terminal. It must have no control characters (`printable`). */
export const widthOf = (text: string): number => {
  if (isAscii(text)) return text.length
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

/** The text, harmless to a terminal, cut to so many columns at most; "…" stands for what is left out. */
export const clipped = (text: string, columns: number): string => {
  const shown = printable(text)
  if (widthOf(shown) <= columns) return shown
  let kept = ""
  let width = 0
  for (const character of shown) {
    width += columnsOf(character)
    if (width > columns - 1) break
    kept += character
  }
  return columns > 0 ? `${kept}…` : ""
}

/** A text without control characters, filled with spaces to so many columns; one that is longer stays as it is. */
export const padded = (text: string, columns: number, side: "left" | "right" = "left"): string => {
  const space = " ".repeat(Math.max(0, columns - widthOf(text)))
  return side === "left" ? text + space : space + text
}

/** Any text, harmless to a terminal, cut or filled to exactly so many columns. */
export const filled = (text: string, columns: number, side: "left" | "right"): string =>
  padded(clipped(text, columns), columns, side)
