import { Option, Schema } from "effect"
import { BlockList, isIP } from "node:net"
import { fieldNamesProblem, fieldsProblem, type FieldsToSet, hiddenValue } from "./FieldRules.js"

/**
 * A kind of value: how its text is read, and which values of a program are valid. Flags, variables, columns and
 * programs share it, so that they accept and refuse the same values.
 */
export interface Reading<A> {
  /** The word for the value in the help, such as `SECONDS`; `undefined` for a switch, which takes no value. */
  readonly placeholder: string | undefined
  /** Other notations, for the help; `undefined` if there are none. */
  readonly note: string | undefined
  /** All valid texts, if they are few. */
  readonly choices: ReadonlyArray<string> | undefined
  /** The valid texts: completes "it must be …". */
  readonly allowed: string
  /** Reads a text; `None` if it is invalid. */
  readonly read: (text: string) => Option.Option<A>
  /** The text that `read` reads as this value; any other value is converted by `String`. */
  readonly show: (value: unknown) => string
  /** The valid values of a program: completes "it must be …". */
  readonly allowedValue: string
  /** The unit of a program's value: completes "in …"; `undefined` if it has none. */
  readonly unit: string | undefined
  /** Whether a program's value is valid. */
  readonly is: (value: unknown) => value is A
  /** Of values that are JSON in text; absent for any other. */
  readonly json?: JsonReading
}

/** What else is known of values that are JSON in text. */
interface JsonReading {
  /** A phrase about what is wrong with an invalid text or value; without any value in it that may be a secret. */
  readonly problem: (given: unknown) => string
  /** The text of a value as everybody may see it. What is invalid is hidden: it may have been meant for another column. */
  readonly shown: (value: unknown) => string
  /** Whether there are secrets in a value, an invalid one included. */
  readonly isSecret: (value: unknown) => boolean
}

/** Longer texts are not repeated: what other programs store is of any length, and comes into logs. */
const longestShown = 200

const shownGiven = (given: unknown): string =>
  typeof given === "string" && given.length > longestShown
    ? `a text of ${given.length} characters`
    : JSON.stringify(given)

/** What is wrong with something that a reading refuses, behind the name of what it is for. `allowed`: completes "it must be". */
export const refusal = ({ json }: Pick<Reading<unknown>, "json">, given: unknown, allowed: string): string =>
  json === undefined ? `is ${shownGiven(given)}; it must be ${allowed}` : `cannot be used: ${json.problem(given)}`

/** The text of a valid value, without secrets. */
export const shownText = ({ json, show }: Reading<unknown>, value: unknown): string => (json?.shown ?? show)(value)

interface Kind<A> {
  readonly placeholder?: string
  readonly note?: string
  readonly choices?: ReadonlyArray<string>
  readonly allowed: string
  /** Default: `allowed`. */
  readonly allowedValue?: string
  readonly unit?: string
  readonly value: Schema.Schema<A>
  /** Parses a text; `undefined` if that is impossible. `value` then validates the result. */
  readonly parse: (text: string) => A | undefined
  readonly show?: (value: A) => string
}

const reading = <A>(kind: Kind<A>): Reading<A> => {
  const is = Schema.is(kind.value)
  const { show } = kind
  return {
    placeholder: kind.placeholder,
    note: kind.note,
    choices: kind.choices,
    allowed: kind.allowed,
    allowedValue: kind.allowedValue ?? kind.allowed,
    unit: kind.unit,
    is,
    read: (text) => Option.filter(Option.fromNullable(kind.parse(text)), is),
    show: (value) => (show !== undefined && is(value) ? show(value) : String(value)),
  }
}

/** A text that is not empty. */
export const text = (placeholder: string): Reading<string> =>
  reading({
    placeholder,
    allowed: "a text that is not empty",
    value: Schema.NonEmptyString,
    parse: (text) => text,
  })

const isHostName = (text: string): boolean => isIP(text) > 0 || /^[A-Za-z0-9._-]+$/.test(text)

/** Any text, or none, which is null. */
export const textOrNone: Reading<string | null> = reading({
  placeholder: "TEXT",
  allowed: "a text, or null",
  value: Schema.NullOr(Schema.String),
  parse: (text) => text,
})

/** A host name or an address; IPv6 may stand in brackets. */
export const hostName: Reading<string> = reading({
  placeholder: "ADDRESS",
  allowed: "a host name or an IP address",
  value: Schema.String.pipe(Schema.filter(isHostName)),
  parse: (text) => text.replace(/^\[(.*)\]$/, "$1"),
})

