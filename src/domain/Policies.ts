import { Option } from "effect"
import { onOrOff, type Reading } from "./Reading.js"
import { type Setting, settings } from "./Settings.js"

/** What is known of one policy, for everybody who asks: stores, commands for sessions, documents. */
export interface Policy<A> {
  /** Its name in the table of policies and in JSON. */
  readonly column: string
  /** The type that the column is made with. SQLite holds nobody to it. */
  readonly columnType: "INTEGER" | "NUMERIC" | "TEXT"
  /** What the column must hold: completes "it must be …". */
  readonly stored: string
  /** The value that a column's text means; none where it is invalid. */
  readonly read: (text: string) => Option.Option<A>
  /** What is put into the column for a value. */
  readonly write: (value: unknown) => string | number | null
  /** How its flag is read, and which values a program may give. */
  readonly reading: Reading<A>
  /** What holds where the column is NULL, and for a session without a row. */
  readonly fallback: NoInfer<A>
  readonly flag: string
  /** A flag that takes it back, where its own cannot. */
  readonly opposite?: { readonly flag: string; readonly help: string }
  /** What the flag does, for the help: in plain text. */
  readonly help: string
  /** What a command that shows the session says of it, where the value alone does not say it. */
  readonly shown?: string
  /** What it means, for docs/DATABASE.md, as Markdown. */
  readonly guide: string
}

/** What each policy says of itself. */
type Words<A> = Pick<Policy<A>, "column" | "flag" | "help" | "guide"> & Pick<Policy<A>, "opposite" | "shown">

/** A policy that is on or off, and off unless a session has it; 0 or 1 in its column. */
const ownSwitch = (words: Words<boolean>): Policy<boolean> => ({
  ...words,
  columnType: "INTEGER",
  stored: "0 or 1",
  read: (text) => (text === "0" || text === "1" ? Option.some(text === "1") : Option.none()),
  write: (value) => (value === true ? 1 : 0),
  reading: onOrOff,
  fallback: false,
})

/**
 * A session's own value in place of a setting; null is as the setting says. The column holds what the flag of the setting
 * would be given, so that seconds are seconds there, too; words count in small letters only.
 */
const inPlaceOf = <A>({ reading }: Setting<A>, words: Words<A | null>): Policy<A | null> => ({
  ...words,
  columnType: reading.choices === undefined ? "NUMERIC" : "TEXT",
  stored: `${reading.allowed}, or NULL`,
  read: (text) => (reading.choices?.includes(text) === false ? Option.none() : reading.read(text)),
  write: (value) => (value === null ? null : reading.show(value)),
  reading: {
    ...reading,
    allowed: `${reading.allowed}, default`,
    allowedValue: `${reading.allowedValue}, or null`,
    read: (text) => (text.toLowerCase() === "default" ? Option.some(null) : reading.read(text)),
    is: (value) => value === null || reading.is(value),
  },
  fallback: null,
})

/**
 * Every policy, once: what one session wants otherwise than the settings of the proxy say. New ones go to the end, for the
 * columns of a table that an earlier version made are added in this order. A new one needs a row here, the place where it
 * is used, and a test; `node scripts/docs.mjs` brings the documents and the help up to date.
 */
export const policies = {
  insecure: ownSwitch({
    column: "insecure",
    flag: "insecure",
    help: "Does not verify the certificate of the session's server. Anybody on the way can pretend to be it.",
    opposite: { flag: "no-insecure", help: "Verifies the certificate of the session's server again." },
    shown: "yes: the certificate of the server is not verified",
    guide:
      "`1`: the certificate of the session's server is not verified ([the risk](SECURITY.md#sessions-that-are-insecure))",
  }),
  wsPath: inPlaceOf(settings.wsPath, {
    column: "ws_path",
    flag: "ws-path",
    help: "Overrides the proxy's --ws-path for this session: append, full or strip.",
    guide: "in place of [`--ws-path`](ROUTING.md#--ws-path)",
  }),
}

/** The same table for those who go through all of it. */
export const policyRows: Readonly<Record<string, Policy<unknown>>> = policies
