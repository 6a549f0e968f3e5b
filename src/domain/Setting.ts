import * as Reading from "./Reading.js"

/** The titles under which the help and the documents put settings, in this order. */
export const settingGroups = [
  "Listening",
  "Sessions",
  "Forwarding",
  "Limits for clients",
  "Servers of sessions",
  "WebSockets",
  "Admin listener",
  "Running",
] as const

/** What is known of one setting, for everybody who asks: command line, library, help, completions, documents. */
export interface Setting<A> {
  /** How its flag and variable are read, and which values a program may give. */
  readonly reading: Reading.Reading<A>
  readonly fallback: NoInfer<A>
  /** Absent where only programs have it. */
  readonly flag?: {
    /** Long name, without the dashes. The variable follows from it: `SS_PROXY_MAX_BODY` from `max-body`. */
    readonly name: string
    /** Short name: one letter. */
    readonly short?: string
  }
  readonly group: (typeof settingGroups)[number]
  /** What it does, for the help: in plain text, on a line or two. */
  readonly help: string
  /** The same for the documents, as Markdown, where they have more to say. */
  readonly guide?: string
  /** 0 means that there is no limit in number or size. `ProxyConfig` then holds Infinity. */
  readonly zeroIsNoLimit?: boolean
  /** On the command line it names a file that holds the value. */
  readonly inFile?: boolean
  /** Nobody is shown its value. */
  readonly isSecret?: boolean
}

/** A setting of programs and of the command line. */
export interface FlaggedSetting<A> extends Setting<A> {
  readonly flag: NonNullable<Setting<A>["flag"]>
}

/** Of which values a row is follows from its reading. */
export const setting = <A>(row: FlaggedSetting<A>): FlaggedSetting<A> => row
export const settingOfPrograms = <A>(row: Setting<A>): Setting<A> => row

type Limit = Omit<FlaggedSetting<number>, "reading" | "fallback" | "zeroIsNoLimit">

/** A limit in number, which is not there unless it is set. */
export const most = (row: Limit) => setting({ ...row, reading: Reading.count, fallback: 0, zeroIsNoLimit: true })

/** A limit in bytes, which is not there unless it is set. */
export const largest = (row: Limit) => setting({ ...row, reading: Reading.byteSize, fallback: 0, zeroIsNoLimit: true })