const whole = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined)

/** A TCP port, or 0. */
export const portNumber: Reading<number> = reading({
  placeholder: "PORT",
  allowed: "a whole number from 0 to 65535",
  value: Schema.Int.pipe(Schema.between(0, 65_535)),
  parse: (text) => (text.length > 5 ? undefined : whole(text)),
})

/** A TCP port, or 0; or no port at all. */
export const portOrOff: Reading<number | "off"> = reading({
  placeholder: "PORT|off",
  allowed: "a whole number from 0 to 65535, or off",
  allowedValue: 'a whole number from 0 to 65535, or "off"',
  value: Schema.Union(Schema.Int.pipe(Schema.between(0, 65_535)), Schema.Literal("off")),
  parse: (text) => (text.toLowerCase() === "off" ? "off" : text.length > 5 ? undefined : whole(text)),
})

/** The longest delay of a Node timer (2^31 - 1 ms), in seconds. */
const longestSeconds = 2_147_483

const milliseconds = Schema.Int.pipe(Schema.between(0, longestSeconds * 1_000))

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * The milliseconds of a time: a number of seconds, or of its unit. A part of a millisecond counts as a whole one; what a sum of
 * fractions is off by does not.
 */
const millisecondsIn = (text: string): number | undefined => {
  const [, digits, unit = "s"] = /^(\d+\.?\d*|\.\d+)(ms|[smhd])?$/i.exec(text) ?? []
  if (digits === undefined) return undefined
  return Math.ceil(Number((Number(digits) * (timeUnits[unit.toLowerCase()] ?? 1_000)).toFixed(6)))
}

const timeNote = "or with a unit: 500ms, 30s, 5m, 1h, 7d"

/** `allowed`: which of all seconds, where some are not; of milliseconds for `unit` 1000. */
const secondsOf = (value: Schema.Schema<number>, allowed: (unit: number) => string): Reading<number> =>
  reading({
    placeholder: "SECONDS",
    note: `may have a fraction, 0.5; ${timeNote}`,
    allowed: `a number of seconds ${allowed(1)} ${longestSeconds}, such as 30 or 0.5, or a time such as 500ms, 5m or 1h`,
    allowedValue: `a whole number of milliseconds ${allowed(1_000)} ${longestSeconds * 1_000}`,
    unit: "milliseconds",
    value,
    parse: millisecondsIn,
    show: (value) => String(value / 1_000),
  })

/** Seconds, in milliseconds; 0 is allowed. */
export const seconds: Reading<number> = secondsOf(milliseconds, () => "from 0 to")

/** Seconds above 0, in milliseconds. */
export const positiveSeconds: Reading<number> = secondsOf(
  milliseconds.pipe(Schema.greaterThan(0)),
  () => "above 0 and up to",
)

/** 0, or at least so many seconds; in milliseconds. */
export const secondsFrom = (least: number): Reading<number> =>
  secondsOf(
    milliseconds.pipe(Schema.filter((value) => value === 0 || value >= least * 1_000)),
    (unit) => `that is 0 or from ${least * unit} to`,
  )

/** A time with a unit, for people; seconds without one. In milliseconds. */
export const duration: Reading<number> = reading({
  placeholder: "TIME",
  note: `seconds, ${timeNote}`,
  allowed: "a time such as 90s, 30m, 12h or 7d",
  value: Schema.Number.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER)),
  parse: millisecondsIn,
  show: (value) => `${value / 1_000}s`,
})

const isCloseCode = (code: number): boolean =>
  code === 1001 || code === 1008 || code === 1012 || (code >= 4_000 && code <= 4_999)

/** A code with which the proxy may be told to close WebSockets (RFC 6455 section 7.4). */
export const closeCode: Reading<number> = reading({
  placeholder: "CODE",
  allowed: "1001, 1008, 1012, or a number from 4000 to 4999",
  value: Schema.Int.pipe(Schema.filter(isCloseCode)),
  parse: (text) => (text.length > 4 ? undefined : whole(text)),
})

const longestReason = 100
const isCloseReason = (reason: string): boolean =>
  Buffer.byteLength(reason) <= longestReason && !/\p{Surrogate}/u.test(reason)

/** The reason that goes with it. A close frame has room for 123 bytes. */
export const closeReason: Reading<string> = reading({
  placeholder: "TEXT",
  allowed: `a text of at most ${longestReason} bytes`,
  value: Schema.String.pipe(Schema.filter(isCloseReason)),
  parse: (text) => text,
})

