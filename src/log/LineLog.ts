import { Cause, Effect, FiberId, FiberRef, FiberRefs, HashMap, List, type LogLevel, type Runtime } from "effect"
import { levelCheck } from "./LogLimit.js"

/**
 * The log of whoever builds it, written to by plain calls. There may be a line for every request, and a fiber for each
 * would cost more than the line; one that the log's level leaves out costs a comparison.
 */
export class LineLog {
  private readonly loggers
  private readonly annotations

  private constructor(
    private readonly runtime: Runtime.Runtime<never>,
    /** Whether a line of this level is written at all: where it is not, there is no need to make one. */
    readonly has: (level: LogLevel.LogLevel) => boolean,
  ) {
    const { fiberRefs } = runtime
    this.loggers = Array.from(FiberRefs.getOrDefault(fiberRefs, FiberRef.currentLoggers))
    this.annotations = FiberRefs.getOrDefault(fiberRefs, FiberRef.currentLogAnnotations)
  }

  static readonly make: Effect.Effect<LineLog> = Effect.zipWith(
    Effect.runtime<never>(),
    levelCheck,
    (runtime, has) => new LineLog(runtime, has),
  )

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
