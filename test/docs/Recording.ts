import { performance } from "node:perf_hooks"
import { type Example, examplesOf, shows } from "./Blocks.js"
import { Terminal } from "./Terminal.js"

/** A line that a command printed. */
export interface PrintedLine {
  /** Milliseconds after the command was entered. */
  readonly at: number
  readonly text: string
}

/** A command with what it printed, as README.md shows both. */
export interface RecordedCommand {
  /** As it is typed: a command may have several lines. */
  readonly lines: ReadonlyArray<string>
  readonly printed: ReadonlyArray<PrintedLine>
}

/** The sections of README.md that are recorded, and the first words of commands that are left out. */
const sections = ["See it stream", "A session of your own"]
const leftOut = "node --experimental-websocket"

/** The examples of README.md that are recorded. Those in the background run in another terminal. */
export const recordedExamples = (): ReadonlyArray<Example> =>
  examplesOf("README.md", "sh").filter(
    ({ block }) => sections.includes(block.section) && !block.text.startsWith(leftOut),
  )

/** A block's commands. Its line ends in a command follow a backslash. */
export const commandsOf = (text: string): ReadonlyArray<string> => text.trimEnd().split(/(?<!\\)\n/)

/** Whether a line is what the document shows: `…` stands for any text in it. */
const isShownAs = (shown: string, printed: string): boolean => shows(`${shown}\n`, printed)

/** What the document shows of the lines that a command printed, each at its time. Takes them out of `shown`. */
const shownOf = (shown: Array<string>, printed: ReadonlyArray<PrintedLine>, here: (text: string) => string) =>
  printed.flatMap(({ at, text }): ReadonlyArray<PrintedLine> => {
    const [next] = shown
    // The last line of a stream of events is empty, and no document shows it.
    if (text === "" && next !== "") return []
    if (next === undefined || (text !== "" && !isShownAs(here(next), text)))
      throw new Error(`README.md shows "${next}", and this was printed: "${text}"`)
    shown.shift()
    return [{ at, text: next }]
  })

/** Types one command, and hears its lines as they come. */
const recordCommand = async (terminal: Terminal, command: string): Promise<ReadonlyArray<PrintedLine>> => {
  const lines: Array<PrintedLine> = []
  let begun = ""
  const entered = performance.now()
  await terminal.type({ kind: "run", text: command }, (text) => {
    const whole = `${begun}${text}`.split("\n")
    begun = whole.pop() ?? ""
    for (const line of whole) lines.push({ at: performance.now() - entered, text: line })
  })
  return begun === "" ? lines : [...lines, { at: performance.now() - entered, text: begun }]
}

/** Runs the commands in a terminal of their own, beside a proxy that is started as README.md says. */
export const record = async (): Promise<ReadonlyArray<RecordedCommand>> => {
  const terminal = new Terminal()
  try {
    await terminal.open()
    const recorded: Array<RecordedCommand> = []
    for (const { block, output } of recordedExamples()) {
      if (block.kind === "background") {
        await terminal.type(block)
        continue
      }
      const shown = output === undefined ? [] : output.trimEnd().split("\n")
      for (const command of commandsOf(block.text)) {
        const printed = await recordCommand(terminal, command)
        recorded.push({
          lines: command.split("\n"),
          printed: shownOf(shown, printed, (text) => terminal.here(text)),
        })
      }
      if (shown.length > 0) throw new Error(`README.md shows "${shown[0]}", which was not printed`)
    }
    return recorded
  } finally {
    await terminal.close()
  }
}