/** A whole number; 0 is allowed. */
export const count: Reading<number> = reading({
  placeholder: "COUNT",
  allowed: "a whole number, such as 1000",
  value: Schema.Int.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER)),
  parse: whole,
})

/** A whole number that is not too large for what is made of each. */
export const countUpTo = (most: number): Reading<number> =>
  reading({
    placeholder: "COUNT",
    allowed: `a whole number from 0 to ${most}`,
    value: Schema.Int.pipe(Schema.between(0, most)),
    parse: whole,
  })

const unitSizes: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

const bytesFrom = (least: 0 | 1, suffix: string): Reading<number> =>
  reading({
    placeholder: "BYTES",
    note: "or with a unit, always of 1024: 64k, 10mb, 1GiB",
    allowed: `a whole number of bytes, such as 1048576, 512k, 16m or 1g${suffix}`,
    allowedValue: `a whole number of bytes, such as 1048576${suffix}`,
    unit: "bytes",
    value: Schema.Int.pipe(Schema.between(least, Number.MAX_SAFE_INTEGER)),
    parse: (text) => {
      const [, digits, unit = ""] = /^(\d{1,15})(?:([kmg])(?:i?b)?|b)?$/i.exec(text) ?? []
      return digits === undefined ? undefined : Number(digits) * (unitSizes[unit.toLowerCase()] ?? 1)
    },
    show: (value) => {
      const [unit, size] = Object.entries(unitSizes).findLast(([, size]) => value > 0 && value % size === 0) ?? ["", 1]
      return `${value / size}${unit}`
    },
  })

/** Bytes, with a unit of 1024 (k, kb, KiB), 1024 k (m) or 1024 m (g), or none. */
export const byteSize: Reading<number> = bytesFrom(0, "")

/** Bytes above 0. */
export const positiveByteSize: Reading<number> = bytesFrom(1, ", above 0")

/** One of these words; a text may have any case. */
export const oneOf = <A extends string>(placeholder: string, words: ReadonlyArray<A>): Reading<A> =>
  reading({
    placeholder,
    choices: words,
    allowed: `one of ${words.join(", ")}`,
    value: Schema.Literal(...words),
    parse: (text) => words.find((word) => word === text.toLowerCase()),
  })

/** A path of a file; "" is none. */
export const filePath: Reading<string> = reading({
  placeholder: "FILE",
  allowed: "the path of a file",
  value: Schema.String.pipe(Schema.filter((path) => !path.includes("\0"))),
  parse: (path) => path,
})

/** What a token is made of: what `Authorization` can carry (RFC 6750 section 2.1), and enough of it. */
export const isToken = (text: string): boolean => /^[\w.~+/-]{16,1024}=*$/.test(text)

/** A token; "" is none. */
export const token: Reading<string> = reading({
  placeholder: "TOKEN",
  allowed: "at least 16 letters, digits and -._~+/",
  value: Schema.String.pipe(Schema.filter((text) => text === "" || isToken(text))),
  parse: (text) => (text === "" ? undefined : text),
})

/** Where a Unix socket is to be: a path; `auto`, which leaves that to the program; or `off`. */
export const socketPath: Reading<string> = reading({
  placeholder: "PATH|off",
  allowed: "a path, auto or off",
  value: Schema.NonEmptyString.pipe(Schema.filter((path) => !path.includes("\0"))),
  parse: (text) => (/^(?:auto|off)$/i.test(text) ? text.toLowerCase() : text),
})

/** A number of things, or `all` of them, which is Infinity. */
export const countOrAll: Reading<number> = reading({
  placeholder: "N|all",
  allowed: "a whole number, or all",
  value: Schema.Number.pipe(Schema.filter((count) => count === Infinity || (Number.isInteger(count) && count >= 0))),
  parse: (text) => (/^all$/i.test(text) ? Infinity : /^\d{1,9}$/.test(text) ? Number(text) : undefined),
  show: (count) => (count === Infinity ? "all" : String(count)),
})

/** How many of something there are to be, at least one, or as many as fit the machine. */
export const countOrAuto = (most: number): Reading<number | "auto"> =>
  reading({
    placeholder: "N|auto",
    allowed: `a whole number from 1 to ${most}, or auto`,
    value: Schema.Union(Schema.Int.pipe(Schema.between(1, most)), Schema.Literal("auto")),
    parse: (text) => (/^auto$/i.test(text) ? "auto" : whole(text)),
  })

