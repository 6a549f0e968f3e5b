import { Either } from "effect"
import { policyRows } from "../domain/Policies.js"
import { oneOf, onOrOff } from "../domain/Reading.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import type { CommandDoc } from "./CommandDoc.js"
import { flagsOf, fullName } from "./CommandDoc.js"
import { UsageError } from "./Failure.js"
import { type Flag, isSwitch } from "./Flag.js"
import { mostSimilar } from "../domain/Similar.js"
import { programName } from "./ProgramName.js"
import { inFull, shortNames, synonyms } from "./ShortWords.js"

const shells = ["bash", "zsh", "fish", "sh"] as const

/** A shell for which there is a completion script. */
export type Shell = (typeof shells)[number]

/** What the command line asks for. */
export type Invocation =
  | { readonly _tag: "Version" }
  | { readonly _tag: "Help"; readonly doc: CommandDoc }
  | { readonly _tag: "Completions"; readonly shell: Shell }
  /** `words`: the same command line in an order and spelling that @effect/cli reads unambiguously. */
  | { readonly _tag: "Command"; readonly doc: CommandDoc; readonly words: ReadonlyArray<string> }

/** Flags that every command takes. */
export const builtInFlags: ReadonlyArray<Flag> = [
  { name: "help", alias: "h", reading: onOrOff, about: "Shows this help." },
  { name: "version", alias: "v", reading: onOrOff, about: "Shows the version." },
  {
    name: "completions",
    reading: oneOf("SHELL", shells),
    about: "Prints a completion script for bash, sh, zsh or fish.",
  },
]

interface GivenFlag {
  /** The flag as it was written. */
  readonly word: string
  readonly flag: Flag
  readonly value: string
}

interface Lexed {
  readonly flags: ReadonlyArray<GivenFlag>
  /** The first flag that no command has, and the number of positionals before it. */
  readonly unknown: { readonly word: string; readonly after: number } | undefined
  readonly positionals: ReadonlyArray<string>
  /** The number of positionals before `--`. Only these may name a command. */
  readonly plain: number
}

const usageError = (message: string, hint?: string) =>
  Either.left(new UsageError({ message, ...(hint !== undefined && { hint }) }))

/** Splits `--name`, `--name=value`, `-n`, `-nvalue` and `-n=value`. */
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

/** Whether a word is the value of the flag before it, which may also be given without one. */
const isValue = (word: string | undefined, docs: ReadonlyArray<CommandDoc>): word is string =>
  word !== undefined && word !== "--" && !looksLikeFlag(word) && !docs.some(({ path }) => path.at(-1) === word)

