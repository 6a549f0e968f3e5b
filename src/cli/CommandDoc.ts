import type { Flag } from "./Flag.js"

/** A positional argument of a command. */
export interface ArgumentDoc {
  readonly name: string
  readonly about: string
  /** One or more of them. */
  readonly repeated?: boolean
  /** It may be left out. */
  readonly optional?: boolean
}

/** Flags under one title of the help. */
export interface FlagGroup {
  readonly title: string
  readonly flags: ReadonlyArray<Flag>
}

/** Describes a command, for the help and for the checks of `CommandLine.ts`. */
export interface CommandDoc {
  /** The name of the command, as words; empty for the program itself. */
  readonly path: ReadonlyArray<string>
  /** One line, for the list of commands. */
  readonly summary: string
  /** What it does, in a few lines. */
  readonly about: string
  readonly args: ReadonlyArray<ArgumentDoc>
  readonly groups: ReadonlyArray<FlagGroup>
  /** Command lines to copy, and what each does. */
  readonly examples: ReadonlyArray<readonly [command: string, meaning: string]>
  /** The flags that the help shows, where it leaves the others to the help of a command. */
  readonly firstFlags?: ReadonlyArray<Flag>
  /** It has only subcommands: one of them must follow. */
  readonly isGroup?: boolean
  /** It runs until a signal stops it, and then exits with 0. */
  readonly runsOn?: boolean
}

/** Every flag of a command. */
export const flagsOf = (doc: CommandDoc): ReadonlyArray<Flag> => doc.groups.flatMap((group) => group.flags)

/** The name of the command after that of the program. */
export const fullName = (doc: CommandDoc): string => ["ss-proxy", ...doc.path].join(" ")
