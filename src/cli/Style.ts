/** Marks text on a terminal. `plainStyle` returns text unchanged. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
  readonly inverse: (text: string) => string
}

const marked = (open: number, close: number) => (text: string) => `\u001b[${open}m${text}\u001b[${close}m`
const plain = (text: string): string => text

/** The style of pipes and files. */
export const plainStyle: Style = {
  bold: plain,
  dim: plain,
  red: plain,
  green: plain,
  yellow: plain,
  cyan: plain,
  inverse: plain,
}
const colourStyle: Style = {
  bold: marked(1, 22),
  dim: marked(2, 22),
  red: marked(31, 39),
  green: marked(32, 39),
  yellow: marked(33, 39),
  cyan: marked(36, 39),
  inverse: marked(7, 27),
}

/** Colours for a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is dumb. */
export const styleOf = (stream: NodeJS.WriteStream): Style => {
  const wantsNone = (process.env["NO_COLOR"] ?? "") !== "" || process.env["TERM"] === "dumb"
  return stream.isTTY && !wantsNone ? colourStyle : plainStyle
}
