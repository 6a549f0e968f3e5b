import { Cause, Effect, FiberId, FiberRef, FiberRefs, HashMap, List, LogLevel, type Runtime } from "effect"

/**
 * The log of whoever builds it, written to by plain calls. There may be a line for every request, and a fiber for each
 * would cost more than the line; one that the log's level leaves out costs a comparison.
 */
export class LineLog {
  private readonly minimum: LogLevel.LogLevel
  private readonly loggers
  private readonly annotations

  constructor(private readonly runtime: Runtime.Runtime<never>) {
    const { fiberRefs } = runtime
    this.minimum = FiberRefs.getOrDefault(fiberRefs, FiberRef.currentMinimumLogLevel)
    this.loggers = Array.from(FiberRefs.getOrDefault(fiberRefs, FiberRef.currentLoggers))
    this.annotations = FiberRefs.getOrDefault(fiberRefs, FiberRef.currentLogAnnotations)
  }

  static readonly make: Effect.Effect<LineLog> = Effect.map(Effect.runtime<never>(), (runtime) => new LineLog(runtime))

  /** Whether a line of this level is written at all: where it is not, there is no need to make one. */
  has(level: LogLevel.LogLevel): boolean {
    return LogLevel.greaterThanEqual(level, this.minimum)
  }

  /** Writes a line, with `fields` as its annotations, and what it has come from. */
  write(
    level: LogLevel.LogLevel,
    message: string,
    fields: Readonly<Record<string, unknown>>,
    cause: Cause.Cause<unknown> = Cause.empty,
  ): void {
    if (!this.has(level)) return
    const line = {
      fiberId: FiberId.none,
      logLevel: level,
      message: [message],
      cause,
      context: this.runtime.fiberRefs,
      spans: List.empty<never>(),
      annotations: HashMap.union(this.annotations, HashMap.fromIterable(Object.entries(fields))),
      date: new Date(),
    }
    for (const logger of this.loggers) logger.log(line)
  }
}
