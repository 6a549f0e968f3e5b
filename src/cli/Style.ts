/** Marks text on a terminal. `plainStyle` returns text unchanged. */
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

/** The style of pipes and files. */
export const plainStyle: Style = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain }
const colourStyle: Style = {
  bold: marked(1, 22),
  dim: marked(2, 22),
  red: marked(31, 39),
  green: marked(32, 39),
  yellow: marked(33, 39),
  cyan: marked(36, 39),
}

/** Colours for a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is dumb. */
export const styleOf = (stream: NodeJS.WriteStream): Style => {
  const wantsNone = (process.env["NO_COLOR"] ?? "") !== "" || process.env["TERM"] === "dumb"
  return stream.isTTY && !wantsNone ? colourStyle : plainStyle
}

const isPlain = (text: string): boolean => /^[\u0020-\u007e]*$/.test(text)

/**
 * Characters that are invisible or change how other text is shown: control and format characters, including those that
 * change the direction of text; line separators; characters that are drawn as nothing; lone surrogates.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu

const spelledOut = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code > 0xffff) return `\\u{${code.toString(16)}}`
  return code > 0xff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\x${code.toString(16).padStart(2, "0")}`
}

/** Escapes invisible characters, so that a text cannot control the terminal or look like another text. */
export const printable = (text: string): string => (isPlain(text) ? text : text.replace(unseen, spelledOut))

/** The same for JSON: uses JSON's escapes, so that its value stays the same. Line breaks stay. */
export const printableJson = (json: string): string =>
  json.replace(unseen, (character) =>
    character === "\n"
      ? character
      : character
          .split("")
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
          .join(""),
  )
