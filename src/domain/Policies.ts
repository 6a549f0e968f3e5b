import { Option } from "effect"
import { onOrOff, type Reading, textOrNone } from "./Reading.js"
import type { Setting } from "./Setting.js"
import { settings } from "./Settings.js"

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
  /** Absent where only the store sets it. */
  readonly flag?: string
  /** The setting that it replaces; absent where it replaces none. */
  readonly inPlaceOf?: Setting<NonNullable<A>>
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

/** A text that the store itself writes beside other policies; a null is none. */
const companion = (words: Words<string | null>): Policy<string | null> => ({
  ...words,
  columnType: "TEXT",
  stored: "a text, or NULL",
  read: Option.some,
  write: (value) => (typeof value === "string" ? value : null),
  reading: textOrNone,
  fallback: null,
})

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
const inPlaceOf = <A extends {}>(setting: Setting<A>, words: Words<A | null>): Policy<A | null> => {
  const { reading } = setting
  return {
    ...words,
    inPlaceOf: setting,
    columnType: typeof setting.fallback === "number" ? "NUMERIC" : "TEXT",
    stored: `${reading.allowed}, or NULL`,
    read: (text) => (reading.choices?.includes(text) === false ? Option.none() : reading.read(text)),
    // Bytes as a number: a column of numbers need not take a unit.
    write: (value) =>
      typeof value === "number" && reading.unit === "bytes" ? value : value === null ? null : reading.show(value),
    reading: {
      ...reading,
      allowed: `${reading.allowed}, or default`,
      allowedValue: `${reading.allowedValue}, or null`,
      read: (text) => (text.toLowerCase() === "default" ? Option.some(null) : reading.read(text)),
      is: (value) => value === null || reading.is(value),
    },
    fallback: null,
  }
}

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
  host: inPlaceOf(settings.hostField, {
    column: "host",
    flag: "host-field",
    help: "The Host field that this session's server gets: server (its own), client (the client's), or auto.",
    guide: "the `Host` that the server gets, in place of [`--host-field`](ROUTING.md#host)",
  }),
  path: inPlaceOf(settings.path, {
    column: "path",
    flag: "path",
    help: "strip: this session's server does not get the id in the path. keep: it does.",
    guide: "in place of [`--path`](ROUTING.md#path)",
  }),
  slash: inPlaceOf(settings.slash, {
    column: "slash",
    flag: "slash",
    help: "Whether browsers are redirected from /ID to /ID/: auto, redirect or off.",
    guide: "in place of [`--slash`](ROUTING.md#slash)",
  }),
  location: inPlaceOf(settings.location, {
    column: "location",
    flag: "location",
    help: "rewrite: redirects of this session's server come back under /ID. relay: as they are.",
    guide: "in place of [`--location`](ROUTING.md#location)",
  }),
  cookies: inPlaceOf(settings.cookies, {
    column: "cookies",
    flag: "cookies",
    help: "confine: cookies of this session's server are only sent back to it. relay: as they are.",
    guide: "in place of [`--cookies`](ROUTING.md#cookies)",
  }),
  wsExtensions: inPlaceOf(settings.wsExtensions, {
    column: "ws_extensions",
    flag: "ws-extensions",
    help: "hide: this session's server does not see which WebSocket extensions clients offer.",
    guide: "in place of [`--ws-extensions`](ROUTING.md#compression)",
  }),
  wsPing: inPlaceOf(settings.wsPing, {
    column: "ws_ping",
    flag: "ws-ping",
    help: "Seconds after which a silent side of a WebSocket of this session is dropped; 0: never.",
    guide: "seconds, in place of [`--ws-ping`](ROUTING.md#a-side-that-vanished)",
  }),
  wsIdleTimeout: inPlaceOf(settings.wsIdleTimeout, {
    column: "ws_idle_timeout",
    flag: "ws-idle-timeout",
    help: "Seconds without a message after which a WebSocket of this session is closed; 0: never.",
    guide: "seconds, in place of `--ws-idle-timeout`",
  }),
  wsMaxMessage: inPlaceOf(settings.wsMaxMessage, {
    column: "ws_max_message",
    flag: "ws-max-message",
    help: "Largest message of a WebSocket of this session, in bytes; 0: no limit.",
    guide: "bytes, in place of `--ws-max-message`",
  }),
  timeout: inPlaceOf(settings.timeout, {
    column: "timeout",
    flag: "timeout",
    help: "Longest wait for the head of a response of this session's server, in seconds.",
    guide: "seconds, in place of `--timeout`",
  }),
  idleTimeout: inPlaceOf(settings.idleTimeout, {
    column: "idle_timeout",
    flag: "idle-timeout",
    help: "Seconds of silence after which a response of this session's server is cut; 0: never.",
    guide: "seconds, in place of `--idle-timeout`",
  }),
  connectTimeout: inPlaceOf(settings.connectTimeout, {
    column: "connect_timeout",
    flag: "connect-timeout",
    help: "Longest wait for a connection to this session's server, in seconds.",
    guide: "seconds, in place of `--connect-timeout`",
  }),
  via: inPlaceOf(settings.via, {
    column: "via",
    flag: "via",
    help: "off: this session's server gets no Via.",
    guide: "in place of [`--via`](ROUTING.md#via)",
  }),
  forwarded: inPlaceOf(settings.forwarded, {
    column: "forwarded",
    flag: "forwarded",
    help: "off: this session's server gets no X-Forwarded-* fields.",
    guide: "in place of `--forwarded`",
  }),
  trace: inPlaceOf(settings.traceContext, {
    column: "trace",
    flag: "trace-context",
    help: "off: this session's server gets no traceparent of the proxy.",
    guide: "in place of `--trace-context`",
  }),
  lenient: inPlaceOf(settings.lenient, {
    column: "lenient",
    flag: "lenient",
    help: "on: takes answers of this session's server that break the rules but can be read.",
    guide: "in place of [`--lenient`](ROUTING.md#answers-of-old-servers)",
  }),
  hold: inPlaceOf(settings.hold, {
    column: "hold",
    flag: "hold",
    help: "Seconds for which a server of this session that cannot be reached is tried again; 0: not at all.",
    guide: "seconds, in place of [`--hold`](ROUTING.md#a-server-that-is-just-starting)",
  }),
  cors: inPlaceOf(settings.cors, {
    column: "cors",
    flag: "cors",
    help: "Origins whose scripts may read the proxy's own errors for this session; * for any, off for none.",
    guide: "in place of [`--cors`](ROUTING.md#errors-that-scripts-of-other-origins-read)",
  }),
  setFields: inPlaceOf(settings.setFields, {
    column: "set_fields",
    flag: "set-fields",
    help: "Fields that this session's server gets in place of the client's.",
    guide:
      "a JSON object, in place of [`--set-fields`](ROUTING.md#fields-of-your-own); counts only with [`set_fields_url`](#secrets-and-set_fields_url)",
  }),
  stripFields: inPlaceOf(settings.stripFields, {
    column: "strip_fields",
    flag: "strip-fields",
    help: "Fields of clients that this session's server does not get.",
    guide: "a JSON array of names, in place of [`--strip-fields`](ROUTING.md#fields-of-your-own)",
  }),
  setResponseFields: inPlaceOf(settings.setResponseFields, {
    column: "set_response_fields",
    flag: "set-response-fields",
    help: "Fields that every answer for this session has in place of its server's.",
    guide: "a JSON object, in place of [`--set-response-fields`](ROUTING.md#fields-of-your-own)",
  }),
  stripResponseFields: inPlaceOf(settings.stripResponseFields, {
    column: "strip_response_fields",
    flag: "strip-response-fields",
    help: "Fields of this session's server that clients do not get.",
    guide: "a JSON array of names, in place of [`--strip-response-fields`](ROUTING.md#fields-of-your-own)",
  }),
  setFieldsUrl: companion({
    column: "set_fields_url",
    help: "The URL of the session for which its set_fields were set.",
    guide:
      "the session's URL for which `set_fields` was set: [at any other it is not used](#secrets-and-set_fields_url)",
  }),
}

/** The same table for those who go through all of it. */
export const policyRows: Readonly<Record<string, Policy<unknown>>> = policies
