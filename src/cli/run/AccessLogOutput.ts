import { Effect, Layer, Runtime } from "effect"
import type { Scope } from "effect"
import { AccessLog, JsonAccessLog } from "../../log/AccessLog.js"
import type { LineMemory, LineTaker } from "../../log/LineMemory.js"
import { type LineOutput, LineSink, type SinkCounters } from "../../log/LineSink.js"
import { LogFile } from "../../log/LogFile.js"
import { prettyLine } from "../../log/PrettyLine.js"
import type { QueryRule } from "../../telemetry/Redaction.js"
import { RecordSinks } from "../../telemetry/RecordSinks.js"
import { standardOutput } from "../../log/StandardOutput.js"
import { CommandFailed } from "../Failure.js"
import { flushedAtEnd, type ProgramLog } from "../Log.js"

/** The access log, where there is one. */
export interface AccessLogOutput {
  /** Brings its records to it. */
  readonly layer: Layer.Layer<never>
  /** Opens its file anew; `undefined` where it is no file. */
  readonly reopen: (() => void) | undefined
  /** Counts there what is dropped and what fails; `undefined` where there is no access log. */
  readonly countIn: ((counters: SinkCounters) => void) | undefined
}

/** Lines that go out with those of the log, and of which alone it is counted how many are dropped. */
class LinesBesideLog implements LineTaker {
  private counters: SinkCounters | undefined

  constructor(private readonly log: LineSink) {}

  write(line: string): void {
    if (!this.log.write(line)) this.counters?.accessLogDropped(1)
  }

  room(): LineMemory {
    return this.log.room()
  }

  took(length: number): boolean {
    const isTaken = this.log.took(length)
    if (!isTaken) this.counters?.accessLogDropped(1)
    return isTaken
  }

  readonly countIn = (counters: SinkCounters): void => {
    this.counters = counters
    this.log.countIn({ accessLogDropped: () => {}, accessLogFailed: () => counters.accessLogFailed() })
  }
}

/** For how long lines are gathered, in milliseconds. */
const gatherTime = 200

/** How often the log tells how many lines were dropped, in milliseconds. */
const tellInterval = 60_000

type Fault = NodeJS.ErrnoException
type Say = (message: string, fields?: Readonly<Record<string, unknown>>) => void

const hints: Readonly<Record<string, string>> = {
  ENOENT: "make its folder first",
  EACCES: "choose a file that this user may write",
  EISDIR: "name a file in that folder",
}

const cannotOpen = (path: string, error: Fault): CommandFailed =>
  new CommandFailed({
    problem: `the access log ${path} cannot be opened: ${error.code ?? error.message}`,
    hint: hints[error.code ?? ""] ?? "choose another with --access-log",
  })

/** Tells of lines that are dropped: that it begins, then once a minute how many. */
const dropReport = (say: Say, takeDropped: () => number) => {
  let timer: NodeJS.Timeout | undefined
  const tell = (): void => {
    const dropped = takeDropped()
    if (dropped > 0) return say("lines of the access log were dropped", { dropped })
    clearInterval(timer)
    timer = undefined
  }
  return (): void => {
    if (timer !== undefined) return
    say("lines of the access log are dropped: it is not read or written as fast as they come")
    timer = setInterval(tell, tellInterval).unref()
  }
}

/**
 * Tells that the file could not be opened anew, which is tried every ten seconds: at once, then once a minute how many times
 * it was tried in vain since.
 */
export const reopenReport = (say: Say): ((error: Fault) => void) => {
  let toldAt = Number.NEGATIVE_INFINITY
  let times = 0
  return (error) => {
    times++
    const now = performance.now()
    if (now - toldAt < tellInterval) return
    toldAt = now
    say("the access log file cannot be opened again; the old one stays in use", {
      problem: error.code ?? error.message,
      times,
    })
    times = 0
  }
}

/** Lines on their way to `output`, until the scope is closed; what was lost is said then. */
const openLines = (output: LineOutput, say: Say): Effect.Effect<LineSink, never, Scope.Scope> =>
  Effect.gen(function* () {
    const lines: LineSink = new LineSink(output, gatherTime, {
      dropping: dropReport(say, () => lines.takeDropped()),
      failing: (error) =>
        say("the access log cannot be written; it is tried again every second", {
          problem: error.code ?? error.message,
        }),
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        const dropped = lines.takeDropped() + lines.waiting
        if (dropped > 0) say("lines of the access log were dropped", { dropped })
      }),
    )
    yield* flushedAtEnd(lines)
    return lines
  })

const openFile = (path: string, say: Say): Effect.Effect<LogFile, CommandFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new LogFile(path, reopenReport(say)),
      catch: (error) => cannotOpen(path, error instanceof Error ? error : new Error(String(error))),
    }),
    (file) => Effect.sync(() => file.close()),
  )

/**
 * Opens the access log for as long as the scope lasts. `place`: `off`, `pretty` or `json` beside the log, `-` for standard
 * output, or the path of a file. The end waits for what it still holds, and says how many lines were lost.
 */
export const openAccessLog = (
  place: string,
  log: ProgramLog,
  query: QueryRule,
): Effect.Effect<AccessLogOutput, CommandFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const say: Say = (message, fields = {}) =>
      Runtime.runSync(runtime)(Effect.annotateLogs(Effect.logWarning(message), fields))
    const { shared } = log
    const json = (lines: LineTaker) => RecordSinks.layer(new JsonAccessLog(query, lines, shared?.worker))
    const beside = new LinesBesideLog(log.lines)
    const besideLog = { reopen: undefined, countIn: beside.countIn }
    if (place === "off") return { layer: Layer.empty, reopen: undefined, countIn: undefined }
    if (place === "pretty") {
      const look = { paint: log.style, brief: log.brief, query, worker: shared?.worker }
      const pretty = new AccessLog((record) => prettyLine(record, look), beside)
      return { layer: RecordSinks.layer(pretty), ...besideLog }
    }
    if (place === "json") return { layer: json(beside), ...besideLog }
    if (place === "-") {
      const lines = yield* openLines(standardOutput(process.stdout, shared !== undefined), say)
      return { layer: json(lines), reopen: undefined, countIn: (counters) => lines.countIn(counters) }
    }
    const file = yield* openFile(place, say)
    const lines = yield* openLines(file, say)
    return { layer: json(lines), reopen: () => file.reopen(), countIn: (counters) => lines.countIn(counters) }
  })