/** A path and a query that a request's target may be (RFC 9112 section 3.2.1), or `off`. */
export const targetPath: Reading<string> = reading({
  placeholder: "PATH|off",
  allowed: "a path that begins with / and has no spaces, such as /healthz, or off",
  value: Schema.String.pipe(Schema.filter((path) => path === "off" || /^\/[!"$-~]{0,1023}$/.test(path))),
  parse: (text) => (/^off$/i.test(text) ? "off" : text),
})

/** Rights of a file that its owner reads and writes, and that others than its group may not: a text is octal. */
export const ownersMode: Reading<number> = reading({
  placeholder: "MODE",
  note: "octal: 0600, 0660",
  allowed: "0600, 0640 or 0660",
  allowedValue: "0o600, 0o640 or 0o660",
  value: Schema.Literal(0o600, 0o640, 0o660),
  parse: (text) => ([0o600, 0o640, 0o660] as const).find((mode) => mode.toString(8) === text.replace(/^0o?/, "")),
  show: (mode) => `0${mode.toString(8)}`,
})

const truth: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
}

/** A switch. */
export const onOrOff: Reading<boolean> = reading({
  allowed: "true or false",
  value: Schema.Boolean,
  parse: (text) => truth[text.toLowerCase()],
})

/** Where lines go, with what switches say for it, too; `-` is standard output. A path has a `/` or a `.`, so that a slip of the pen is none. */
export const logPlace: Reading<string> = reading({
  placeholder: "WHERE",
  note: "off, pretty, json, - for standard output, or a file: ./access.log",
  choices: ["off", "pretty", "json", "-"],
  allowed: "off, pretty, json, - for standard output, or the path of a file, such as ./access.log",
  value: Schema.NonEmptyString,
  parse: (text) => {
    const word = text.toLowerCase()
    const isOn = truth[word]
    if (isOn !== undefined) return isOn ? "pretty" : "off"
    if (["pretty", "json", "-"].includes(word)) return word
    return /[/.]/.test(text) ? text : undefined
  },
})

const isBlock = (block: string): boolean => {
  const [address = "", prefix, ...more] = block.split("/")
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  if (prefix === undefined) return true
  if (!/^\d{1,3}$/.test(prefix)) return false
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? "ipv4" : "ipv6")
    return true
  } catch {
    return false
  }
}

/** Items between commas; spaces around an item do not count. `isItem` says whether a text is one. */
const listOf = (
  isItem: (text: string) => boolean,
  words: Pick<Kind<ReadonlyArray<string>>, "placeholder" | "note" | "allowed" | "allowedValue">,
): Reading<ReadonlyArray<string>> =>
  reading({
    ...words,
    value: Schema.Array(Schema.String.pipe(Schema.filter(isItem))),
    parse: (text) =>
      text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    show: (value) => value.join(","),
  })

/** Host names, between commas. */
export const hostNames: Reading<ReadonlyArray<string>> = listOf(isHostName, {
  placeholder: "NAME,…",
  note: "names between commas: admin.example,proxy.internal",
  allowed: "host names between commas, such as admin.example,proxy.internal",
  allowedValue: 'an array of host names, such as ["admin.example"]',
})

/** A name of DNS that others can be below, in any case: no address, no dot and no star at an end. */
const isDomain = (text: string): boolean =>
  text.length <= 190 &&
  isIP(text) === 0 &&
  /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i.test(text)

/** Names below which each session has a name of its own, between commas. */
export const domains: Reading<ReadonlyArray<string>> = listOf(isDomain, {
  placeholder: "DOMAIN,…",
  note: "names between commas, without *. before them: apps.example.com,localhost",
  allowed: "domain names between commas, without *. before them, such as apps.example.com",
  allowedValue: 'an array of domain names, such as ["apps.example.com"]',
})

/** Whether a text is an origin as browsers write it: in small letters, without the port that the scheme has anyway. */
const isOrigin = (text: string): boolean => {
  if (!/^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?$/.test(text)) return false
  if (!/^https?:/.test(text)) return true
  return URL.canParse(text) && new URL(text).origin === text
}

/** Each error reads all of them. */
const longestOrigins = 8_192

const areOrigins = (text: string): boolean =>
  text === "off" || (text.length <= longestOrigins && text.split(",").every((item) => item === "*" || isOrigin(item)))

