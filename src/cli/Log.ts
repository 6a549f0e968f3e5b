import { Cause, HashMap, Layer, Logger, LogLevel } from "effect"
import { LogOutput } from "./LogOutput.js"
import type { LogThreshold } from "./ProgramFlags.js"
import { printable, shortened } from "../wire/PrintableText.js"
import { type Style, styleOf } from "./Style.js"

const thresholds: Readonly<Record<LogThreshold, LogLevel.LogLevel>> = {
  trace: LogLevel.Trace,
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warn: LogLevel.Warning,
  error: LogLevel.Error,
  off: LogLevel.None,
}

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value instanceof Error) return value.message
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** The longest value of a line, in characters. A target may have thirty thousand, and a thousand of them tell no more. */
const longest = 2_000

/** The same for a cause with its stacks, which the log holds only where it is asked for them. */
const longestDetail = 20_000

/** A value of a `key=value` pair, in quotes where it would not stand as one word. */
const field = (value: unknown, most = longest): string => {
  const text = shortened(textOf(value), most)
  return printable(/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text))
}

const colourOf = (level: LogLevel.LogLevel, style: Style): ((text: string) => string) => {
  if (LogLevel.greaterThanEqual(level, LogLevel.Error)) return style.red
  if (LogLevel.greaterThanEqual(level, LogLevel.Warning)) return style.yellow
  return LogLevel.greaterThanEqual(level, LogLevel.Info) ? style.green : style.dim
}

/**
 * What an error says in the log: the message, or with its stack where the log is that detailed. Operators ask for
 * stacks with `--log-level debug`; in a daily log they only hide the line that matters.
 */
const causeField = (cause: Cause.Cause<unknown>, detailed: boolean): string =>
  detailed ? field(Cause.pretty(cause, { renderErrorCause: true }), longestDetail) : field(textOf(Cause.squash(cause)))

/** The order of the pairs of a line, as docs/CONFIGURATION.md has it; any other stand behind these. */
const order = (
  "request_id client session method target status code end error fault closed_by address problem reason " +
  "bytes_in bytes_out messages_in messages_out retries milliseconds seconds"
).split(" ")
const placeOf = (key: string): number => {
  const place = order.indexOf(key)
  return place === -1 ? order.length : place
}

/** What a line looks like: in which colours, with a short time, with the stacks of causes. */
interface Look {
  readonly style: Style
  readonly brief: boolean
  readonly detailed: boolean
}

/** What a line begins with: time and level. On a terminal the time is shorter. */
const lineHead = (date: Date, level: LogLevel.LogLevel, { style, brief }: Look): string => {
  const time = date.toISOString()
  return `${style.dim(brief ? time.slice(11, 19) : time)} ${colourOf(level, style)(level.label.padEnd(5))}`
}

const pair = (key: string, value: string, { style }: Look): string => `${style.dim(`${key}=`)}${value}`

/** A line of the log: time, level, message, then `key=value` pairs. */
const renderLine = (
  { date, logLevel, message, annotations, cause }: Logger.Logger.Options<unknown>,
  look: Look,
): string => {
  const pairs = [...HashMap.entries(annotations)]
    .toSorted(([one], [other]) => placeOf(one) - placeOf(other))
    .map(([key, value]) => pair(key, field(value), look))
  if (!Cause.isEmpty(cause)) pairs.push(pair("cause", causeField(cause, look.detailed), look))
  return [
    lineHead(date, logLevel, look),
    ...(Array.isArray(message) ? message : [message]).map((part: unknown) =>
      printable(shortened(textOf(part), longest)),
    ),
    ...pairs,
  ].join(" ")
}

/** The line in place of lines that are lost. */
const renderGap = (dropped: number, look: Look): string =>
  [
    lineHead(new Date(), LogLevel.Warning, look),
    "lines of the log were dropped: standard error was not read",
    pair("dropped", String(dropped), look),
  ].join(" ")

/** The log of the program, on standard error. */
export const layerLog = (threshold: LogThreshold): Layer.Layer<never> => {
  const { stderr } = process
  const detailed = threshold === "trace" || threshold === "debug"
  const look: Look = { style: styleOf(stderr), brief: stderr.isTTY, detailed }
  const output = new LogOutput(stderr, (dropped) => renderGap(dropped, look))
  const logger = Logger.make((options) => output.write(renderLine(options, look)))
  return Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(thresholds[threshold]))
}
