/** Ways to mark text on a terminal. On anything else they leave it as it is. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const marked = (open: number, close: number) => (text: string) => `\u001b[${open}m${text}\u001b[${close}m`
const plain = (text: string): string => text

/** The style of what is no terminal. */
export const plainStyle: Style = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain }
const colourStyle: Style = {
  bold: marked(1, 22),
  dim: marked(2, 22),
  red: marked(31, 39),
  green: marked(32, 39),
  yellow: marked(33, 39),
  cyan: marked(36, 39),
}

/** Colours for a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is dumb; none for a pipe or a file. */
export const styleOf = (stream: NodeJS.WriteStream): Style => {
  const wantsNone = (process.env["NO_COLOR"] ?? "") !== "" || process.env["TERM"] === "dumb"
  return stream.isTTY && !wantsNone ? colourStyle : plainStyle
}

const isPlain = (text: string): boolean => /^[\u0020-\u007e]*$/.test(text)

/**
 * What is not seen, or changes what else is seen: control and format characters, among them those that turn the direction
 * of text; separators of lines; whatever is drawn as nothing; halves of surrogate pairs.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

const spelledOut = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code > 0xffff) return `\\u{${code.toString(16)}}`
  return code > 0xff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\x${code.toString(16).padStart(2, "0")}`
}

/** Text that cannot change the terminal it is shown on, nor look like another: what is not seen is spelled out. */
export const printable = (text: string): string => (isPlain(text) ? text : text.replace(unseen, spelledOut))

/** The same for JSON, whose value stays the same: the characters are spelled as JSON does it. Line breaks stay. */
export const printableJson = (json: string): string =>
  json.replace(unseen, (character) =>
    character === "\n"
      ? character
      : character
          .split("")
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
          .join(""),
  )
