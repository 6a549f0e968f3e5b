import { Cause, HashMap, Layer, Logger } from "effect"
import { callUnawaited } from "./OwnPromise.js"

/** One line of the proxy's log. */
export interface LogLine {
  readonly time: Date
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "fatal"
  readonly message: string
  /** What it is about, by name: `session`, `request_id`, `reason` … */
  readonly fields: Readonly<Record<string, unknown>>
  /** What was thrown, with its stack; `undefined` where nothing was. */
  readonly cause: string | undefined
}

const levels: Readonly<Record<string, LogLine["level"]>> = {
  TRACE: "trace",
  DEBUG: "debug",
  WARN: "warn",
  ERROR: "error",
  FATAL: "fatal",
}

/** Hands a line to the program. Where that fails, it is the program's own code at the one place where it could be said. */
export const tellLog = (write: (line: LogLine) => void, line: LogLine): void =>
  callUnawaited(
    () => write(line),
    () => {},
  )

/** Hands lines to `write`, in place of standard output. A line that cannot be written is lost: nobody can be told. */
export const layerLog = (write: ((line: LogLine) => void) | undefined): Layer.Layer<never> =>
  write === undefined
    ? Logger.remove(Logger.defaultLogger)
    : Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ annotations, cause, date, logLevel, message }) => {
          const texts = Array.isArray(message) ? message.map(String) : [String(message)]
          const line: LogLine = {
            time: date,
            level: levels[logLevel.label] ?? "info",
            message: texts.join(" "),
            fields: Object.fromEntries(HashMap.toEntries(annotations)),
            cause: Cause.isEmpty(cause) ? undefined : Cause.pretty(cause, { renderErrorCause: true }),
          }
          tellLog(write, line)
        }),
      )
