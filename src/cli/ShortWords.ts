import type { CommandDoc } from "./CommandDoc.js"

/** Short names of commands, that stand alone or behind `sessions`. */
export const shortNames: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["ls", ["sessions", "list"]],
  ["rm", ["sessions", "remove"]],
])

/** Names of commands in other programs, and ours. */
export const synonyms: ReadonlyMap<string, string> = new Map([
  ["help", "--help"],
  ["version", "--version"],
  ["get", "show"],
  ["update", "set"],
  ["delete", "remove"],
  ["create", "add"],
])

/** The words of a command line that may name a command, as if they were written in full. */
export interface FullWords {
  readonly asksHelp: boolean
  readonly asksVersion: boolean
  readonly words: ReadonlyArray<string>
}

/** Puts the name of a command in place of its short name. */
const spelledOut = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [first = "", second = "", ...others] = words
  const alone = shortNames.get(first)
  if (alone !== undefined) return [...alone, ...words.slice(1)]
  const behind = shortNames.get(second)
  return behind?.[0] === first ? [...behind, ...others] : words
}

/** Reads `help COMMAND`, `GROUP help`, `version` and short names. */
export const inFull = (words: ReadonlyArray<string>, docs: ReadonlyArray<CommandDoc>): FullWords => {
  const isGroup = docs.some(({ isGroup, path }) => isGroup === true && path.length === 1 && path[0] === words[0])
  const at = isGroup ? 1 : 0
  const asksHelp = words[at] === "help"
  return {
    asksHelp,
    asksVersion: words.length === 1 && words[0] === "version",
    words: spelledOut(asksHelp ? words.toSpliced(at, 1) : words),
  }
}
