import { type CommandDoc, flagsOf, fullName } from "./CommandDoc.js"
import { builtInFlags } from "./CommandLine.js"
import { type Flag, isSwitch } from "./Flag.js"
import type { Style } from "./Style.js"

const width = 100

/** Breaks a text between words, at `columns`. */
const wrap = (text: string, columns: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/** A row of two columns. `note` is not broken into lines. */
interface Definition {
  readonly name: string
  readonly meaning: string
  readonly note?: string
}

const meaningLines = ({ meaning, note }: Definition, columns: number): ReadonlyArray<string> => {
  const lines = wrap(meaning, columns)
  if (note === undefined) return lines
  const last = `${lines.at(-1) ?? ""} ${note}`
  return last.length <= columns ? [...lines.slice(0, -1), last] : [...lines, note]
}

/** Two columns; `left`: width of the left one. */
const definitions = (rows: ReadonlyArray<Definition>, style: Style, left: number): string =>
  rows
    .flatMap((row) =>
      meaningLines(row, width - left - 4).map((line, index) =>
        index === 0 ? `  ${style.cyan(row.name.padEnd(left))}  ${line}` : `${" ".repeat(left + 4)}${line}`,
      ),
    )
    .join("\n")

const valueOf = (flag: Flag): string => {
  if (isSwitch(flag)) return ""
  const { placeholder } = flag.reading
  return flag.alone === undefined ? ` ${placeholder}` : ` [${placeholder}]`
}

const flagName = (flag: Flag): string =>
  `${flag.alias === undefined ? "    " : `-${flag.alias}, `}--${flag.name}${valueOf(flag)}`

const flagDefinition = (flag: Flag): Definition => {
  const notes = [
    ...(flag.fallback === undefined ? [] : [`default: ${flag.fallback}`]),
    ...(flag.env === undefined ? [] : [`env: ${flag.env}`]),
  ]
  const row = { name: flagName(flag), meaning: flag.about }
  return notes.length === 0 ? row : { ...row, note: `[${notes.join("; ")}]` }
}

const commandWord = (doc: CommandDoc): ReadonlyArray<string> => {
  if (doc.isGroup === true) return ["COMMAND"]
  return doc.path.length === 0 ? ["[COMMAND]"] : []
}

const usage = (doc: CommandDoc): string => {
  const args = doc.args.map((arg) =>
    arg.repeated === true ? `${arg.name}…` : arg.optional === true ? `[${arg.name}]` : arg.name,
  )
  return [fullName(doc), ...commandWord(doc), ...args, "[OPTIONS]"].join(" ")
}

const commandRows = (doc: CommandDoc, docs: ReadonlyArray<CommandDoc>): ReadonlyArray<Definition> =>
  docs
    .filter((other) => other.path.length > doc.path.length && other.isGroup !== true)
    .filter((other) => doc.path.every((word, index) => other.path[index] === word))
    .map((other) => ({ name: other.path.slice(doc.path.length).join(" "), meaning: other.summary }))

/** The notations of values that have more than one. */
const valueRows = (flags: ReadonlyArray<Flag>): ReadonlyArray<Definition> => {
  const notes = flags.map(({ reading: { placeholder, note } }) => [placeholder ?? "", note ?? ""] as const)
  return [...new Map(notes.filter(([, note]) => note !== ""))].map(([name, meaning]) => ({ name, meaning }))
}

/** The text of a command's help. */
export const renderHelp = (doc: CommandDoc, docs: ReadonlyArray<CommandDoc>, style: Style): string => {
  const section = (title: string, body: string): ReadonlyArray<string> =>
    body === "" ? [] : [`${style.bold(title)}\n${body}`]
  const groups = [...doc.groups, { title: "Help", flags: builtInFlags }]
  const left = Math.max(...[...flagsOf(doc), ...builtInFlags].map((flag) => flagName(flag).length))
  const commands = commandRows(doc, docs)
  const examples = doc.examples.map(([command, meaning]) => `  ${style.dim(`# ${meaning}`)}\n  ${command}`).join("\n\n")
  return [
    wrap(doc.about, width).join("\n"),
    ...section("Usage", `  ${usage(doc)}`),
    ...section("Commands", definitions(commands, style, Math.max(0, ...commands.map(({ name }) => name.length)))),
    ...section(
      "Arguments",
      definitions(
        doc.args.map((arg) => ({ name: arg.name, meaning: arg.about })),
        style,
        left,
      ),
    ),
    ...groups.flatMap((group) => section(group.title, definitions(group.flags.map(flagDefinition), style, left))),
    ...section("Values", definitions(valueRows(flagsOf(doc)), style, left)),
    ...section("Examples", examples),
  ].join("\n\n")
}