/** Separates flags with their values from positionals, by the flags of all commands. */
const lex = (words: ReadonlyArray<string>, docs: ReadonlyArray<CommandDoc>): Either.Either<Lexed, UsageError> => {
  // Commands may have flags of one name that differ, such as --live: those of a command that is named go first.
  const named = new Set(words.flatMap((word) => [word, ...(shortNames.get(word) ?? [])]))
  const isNamed = ({ path }: CommandDoc): boolean => path.every((word) => named.has(word))
  const flags = [...docs.flatMap(flagsOf), ...docs.filter(isNamed).flatMap(flagsOf), ...builtInFlags]
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

/** The deepest command that the first words name. */
const findCommand = (docs: ReadonlyArray<CommandDoc>, words: ReadonlyArray<string>): CommandDoc | undefined => {
  for (let depth = Math.min(2, words.length); depth >= 0; depth--) {
    const found = docs.find((doc) => samePath(doc.path, words.slice(0, depth)))
    if (found !== undefined) return found
  }
  return undefined
}

const seeHelp = ({ path }: CommandDoc): string => `see ${[programName(), ...path].join(" ")} --help`

const didYouMean = (guess: string | undefined, doc: CommandDoc): string =>
  guess === undefined ? seeHelp(doc) : `did you mean ${guess}? Or ${seeHelp(doc)}`

/** The flag of the policy whose column has the name of this one. */
const flagOfColumn = (name: string): string | undefined => {
  const policy = Object.values(policyRows).find(({ column }) => name === `--${column.replaceAll("_", "-")}`)
  return policy?.flag === undefined ? undefined : `--${policy.flag}`
}

const unknownFlag = (word: string, doc: CommandDoc) => {
  const { name } = splitFlag(word)
  const names = [...flagsOf(doc), ...builtInFlags].map((flag) => `--${flag.name}`)
  const ofPolicy = flagOfColumn(name)
  const guess = ofPolicy !== undefined && names.includes(ofPolicy) ? ofPolicy : mostSimilar(name, names)
  return usageError(`${name} is not a flag of ${fullName(doc)}`, didYouMean(guess, doc))
}

const unknownCommand = (word: string, doc: CommandDoc, docs: ReadonlyArray<CommandDoc>) => {
  const inside = docs.filter(({ path }) => doc.path.every((word, index) => path[index] === word))
  const nameOf = ({ path }: CommandDoc): string => path.slice(doc.path.length).join(" ")
  const ours = synonyms.get(word) ?? word
  const exact = inside.find(({ path }) => path.length > doc.path.length && path.at(-1) === ours)
  const next = inside.filter(({ path }) => path.length === doc.path.length + 1).map(nameOf)
  const guess = ours.startsWith("--") ? ours : exact === undefined ? mostSimilar(word, next) : nameOf(exact)
  return usageError(
    `${JSON.stringify(redactUrl(word))} is not a command of ${fullName(doc)}`,
    didYouMean(guess && `${fullName(doc)} ${guess}`, doc),
  )
}

/** Refuses missing and superfluous arguments. */
const checkArguments = (doc: CommandDoc, args: ReadonlyArray<string>): Either.Either<void, UsageError> => {
  const missing = doc.args[args.length]
  if (missing !== undefined && missing.optional !== true)
    return usageError(`${doc.path.join(" ")} needs ${missing.name}`, seeHelp(doc))
  const extra = doc.args.at(-1)?.repeated === true ? undefined : args[doc.args.length]
  if (extra === undefined) return Either.void
  return usageError(`unexpected argument ${JSON.stringify(redactUrl(extra))}`, seeHelp(doc))
}

/**
 * The command, its flags by their long names, `--`, and the arguments. If a flag is given twice, the last one counts.
 */
const canonical = (doc: CommandDoc, flags: ReadonlyArray<GivenFlag>, args: ReadonlyArray<string>) => {
  const last = new Map(flags.map((given) => [given.flag.name, given.value]))
  // @effect/cli removes `--log-level`, because it has such a flag itself. It does not know our short name.
  const spelling = (name: string) => (name === "log-level" ? "-l" : `--${name}`)
  return [...doc.path, ...[...last].flatMap(([name, value]) => [spelling(name), value]), "--", ...args]
}

const completions = (given: string): Either.Either<Invocation, UsageError> => {
  const shell = shells.find((shell) => shell === given)
  return shell === undefined
    ? usageError(`--completions is ${JSON.stringify(given)}`, `it must be one of ${shells.join(", ")}`)
    : Either.right({ _tag: "Completions", shell })
}

/**
 * Parses the command line before @effect/cli does, and gives it the same command line in a spelling that it reads
 * correctly. Flags may be anywhere, as `--name value`, `--name=value`, `-n value`, `-nvalue` or `-n=value`; `--` ends
 * them. `help`, `version` and short names of commands are read, too. Without a command, the program runs the proxy. `docs`: every command; the first is the program.
 *
 * This is needed because @effect/cli rejects a flag before its command, `-p9000`, `-p=9000`, and a flag that is given
 * twice. It takes an unknown flag for a superfluous argument, and suggests no other flag. It removes its own
 * `--log-level` and `--wizard`. It still selects the command, and reads values, variables and defaults (`Flag.ts`).
 */
export const readCommandLine = (
  docs: ReadonlyArray<CommandDoc>,
  words: ReadonlyArray<string>,
): Either.Either<Invocation, UsageError> =>
  Either.gen(function* () {
    const { flags, unknown, positionals, plain } = yield* lex(words, docs)
    const { asksHelp, asksVersion, words: named } = inFull(positionals.slice(0, plain), docs)
    const doc = findCommand(docs, named)
    if (doc === undefined) return yield* usageError("there is no such command", "see ss-proxy --help")
    const args = [...named, ...positionals.slice(plain)].slice(doc.path.length)
    const has = (name: string) => flags.find((given) => given.flag.name === name)
    if (has("help") !== undefined) return { _tag: "Help", doc }
    if (asksVersion || has("version") !== undefined) return { _tag: "Version" }
    const unknownWord = doc.path.length === 0 || doc.isGroup === true ? args[0] : undefined
    if (unknown !== undefined && (unknownWord === undefined || unknown.after <= doc.path.length))
      return yield* unknownFlag(unknown.word, doc)
    if (unknownWord !== undefined) return yield* unknownCommand(unknownWord, doc, docs)
    if (asksHelp) return { _tag: "Help", doc }
    const shell = has("completions")
    if (shell !== undefined) return yield* completions(shell.value)
    const misplaced = flags.find((given) => !flagsOf(doc).some((flag) => flag.name === given.flag.name))
    if (misplaced !== undefined) return yield* unknownFlag(misplaced.word, doc)
    if (doc.isGroup === true) return yield* usageError(`${doc.path.join(" ")} needs a command`, seeHelp(doc))
    yield* checkArguments(doc, args)
    return { _tag: "Command", doc, words: canonical(doc, flags, args) }
  })