/** Origins between commas, `*` for any, or `off`; the same text each time, so that it can be compared. */
export const origins: Reading<string> = reading({
  placeholder: "ORIGIN,…|off",
  note: "origins between commas: https://app.example,http://localhost:3000; * for any",
  allowed:
    "origins between commas as browsers write them (https://app.example,http://localhost:3000: small letters, " +
    `no path, no slash at the end, no port that is the usual one; at most ${longestOrigins} characters), * or off`,
  value: Schema.String.pipe(Schema.filter(areOrigins)),
  parse: (text) => {
    if (text.length > longestOrigins) return undefined
    const items = text.split(",").map((item) => item.trim())
    return /^off$/i.test(text) ? "off" : items.filter((item) => item !== "").join(",")
  },
})

/** IP addresses and CIDR blocks; a text has commas between them. */
export const addressBlocks: Reading<ReadonlyArray<string>> = listOf(isBlock, {
  placeholder: "CIDR,…",
  note: "addresses or blocks between commas: 10.0.0.0/8,::1",
  allowed: "IP addresses or CIDR blocks between commas, such as 10.0.0.0/8,::1",
  allowedValue: 'an array of IP addresses or CIDR blocks, such as ["10.0.0.0/8", "::1"]',
})

const isGlob = (glob: string): boolean => /^\/[^\s,?#]*$/.test(glob)

/** Globs of paths, between commas: each begins with a slash, and has no query. */
export const pathGlobs: Reading<ReadonlyArray<string>> = listOf(isGlob, {
  placeholder: "GLOB,…",
  note: "paths between commas: /api/status,/kernels/*/ping",
  allowed: "paths between commas that begin with / and have no query, such as /api/status,/kernels/*/ping",
  allowedValue: 'an array of paths that begin with / and have no query, such as ["/api/status", "/kernels/*/ping"]',
})

/** Certificates or a key as PEM text; "" for none. On the command line, the path of a file with that text. */
export const pem: Reading<string> = reading({
  placeholder: "FILE",
  note: "PEM; read again when it changes",
  allowed: "the path of a PEM file",
  allowedValue: "a PEM text",
  value: Schema.String.pipe(Schema.filter((text) => text === "" || text.includes("-----BEGIN "))),
  parse: (text) => text,
})

/** Much more than the values may have, however they are escaped. A longer text would take long to be read and judged. */
const longestJson = 131_072

const parsedJson = (text: string): unknown => {
  if (text.length > longestJson) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** JSON in text. `problemOf`: what is wrong with a value, if anything is. */
const jsonText = <A>(
  problemOf: (value: unknown) => string | undefined,
  words: Pick<Kind<A>, "note" | "allowed" | "allowedValue">,
  shown?: (value: A) => string,
): Reading<A> => {
  const isValid = (value: unknown): value is A => problemOf(value) === undefined
  const problem = (given: unknown): string => {
    const value = typeof given === "string" ? parsedJson(given) : given
    if (value === undefined && typeof given === "string" && given.length > longestJson) return "it is too long"
    return value === undefined ? "it is not JSON" : (problemOf(value) ?? `it must be ${words.allowed}`)
  }
  const kind = reading<A>({
    placeholder: "JSON",
    ...words,
    value: Schema.declare(isValid),
    parse: (text) => {
      const value = parsedJson(text)
      return isValid(value) ? value : undefined
    },
    show: (value) => JSON.stringify(value),
  })
  return {
    ...kind,
    json: {
      problem,
      shown: (value) => (isValid(value) ? (shown ?? kind.show)(value) : hiddenValue),
      isSecret: (value) => shown !== undefined || !isValid(value),
    },
  }
}

const jsonNote = 'such as {"X-Team": "red"} or ["Cookie"]; @FILE reads a file'

/** Fields and their values, which may be secrets. */
export const fieldsToSet: Reading<FieldsToSet> = jsonText(
  fieldsProblem,
  {
    note: jsonNote,
    allowed: "a JSON object of names and values of fields",
    allowedValue: "an object of names and values of fields",
  },
  (fields) => JSON.stringify(Object.fromEntries(Object.keys(fields).map((name) => [name, hiddenValue]))),
)

/** Names of fields. */
export const fieldNames: Reading<ReadonlyArray<string>> = jsonText(fieldNamesProblem, {
  note: jsonNote,
  allowed: "a JSON array of names of fields",
  allowedValue: "an array of names of fields",
})
