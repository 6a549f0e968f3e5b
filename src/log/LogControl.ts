import { Context } from "effect"

/** Which lines a log has: those of this level, and of those behind it; `off` for none. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "off"] as const
/** The least level of the lines that a log has; `off` for none. */
export type LogThreshold = (typeof logLevels)[number]

/** What may be asked of the log of the program that runs the proxy. */
export interface LogSteering {
  /** The level in force. */
  readonly level: () => LogThreshold
  /** Puts another level in force. */
  readonly setLevel: (level: LogThreshold) => void
  /** Opens the file of the access log anew; `undefined` where that is no file. */
  readonly reopen: (() => void) | undefined
}

/** The log, for those who steer it while the proxy runs; `undefined` where a program that embeds it keeps that to itself. */
export class LogControl extends Context.Reference<LogControl>()("@ss-proxy/LogControl", {
  defaultValue: (): LogSteering | undefined => undefined,
}) {}
