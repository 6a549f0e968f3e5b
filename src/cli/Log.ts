import { Cause, HashMap, Layer, Logger, LogLevel } from "effect"
import type { LogThreshold } from "./ProgramFlags.js"
import { printable, type Style, styleOf } from "./Style.js"

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

/** A value of a `key=value` pair, in quotes where it would not stand as one word. */
const field = (value: unknown): string => {
  const text = textOf(value)
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
  field(detailed ? Cause.pretty(cause, { renderErrorCause: true }) : textOf(Cause.squash(cause)))

/** The order of the pairs of a line, as docs/CONFIGURATION.md has it; any other stand behind these. */
const order = (
  "request_id client session method target status code end error fault closed_by address problem reason " +
  "bytes_in bytes_out messages_in messages_out retries milliseconds seconds"
).split(" ")
const placeOf = (key: string): number => {
  const place = order.indexOf(key)
  return place === -1 ? order.length : place
}

/** A line of the log: time, level, message, then `key=value` pairs. On a terminal shorter, and in colour. */
const renderLine = (
  options: Logger.Logger.Options<unknown>,
  style: Style,
  brief: boolean,
  detailed: boolean,
): string => {
  const { date, logLevel, message, annotations, cause } = options
  const time = date.toISOString()
  const pairs = [...HashMap.entries(annotations)]
    .toSorted(([one], [other]) => placeOf(one) - placeOf(other))
    .map(([key, value]) => `${style.dim(`${key}=`)}${field(value)}`)
  if (!Cause.isEmpty(cause)) pairs.push(`${style.dim("cause=")}${causeField(cause, detailed)}`)
  return [
    style.dim(brief ? time.slice(11, 19) : time),
    colourOf(logLevel, style)(logLevel.label.padEnd(5)),
    ...(Array.isArray(message) ? message : [message]).map((part: unknown) => printable(textOf(part))),
    ...pairs,
  ].join(" ")
}

/** The log of the program, on standard error. */
export const layerLog = (threshold: LogThreshold): Layer.Layer<never> => {
  const { stderr } = process
  const style = styleOf(stderr)
  const detailed = threshold === "trace" || threshold === "debug"
  const logger = Logger.make((options) => {
    stderr.write(`${renderLine(options, style, stderr.isTTY, detailed)}\n`)
  })
  return Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(thresholds[threshold]))
}
