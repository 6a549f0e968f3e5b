import { Effect, Either } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import type { AddressGuard } from "../../downstream/AddressGuard.js"
import { type Applied, SessionRepo } from "../../sessions/SessionRepo.js"
import { idOf, planSteps } from "../../sessions/SessionSteps.js"
import { CommandFailed } from "../Failure.js"
import { printDiagnostic } from "../Output.js"
import { progressBar } from "../Progress.js"
import { printable } from "../../wire/PrintableText.js"
import type { FileFormat } from "./FileFormat.js"
import type { FileSource } from "./FileSource.js"
import { counted, type ImportTally } from "./ImportTally.js"
import { type FileRecord, RecordSplitter } from "./RecordSplitter.js"
import { type PlacedStep, SessionLines } from "./SessionLines.js"

/** Steps of one change: other writers wait for so many at most. */
const batchSize = 500

/** Skipped entries that are named; the others are counted. */
const namedAtMost = 100

/** How the entries of a file are imported. */
export interface BatchOptions {
  readonly replace: boolean
  /** What to do about an entry that is wrong. */
  readonly onError: "stop" | "skip"
  /** Says what a file comes to, and writes nothing. */
  readonly dryRun: boolean
}

/** Applies a batch, or says what it would come to; with `told` before anything can interrupt. */
type Apply = (
  batch: ReadonlyArray<PlacedStep>,
  told: (applied: Applied) => void,
) => Effect.Effect<Applied, CommandFailed, SessionRepo>

/** Writes a batch. */
const writing =
  ({ replace, onError }: BatchOptions): Apply =>
  (batch, told) =>
    Effect.flatMap(SessionRepo, (repo) =>
      repo.apply(
        batch.map(({ step }) => step),
        { replace, partly: onError === "skip", committed: told },
      ),
    ).pipe(
      Effect.mapError((error) =>
        error._tag === "SessionInvalid"
          ? new CommandFailed({ problem: error.problem, hint: "correct it" })
          : new CommandFailed(error),
      ),
    )

/** Only reads. It remembers each id, so that an id that stands twice is seen as it will be. */
const pretending = ({ replace, onError }: BatchOptions): Apply => {
  const isThere = new Map<string, boolean>()
  return (batch, told) =>
    Effect.gen(function* () {
      const steps = batch.map(({ step }) => step)
      const repo = yield* SessionRepo
      const unknown = steps.map(idOf).filter((id) => !isThere.has(id))
      const found = new Set(
        (yield* Effect.mapError(repo.findMany(unknown), (error) => new CommandFailed(error))).map(
          ({ session }) => session.id,
        ),
      )
      const { applied } = planSteps(steps, replace, (id) => isThere.get(id) ?? found.has(id))
      if (applied.refused.length > 0 && onError === "stop") return applied
      for (const step of steps) isThere.set(idOf(step), step._tag === "Put")
      told(applied)
      return applied
    })
}

/** An import that is under way: its batch, and what it came to. */
class BatchImport {
  private batch: Array<PlacedStep> = []
  private readonly apply: Apply

  constructor(
    private readonly source: FileSource,
    private readonly options: BatchOptions,
    private readonly tally: ImportTally,
    private readonly progress: (line: string) => void,
  ) {
    this.apply = options.dryRun ? pretending(options) : writing(options)
  }

  run(lines: SessionLines): Effect.Effect<void, CommandFailed, SessionRepo> {
    return Effect.gen(this, function* () {
      const { next, size } = this.source
      const splitter = new RecordSplitter(lines.quotes)
      let bytes = 0
      for (let chunk = yield* next; chunk !== undefined; chunk = yield* next) {
        bytes += chunk.length
        yield* this.take(splitter.push(chunk), lines)
        this.progress(progressBar(size === undefined ? undefined : bytes / size, counted(this.tally.stored)))
      }
      yield* this.take(splitter.finish(), lines)
      yield* this.flush
    })
  }

  private take(records: ReadonlyArray<FileRecord>, lines: SessionLines) {
    return Effect.gen(this, function* () {
      for (const record of records) {
        const read = lines.read(record)
        if (Either.isLeft(read)) {
          if (lines.lacksHeader) return yield* this.stop(read.left)
          yield* this.wrong(read.left, "correct it, then import the file again with --replace")
        } else if (read.right !== undefined) this.batch.push(read.right)
        if (this.batch.length >= batchSize) yield* this.flush
      }
    })
  }

  /** Applies the batch. Signals, and other programs that write, have their turn behind it. */
  private get flush() {
    return Effect.gen(this, function* () {
      const { batch, tally } = this
      if (batch.length === 0) return
      this.batch = []
      const { refused } = yield* Effect.mapError(
        this.apply(batch, (applied) => {
          if (applied.refused.length === 0 || this.options.onError === "skip") tally.add(batch, applied)
        }),
        this.ended,
      )
      for (const place of refused) {
        const { line, step } = batch[place] ?? { line: 0, step: { _tag: "Remove", id: "" } as const }
        yield* this.wrong(
          `line ${line}: ${JSON.stringify(idOf(step))} exists already`,
          "add --replace to replace what exists",
        )
      }
      yield* nextTurn
    })
  }

  /** An entry that is wrong: it ends the import, or is passed over. */
  private wrong(problem: string, hint: string): Effect.Effect<void, CommandFailed> {
    if (this.options.onError === "stop") return this.stop(problem, hint)
    this.tally.skipped++
    return this.tally.skipped > namedAtMost ? Effect.void : printDiagnostic(printable(`skipped ${problem}`))
  }

  private stop(problem: string, hint = "correct it and import the file again"): Effect.Effect<never, CommandFailed> {
    return Effect.fail(this.ended(new CommandFailed({ problem, hint })))
  }

  /** The failure, and before it how far the import came. */
  private readonly ended = ({ problem, hint }: CommandFailed): CommandFailed => {
    const { options, source, tally } = this
    const reached =
      tally.batches === 0 || options.dryRun
        ? `nothing was imported from ${source.name}`
        : `the import of ${source.name} stopped; ${tally.reached}`
    return new CommandFailed({ problem: `${reached}: ${problem}`, hint })
  }
}

/** Imports NDJSON or CSV in batches, each of them one change. `tally` counts what is in force, also if this ends early. */
export const importBatches = (
  source: FileSource,
  format: Exclude<FileFormat, "json">,
  guard: AddressGuard,
  options: BatchOptions,
  tally: ImportTally,
  progress: (line: string) => void,
): Effect.Effect<void, CommandFailed, SessionRepo> =>
  new BatchImport(source, options, tally, progress).run(new SessionLines(format, guard))
