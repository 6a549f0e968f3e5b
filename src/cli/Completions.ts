import type { CommandDoc } from "./CommandDoc.js"
import { flagsOf } from "./CommandDoc.js"
import { builtInFlags, type Shell } from "./CommandLine.js"
import { type Flag, isSwitch } from "./Flag.js"
import { shortNames } from "./ShortWords.js"

/** The direct subcommands of a command. */
const under = (doc: CommandDoc, docs: ReadonlyArray<CommandDoc>): ReadonlyArray<CommandDoc> =>
  docs.filter(
    ({ path }) => path.length === doc.path.length + 1 && doc.path.every((word, index) => path[index] === word),
  )

const lastWord = (doc: CommandDoc): string => doc.path.at(-1) ?? ""

const spellings = (flag: Flag): ReadonlyArray<string> =>
  flag.alias === undefined ? [`--${flag.name}`] : [`--${flag.name}`, `-${flag.alias}`]

const isFile = (flag: Flag): boolean => /^(PATH|FILE)$/.test(flag.reading.placeholder ?? "")

const wordsAfter = (doc: CommandDoc, docs: ReadonlyArray<CommandDoc>): string =>
  [...under(doc, docs).map(lastWord), ...[...flagsOf(doc), ...builtInFlags].map((flag) => `--${flag.name}`)].join(" ")

/** The flags of all commands, without duplicates. */
const everyFlag = (docs: ReadonlyArray<CommandDoc>): ReadonlyArray<Flag> => [
  ...new Map([...docs.flatMap(flagsOf), ...builtInFlags].map((flag) => [flag.name, flag])).values(),
]

const bashValues = (flag: Flag): string => {
  const compgen = isFile(flag) ? "-f" : `-W "${(flag.reading.choices ?? []).join(" ")}"`
  return `    ${spellings(flag).join("|")}) COMPREPLY=( $(compgen ${compgen} -- "$cur") ); return ;;`
}

/** How a command may be named behind the words of another. */
const namesIn = (doc: CommandDoc): ReadonlyArray<readonly [before: string, word: string]> => {
  const name = doc.path.join(" ")
  const before = doc.path.slice(0, -1).join(" ")
  const short = [...shortNames].flatMap(([word, path]) => (path.join(" ") === name ? [word] : []))
  return [[before, lastWord(doc)], ...short.flatMap((word) => [[before, word] as const, ["", word] as const])]
}

const bash = (docs: ReadonlyArray<CommandDoc>): string =>
  [
    "_ss_proxy() {",
    '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="" words="" index',
    "  for (( index = 1; index < COMP_CWORD; index++ )); do",
    '    case "$command ${COMP_WORDS[index]}" in',
    ...docs
      .filter((doc) => doc.path.length > 0)
      .map((doc) => {
        const names = namesIn(doc).map(([before, word]) => `"${before} ${word}"`)
        return `    ${names.join("|")}) command="${doc.path.join(" ")}" ;;`
      }),
    "    esac",
    "  done",
    '  case "$prev" in',
    ...everyFlag(docs)
      .filter((flag) => !isSwitch(flag))
      .map(bashValues),
    "  esac",
    '  case "$command" in',
    ...docs.map((doc) => `    "${doc.path.join(" ")}") words="${wordsAfter(doc, docs)}" ;;`),
    "  esac",
    '  COMPREPLY=( $(compgen -W "$words" -- "$cur") )',
    "}",
    "complete -o default -F _ss_proxy ss-proxy",
  ].join("\n")

/** zsh uses the script for bash. */
const zsh = (docs: ReadonlyArray<CommandDoc>): string =>
  ["#compdef ss-proxy", "autoload -U +X bashcompinit && bashcompinit", bash(docs)].join("\n")

const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`

/** The condition for fish to offer completions of a command: its words have been typed, and none of its subcommands. */
const fishCondition = (doc: CommandDoc, docs: ReadonlyArray<CommandDoc>): string => {
  const next = under(doc, docs).map(lastWord)
  const last = [...new Set(namesIn(doc).map(([, word]) => word))].join(" ")
  const words = doc.path.length === 0 ? [] : [...doc.path.slice(0, -1), last]
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`)
  const unseen = next.length === 0 ? [] : [`not __fish_seen_subcommand_from ${next.join(" ")}`]
  return quoted([...seen, ...unseen].join("; and "))
}

const fishValues = (flag: Flag): string => {
  if (isSwitch(flag)) return ""
  if (isFile(flag)) return " -r -F"
  const { choices } = flag.reading
  return choices === undefined ? " -x" : ` -x -a ${quoted(choices.join(" "))}`
}

const fishFlag = (flag: Flag): string => {
  const alias = flag.alias === undefined ? "" : ` -s ${flag.alias}`
  return `-l ${flag.name}${alias}${fishValues(flag)} -d ${quoted(flag.about)}`
}

const fish = (docs: ReadonlyArray<CommandDoc>): string =>
  docs
    .flatMap((doc) => {
      const start = `complete -c ss-proxy -n ${fishCondition(doc, docs)}`
      return [
        ...under(doc, docs).map((next) => `${start} -f -a ${lastWord(next)} -d ${quoted(next.summary)}`),
        ...[...flagsOf(doc), ...builtInFlags].map((flag) => `${start} ${fishFlag(flag)}`),
      ]
    })
    .join("\n")

/**
 * A completion script for a shell. That of @effect/cli is not used, because it fails for subcommands of subcommands,
 * and offers flags that this program does not have.
 */
export const renderCompletions = (shell: Shell, docs: ReadonlyArray<CommandDoc>): string => {
  switch (shell) {
    case "bash":
    case "sh":
      return bash(docs)
    case "zsh":
      return zsh(docs)
    case "fish":
      return fish(docs)
  }
}
