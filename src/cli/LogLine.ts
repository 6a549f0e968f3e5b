import { Cause, HashMap, type Logger, LogLevel } from "effect"
import { accessFieldNames } from "../log/AccessField.js"
import { jsonText, printable, shortened } from "../wire/PrintableText.js"
import type { Style } from "./Style.js"

/** How lines of the log are written. */
export type LogFormat = "pretty" | "json" | "logfmt"

/** What a line looks like: in which colours, with a short time, with the stacks of causes. */
export interface Look {
  readonly format: LogFormat
  readonly style: Style
  readonly brief: boolean
  readonly detailed: boolean
}

/** A line of the log before it is one. */
export interface LogEvent {
  readonly date: Date
  readonly level: LogLevel.LogLevel
  readonly message: string
  readonly pairs: ReadonlyArray<readonly [key: string, value: unknown]>
}

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Error) return value.message
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** The longest value of a line, in characters. A target may have thirty thousand, and a thousand of them tell no more. */
const longest = 2_100

/** The same for a cause with its stacks, which the log holds only where it is asked for them. */
const longestDetail = 20_000

/** What `causeOf` made is as long as it may be. */
class Detail {
  constructor(readonly text: string) {}
}

const shown = (value: unknown): string => (value instanceof Detail ? value.text : shortened(textOf(value), longest))

/** A value of a `key=value` pair, in quotes where it would not stand as one word. */
const field = (value: unknown): string => {
  const text = shown(value)
  return printable(/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text))
}

const jsonValue = (value: unknown): string =>
  (typeof value === "number" && Number.isFinite(value)) || typeof value === "boolean"
    ? String(value)
    : jsonText(shown(value))

const colourOf = (level: LogLevel.LogLevel, style: Style): ((text: string) => string) => {
  if (LogLevel.greaterThanEqual(level, LogLevel.Error)) return style.red
  if (LogLevel.greaterThanEqual(level, LogLevel.Warning)) return style.yellow
  return LogLevel.greaterThanEqual(level, LogLevel.Info) ? style.green : style.dim
}

/**
 * What an error says in the log: the message, or with its stack where the log is that detailed. Operators ask for
 * stacks with `--log-level debug`; in a daily log they only hide the line that matters.
 */
const causeOf = (cause: Cause.Cause<unknown>, detailed: boolean): unknown =>
  detailed
    ? new Detail(shortened(Cause.pretty(cause, { renderErrorCause: true }), longestDetail))
    : textOf(Cause.squash(cause))

/** The order of the pairs of a line: that of the access log; those that only the log has stand behind these. */
const order = [...accessFieldNames, "error", "address", "problem", "detail"]
const placeOf = (key: string): number => {
  const place = order.indexOf(key)
  return place === -1 ? order.length : place
}

/** What Effect gives a logger, as the log tells it. */
export const eventOf = (
  { date, logLevel, message, annotations, cause }: Logger.Logger.Options<unknown>,
  detailed: boolean,
): LogEvent => {
  const parts: ReadonlyArray<unknown> = Array.isArray(message) ? message : [message]
  const pairs = [...HashMap.entries(annotations)].toSorted(([one], [other]) => placeOf(one) - placeOf(other))
  return {
    date,
    level: logLevel,
    message: parts.map((part) => shortened(textOf(part), longest)).join(" "),
    pairs: Cause.isEmpty(cause) ? pairs : [...pairs, ["cause", causeOf(cause, detailed)]],
  }
}

const prettyEvent = ({ date, level, message, pairs }: LogEvent, { style, brief }: Look): string => {
  const time = date.toISOString()
  return [
    `${style.dim(brief ? time.slice(11, 19) : time)} ${colourOf(level, style)(level.label.padEnd(5))}`,
    printable(message),
    ...pairs.map(([key, value]) => `${style.dim(`${key}=`)}${field(value)}`),
  ].join(" ")
}

/** What each line has, whatever it tells; a pair of such a name would be a second one. */
const namesTaken: ReadonlyArray<string> = ["time", "level", "message"]

const withHead = ({ date, level, message, pairs }: LogEvent): LogEvent["pairs"] => [
  ["time", date.toISOString()],
  ["level", level.label.toLowerCase()],
  ["message", message],
  ...new Map(pairs.filter(([key, value]) => value !== undefined && !namesTaken.includes(key))),
]

const jsonEvent = (event: LogEvent): string =>
  `{${withHead(event)
    .map(([key, value]) => `${jsonText(key)}:${jsonValue(value)}`)
    .join(",")}}`

const logfmtEvent = (event: LogEvent): string =>
  withHead(event)
    .map(([key, value]) => `${key}=${field(value)}`)
    .join(" ")

/** A line of the log, without its line break. */
export const renderEvent = (event: LogEvent, look: Look): string => {
  switch (look.format) {
    case "pretty":
      return prettyEvent(event, look)
    case "json":
      return jsonEvent(event)
    case "logfmt":
      return logfmtEvent(event)
  }
}
