import { Either } from "effect"
import { oneOf, onOrOff } from "../domain/Reading.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import type { CommandDoc } from "./CommandDoc.js"
import { flagsOf, fullName } from "./CommandDoc.js"
import { UsageError } from "./Failure.js"
import { type Flag, isSwitch } from "./Flag.js"
import { mostSimilar } from "./Similar.js"

const shells = ["bash", "zsh", "fish", "sh"] as const

/** A shell that completions can be had for. */
export type Shell = (typeof shells)[number]

/** What the words on the command line ask for. */
export type Invocation =
  | { readonly _tag: "Version" }
  | { readonly _tag: "Help"; readonly doc: CommandDoc }
  | { readonly _tag: "Completions"; readonly shell: Shell }
  /** `words`: the same request in the one order and spelling that @effect/cli reads without ambiguity. */
  | { readonly _tag: "Command"; readonly doc: CommandDoc; readonly words: ReadonlyArray<string> }

/** Flags of the program itself, that every command takes. */
export const builtInFlags: ReadonlyArray<Flag> = [
  { name: "help", alias: "h", reading: onOrOff, about: "Shows this help." },
  { name: "version", alias: "v", reading: onOrOff, about: "Shows the version." },
  {
    name: "completions",
    reading: oneOf("SHELL", shells),
    about: "Prints a completion script for bash, zsh or fish.",
  },
]

interface GivenFlag {
  /** As it was written. */
  readonly word: string
  readonly flag: Flag
  readonly value: string
}

interface Lexed {
  readonly flags: ReadonlyArray<GivenFlag>
  /** The first that is a flag of no command, and how many positionals stood before it. */
  readonly unknown: { readonly word: string; readonly after: number } | undefined
  readonly positionals: ReadonlyArray<string>
  /** How many of the positionals stood before a `--`, and so may name a command. */
  readonly plain: number
}

const usageError = (message: string) => Either.left(new UsageError({ message }))

/** `--name`, `--name=value`, `-n`, `-nvalue` and `-n=value`, taken apart. */
const splitFlag = (word: string): { readonly name: string; readonly value: string | undefined } => {
  const equals = word.indexOf("=")
  if (word.startsWith("--"))
    return equals < 0
      ? { name: word, value: undefined }
      : { name: word.slice(0, equals), value: word.slice(equals + 1) }
  if (word.length === 2) return { name: word, value: undefined }
  return { name: word.slice(0, 2), value: word.slice(word[2] === "=" ? 3 : 2) }
}

const isNegativeNumber = (word: string): boolean => /^-\.?\d/.test(word)

const looksLikeFlag = (word: string): boolean => word.length > 1 && word.startsWith("-") && !isNegativeNumber(word)

/** Whether a word is the value of the flag before it, which may also stand alone. */
const isValue = (word: string | undefined, docs: ReadonlyArray<CommandDoc>): word is string =>
  word !== undefined && word !== "--" && !looksLikeFlag(word) && !docs.some(({ path }) => path.at(-1) === word)

/** Tells flags, their values and other words apart, by the flags of all commands together. */
const lex = (words: ReadonlyArray<string>, docs: ReadonlyArray<CommandDoc>): Either.Either<Lexed, UsageError> => {
  const flags = [...docs.flatMap(flagsOf), ...builtInFlags]
  const byName = new Map(flags.map((flag) => [`--${flag.name}`, flag]))
  for (const flag of flags) if (flag.alias !== undefined) byName.set(`-${flag.alias}`, flag)
  const given: Array<GivenFlag> = []
  const positionals: Array<string> = []
  let unknown: Lexed["unknown"]
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ""
    if (word === "--") {
      const plain = positionals.length
      return Either.right({ flags: given, unknown, positionals: [...positionals, ...words.slice(index + 1)], plain })
    }
    if (!looksLikeFlag(word)) {
      positionals.push(word)
      continue
    }
    const { name, value } = splitFlag(word)
    const flag = byName.get(name)
    if (flag === undefined) unknown ??= { word, after: positionals.length }
    else if (value !== undefined) given.push({ word: name, flag, value })
    else if (isSwitch(flag)) given.push({ word: name, flag, value: "true" })
    else if (flag.alone !== undefined && !isValue(words[index + 1], docs))
      given.push({ word: name, flag, value: flag.alone })
    else {
      const next = words[++index]
      if (next === undefined || next === "--" || byName.has(splitFlag(next).name))
        return usageError(`${name} needs a value: ${name} ${flag.reading.placeholder}`)
      given.push({ word: name, flag, value: next })
    }
  }
  return Either.right({ flags: given, unknown, positionals, plain: positionals.length })
}

const samePath = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): boolean =>
  left.length === right.length && left.every((word, index) => word === right[index])

/** The command that the leading words name, the deepest there is. */
const findCommand = (docs: ReadonlyArray<CommandDoc>, words: ReadonlyArray<string>): CommandDoc | undefined => {
  for (let depth = Math.min(2, words.length); depth >= 0; depth--) {
    const found = docs.find((doc) => samePath(doc.path, words.slice(0, depth)))
    if (found !== undefined) return found
  }
  return undefined
}

const seeHelp = (doc: CommandDoc): string => `see ${fullName(doc)} --help`

