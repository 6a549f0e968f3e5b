import { type CommandDoc, flagsOf, fullName } from "./CommandDoc.js"
import { builtInFlags } from "./CommandLine.js"
import { type Flag, isSwitch } from "./Flag.js"
import { type Definition, definitions, layoutOf, wrap } from "./Definitions.js"
import type { Style } from "./Style.js"
import { terminalWidth } from "./Table.js"

/** Longer lines are hard to read. So long are lines where nobody says how wide the terminal is. */
const widest = 100

/** In a terminal that is less wide, lines break anywhere. */
const narrowest = 40

/** The width of the lines of help there. */
export const helpWidth = (stream: NodeJS.WriteStream): number =>
  Math.min(widest, Math.max(narrowest, terminalWidth(stream) ?? widest))

const valueOf = (flag: Flag): string => {
  if (isSwitch(flag)) return ""
  const { placeholder } = flag.reading
  return flag.alone === undefined ? ` ${placeholder}` : ` [${placeholder}]`
}

const flagName = (flag: Flag): string =>
  `${flag.alias === undefined ? "    " : `-${flag.alias}, `}--${flag.name}${valueOf(flag)}`

const flagDefinition = (flag: Flag, withVariable = true): Definition => {
  const notes = [
    ...(flag.fallback === undefined ? [] : [`default: ${flag.fallback}`]),
    ...(flag.env === undefined || !withVariable ? [] : [`env: ${flag.env}`]),
  ]
  const row = { name: flagName(flag), meaning: flag.about }
  return notes.length === 0 ? row : { ...row, note: `[${notes.join("; ")}]` }
}

const usage = (doc: CommandDoc): string => {
  const args = doc.args.map((arg) =>
    arg.repeated === true ? `${arg.name}…` : arg.optional === true ? `[${arg.name}]` : arg.name,
  )
  return [fullName(doc), ...(doc.isGroup === true ? ["COMMAND"] : []), ...args, "[OPTIONS]"].join(" ")
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

/** A title, and below it a text; nothing where the text is empty. */
const section = (style: Style, title: string, body: string): ReadonlyArray<string> =>
  body === "" ? [] : [`${style.bold(title)}\n${body}`]

/** Command lines are not broken, because they are there to be copied. */
const exampleLines = ({ examples }: CommandDoc, style: Style, width: number): string =>
  examples
    .map(([command, meaning]) =>
      [...wrap(meaning, width - 4).map((line) => style.dim(`# ${line}`)), command]
        .map((line) => `  ${line}`)
        .join("\n"),
    )
    .join("\n\n")

const renderCommand = (doc: CommandDoc, docs: ReadonlyArray<CommandDoc>, style: Style, width: number): string => {
  const groups = [...doc.groups, { title: "Help", flags: builtInFlags }]
  const commands = commandRows(doc, docs)
  const args = doc.args.map((arg) => ({ name: arg.name, meaning: arg.about }))
  const flags = groups.map(({ flags, title }) => [title, flags.map((flag) => flagDefinition(flag))] as const)
  const layout = layoutOf(
    flags.flatMap(([, rows]) => rows),
    width,
  )
  const rows = (title: string, found: ReadonlyArray<Definition>) =>
    section(style, title, definitions(found, style, layout))
  return [
    wrap(doc.about, width).join("\n"),
    ...section(style, "Usage", `  ${usage(doc)}`),
    ...section(style, "Commands", definitions(commands, style, layoutOf(commands, width))),
    ...rows("Arguments", args),
    ...flags.flatMap(([title, found]) => rows(title, found)),
    ...rows("Values", valueRows(flagsOf(doc))),
    ...section(style, "Examples", exampleLines(doc, style, width)),
  ].join("\n\n")
}

/** The help of the program: how to begin, on one screen. All flags are in the help of `run`. */
const renderProgram = (doc: CommandDoc, docs: ReadonlyArray<CommandDoc>, style: Style, width: number): string => {
  const first = doc.examples.map(([name, meaning]) => ({ name, meaning }))
  const commands = docs
    .filter(({ path }) => path.length === 1)
    .map(({ path, summary }) => ({ name: path.join(" "), meaning: summary }))
  // Who reads this knows of --help, and a screen has no line for it.
  const builtIn = builtInFlags.filter(({ alias, name }) => alias !== undefined && name !== "help")
  const flags = [...(doc.firstFlags ?? []), ...builtIn]
  const options = flags.map((flag) => flagDefinition(flag, false))
  const rows = (title: string, found: ReadonlyArray<Definition>) =>
    section(style, title, definitions(found, style, layoutOf(found, width)))
  return [
    wrap(doc.about, width).join("\n"),
    ...rows("Usage", first),
    ...rows("Commands (more on one: ss-proxy help COMMAND)", commands),
    ...rows("Options (all of them: ss-proxy run --help)", options),
  ].join("\n\n")
}

/** The text of a command's help. `width`: of its lines, but for command lines to copy. */
export const renderHelp = (
  doc: CommandDoc,
  docs: ReadonlyArray<CommandDoc>,
  style: Style,
  width: number = widest,
): string => (doc.path.length === 0 ? renderProgram(doc, docs, style, width) : renderCommand(doc, docs, style, width))
