import { Effect, Layer, Logger, LogLevel } from "effect"
import type { Scope } from "effect"
import { LineSink } from "../log/LineSink.js"
import type { LogSteering, LogThreshold } from "../log/LogControl.js"
import { type LimitInForce, LogLimit } from "../log/LogLimit.js"
import { standardOutput } from "../log/StandardOutput.js"
import { eventOf, type LogEvent, type LogFormat, type Look, renderEvent } from "./LogLine.js"
import { type Style, styleOf } from "./Style.js"

/** What is logged, and how. */
export interface LogChoice {
  readonly level: LogThreshold
  readonly format: LogFormat
}

/** A process that writes to the same standard error and standard output as others. */
export interface SharedOutput {
  /** The number of the worker, which stands in every line. */
  readonly worker: number
}

/** The log of the program, on standard error. */
export interface ProgramLog extends Pick<LogSteering, "level" | "setLevel"> {
  /** Makes it the log of whatever is built with this. */
  readonly layer: Layer.Layer<never>
  /** Where its lines go, and others that belong beside them. */
  readonly lines: LineSink
  readonly style: Style
  /** Whether lines have a short time: on a terminal. */
  readonly brief: boolean
  /** Whether others write to the same standard error, and as whom this process does. */
  readonly shared: SharedOutput | undefined
  /** Logs in detail from now on, or no longer; gives the level from now on. */
  readonly toggleDebug: () => LogThreshold
}

const thresholds: Readonly<Record<LogThreshold, LogLevel.LogLevel>> = {
  trace: LogLevel.Trace,
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warn: LogLevel.Warning,
  error: LogLevel.Error,
  off: LogLevel.None,
}

const isDetailed = (level: LogThreshold): boolean => level === "trace" || level === "debug"

/** How long the end waits for what the log and the access log still hold, in milliseconds. */
export const longestFlush = 2_000

/** Lets the lines of a sink out as long as the scope lasts, and at its end waits for them; at a sudden end of the process, for none. */
export const flushedAtEnd = (lines: LineSink): Effect.Effect<void, never, Scope.Scope> => {
  const writeNow = () => lines.writeNow()
  return Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => process.on("exit", writeNow)),
      () => Effect.promise(() => lines.flush(longestFlush)),
    ),
  )
}

/** The line in place of lines that are lost. */
const gapIn =
  (look: () => Look, marks: LogEvent["pairs"]) =>
  (dropped: number): string =>
    renderEvent(
      {
        date: new Date(),
        level: LogLevel.Warning,
        message: "lines of the log were dropped: standard error was not read",
        pairs: [["dropped", dropped], ...marks],
      },
      look(),
    )

/** The log's logger for Effect. */
const loggerTo = (lines: LineSink, look: () => Look, limit: LimitInForce, marks: LogEvent["pairs"]) =>
  Logger.make<unknown, void>((options) => {
    if (LogLevel.lessThan(options.logLevel, limit.level)) return
    const event = eventOf(options, look().detailed)
    lines.write(renderEvent(marks.length === 0 ? event : { ...event, pairs: [...event.pairs, ...marks] }, look()))
  })

/** Opens the log, for as long as the scope lasts. `shared`: others write beside it. */
export const openLog = (
  { level, format }: LogChoice,
  shared?: SharedOutput,
): Effect.Effect<ProgramLog, never, Scope.Scope> =>
  Effect.gen(function* () {
    const marks: LogEvent["pairs"] = shared === undefined ? [] : [["worker", shared.worker]]
    const { stderr } = process
    const style = styleOf(stderr)
    const limit = { level: thresholds[level] }
    let current = level
    const look = (): Look => ({ format, style, brief: stderr.isTTY, detailed: isDetailed(current) })
    const lines = new LineSink(standardOutput(stderr, shared !== undefined), 0, { gap: gapIn(look, marks) })
    yield* flushedAtEnd(lines)
    const logger = loggerTo(lines, look, limit, marks)
    const setLevel = (to: LogThreshold): void => {
      current = to
      limit.level = thresholds[to]
    }
    return {
      layer: Layer.mergeAll(
        Logger.replace(Logger.defaultLogger, logger),
        // Effect itself lets through whatever may be asked for while the program runs.
        Logger.minimumLogLevel(LogLevel.All),
        Layer.succeed(LogLimit, limit),
      ),
      lines,
      style,
      brief: stderr.isTTY,
      shared,
      toggleDebug: () => {
        const other = isDetailed(level) ? "info" : "debug"
        setLevel(current === level ? other : level)
        return current
      },
      level: () => current,
      setLevel,
    }
  })
