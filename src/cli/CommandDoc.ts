import type { Flag } from "./Flag.js"

/** A word that a command takes. */
export interface ArgumentDoc {
  readonly name: string
  readonly about: string
  /** One or more of them. */
  readonly repeated?: boolean
}

/** Flags that belong together, under one title of the help. */
export interface FlagGroup {
  readonly title: string
  readonly flags: ReadonlyArray<Flag>
}

/** A command as its help tells of it, and as `CommandLine.ts` checks it. */
export interface CommandDoc {
  /** The words that name it; none for the program itself. */
  readonly path: ReadonlyArray<string>
  /** One line, for the list of commands. */
  readonly summary: string
  /** What it does, in a few lines. */
  readonly about: string
  readonly args: ReadonlyArray<ArgumentDoc>
  readonly groups: ReadonlyArray<FlagGroup>
  /** Command lines to copy, with what each does. */
  readonly examples: ReadonlyArray<readonly [command: string, meaning: string]>
  /** Does nothing by itself: one of the commands under it must follow. */
  readonly isGroup?: boolean
  /** Goes on until it is told to stop, and ends well then. */
  readonly runsOn?: boolean
}

/** Every flag of a command. */
export const flagsOf = (doc: CommandDoc): ReadonlyArray<Flag> => doc.groups.flatMap((group) => group.flags)

/** The command with the program's name before it. */
export const fullName = (doc: CommandDoc): string => ["ss-proxy", ...doc.path].join(" ")