const didYouMean = (guess: string | undefined, doc: CommandDoc): string =>
  guess === undefined ? seeHelp(doc) : `did you mean ${guess}? Or ${seeHelp(doc)}`

const unknownFlag = (word: string, doc: CommandDoc) => {
  const { name } = splitFlag(word)
  const names = [...flagsOf(doc), ...builtInFlags].map((flag) => `--${flag.name}`)
  return usageError(`${name} is not a flag of ${fullName(doc)}; ${didYouMean(mostSimilar(name, names), doc)}`)
}

/** What other programs call what we call otherwise. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ["help", "--help"],
  ["version", "--version"],
  ["ls", "list"],
  ["get", "show"],
  ["update", "set"],
  ["rm", "remove"],
  ["delete", "remove"],
  ["create", "add"],
])

const unknownCommand = (word: string, doc: CommandDoc, docs: ReadonlyArray<CommandDoc>) => {
  const inside = docs.filter((other) => other.path.length === doc.path.length + 1)
  const names = inside
    .filter((other) => samePath(other.path.slice(0, -1), doc.path))
    .map((other) => other.path.at(-1) ?? "")
  const synonym = synonyms.get(word)
  const guess = synonym?.startsWith("--") === true || names.includes(synonym ?? "") ? synonym : mostSimilar(word, names)
  return usageError(
    `${JSON.stringify(redactUrl(word))} is not a command of ${fullName(doc)}; ${didYouMean(guess && `${fullName(doc)} ${guess}`, doc)}`,
  )
}

/** Refuses too few and too many words for the command. */
const checkArguments = (doc: CommandDoc, args: ReadonlyArray<string>): Either.Either<void, UsageError> => {
  const missing = doc.args[args.length]
  if (missing !== undefined) return usageError(`${doc.path.join(" ")} needs ${missing.name}; ${seeHelp(doc)}`)
  const extra = doc.args.at(-1)?.repeated === true ? undefined : args[doc.args.length]
  if (extra === undefined) return Either.void
  return usageError(`${JSON.stringify(redactUrl(extra))} is one word too many for ${fullName(doc)}; ${seeHelp(doc)}`)
}

/** Long names first, then `--`, then the arguments. Of a flag given twice, the last wins. */
const canonical = (doc: CommandDoc, flags: ReadonlyArray<GivenFlag>, args: ReadonlyArray<string>) => {
  const last = new Map(flags.map((given) => [given.flag.name, given.value]))
  // @effect/cli has a --log-level of its own, which it takes out of the words; our short name is safe from that.
  const spelling = (name: string) => (name === "log-level" ? "-l" : `--${name}`)
  return [...doc.path, ...[...last].flatMap(([name, value]) => [spelling(name), value]), "--", ...args]
}

const completions = (given: string): Either.Either<Invocation, UsageError> => {
  const shell = shells.find((shell) => shell === given)
  return shell === undefined
    ? usageError(`--completions is ${JSON.stringify(given)}; it must be one of ${shells.join(", ")}`)
    : Either.right({ _tag: "Completions", shell })
}

/**
 * Reads the words after the program's name, before @effect/cli does: what it cannot do is done here. It knows no flag that
 * stands before the word of its command, nor `-p9000` and `-p=9000`; it lets no flag be given twice; it takes a flag that it
 * does not know for an argument, says of it that it is one too many, and cannot suggest another; and it takes a
 * `--log-level` and a `--wizard` of its own out of the words. What it gets is the same request in the one spelling that it
 * reads as it is meant. It decides then which command the words are for, what their values are, and which of them come from
 * variables and defaults (`Flag.ts`).
 * Flags may stand anywhere, as `--name value`, `--name=value`, `-n value` or
 * `-nvalue`; `--` ends them. Without a command, the program runs the proxy. `docs`: every command, the program first.
 */
export const readCommandLine = (
  docs: ReadonlyArray<CommandDoc>,
  words: ReadonlyArray<string>,
): Either.Either<Invocation, UsageError> =>
  Either.gen(function* () {
    const { flags, unknown, positionals, plain } = yield* lex(words, docs)
    const doc = findCommand(docs, positionals.slice(0, plain))
    if (doc === undefined) return yield* usageError("there is no such command; see ss-proxy --help")
    const args = positionals.slice(doc.path.length)
    const has = (name: string) => flags.find((given) => given.flag.name === name)
    if (has("help") !== undefined) return { _tag: "Help", doc }
    if (has("version") !== undefined) return { _tag: "Version" }
    const stranger = doc.path.length === 0 || doc.isGroup === true ? args[0] : undefined
    if (unknown !== undefined && (stranger === undefined || unknown.after <= doc.path.length))
      return yield* unknownFlag(unknown.word, doc)
    if (stranger !== undefined) return yield* unknownCommand(stranger, doc, docs)
    const shell = has("completions")
    if (shell !== undefined) return yield* completions(shell.value)
    const foreign = flags.find((given) => !flagsOf(doc).some((flag) => flag.name === given.flag.name))
    if (foreign !== undefined) return yield* unknownFlag(foreign.word, doc)
    if (doc.isGroup === true) return yield* usageError(`${doc.path.join(" ")} needs a command; ${seeHelp(doc)}`)
    yield* checkArguments(doc, args)
    return { _tag: "Command", doc, words: canonical(doc, flags, args) }
  })
