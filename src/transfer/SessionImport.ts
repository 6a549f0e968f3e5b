import { Effect, Either } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { Turns } from "../clock/Turns.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import type { SessionInvalid } from "../domain/Session.js"
import { type Applied, SessionRepo } from "../sessions/SessionRepo.js"
import { idOf, planSteps } from "../sessions/SessionSteps.js"
import { type FileRecord, RecordSplitter } from "./RecordSplitter.js"
import type { LineProblem, PlacedStep, SessionLines } from "./SessionLines.js"

/** Steps of one change: other writers wait for so many at most. */
const batchSize = 500

/** How the entries of a file are imported. */
export interface ImportOptions {
  readonly replace: boolean
  /** What to do about an entry that is wrong. */
  readonly onError: "stop" | "skip"
  /** Says what a file comes to, and writes nothing. */
  readonly dryRun: boolean
}

/** An entry that is not imported. */
export interface WrongEntry extends LineProblem {
  /** It exists already; otherwise it cannot be read. */
  readonly exists: boolean
}

/** Hears how an import goes. `E`: with what it may end it. */
export interface ImportWatcher<E> {
  /** So many bytes were read. */
  readonly read: (bytes: number) => void
  /** A batch is in force; told before anything can interrupt. */
  readonly applied: (batch: ReadonlyArray<PlacedStep>, applied: Applied) => void
  /** An entry is passed over where this succeeds. */
  readonly wrong: (entry: WrongEntry) => Effect.Effect<void, E>
}

/** Applies a batch, or says what it would come to; with `told` before anything can interrupt. */
type Apply = (
  batch: ReadonlyArray<PlacedStep>,
  told: (applied: Applied) => void,
) => Effect.Effect<Applied, SessionInvalid | StoreUnavailable>

/** Writes a batch. */
const writing =
  (repo: typeof SessionRepo.Service, { replace, onError }: ImportOptions): Apply =>
  (batch, told) =>
    repo.apply(
      batch.map(({ step }) => step),
      { replace, partly: onError === "skip", committed: told },
    )

/** Only reads. It remembers each id, so that an id that stands twice is seen as it will be. */
const pretending = (repo: typeof SessionRepo.Service, { replace, onError }: ImportOptions): Apply => {
  const isThere = new Map<string, boolean>()
  return (batch, told) =>
    Effect.gen(function* () {
      const steps = batch.map(({ step }) => step)
      const unknown = steps.map(idOf).filter((id) => !isThere.has(id))
      const found = new Set((yield* repo.findMany(unknown)).map(({ session }) => session.id))
      const { applied } = planSteps(steps, replace, (id) => isThere.get(id) ?? found.has(id))
      if (applied.refused.length > 0 && onError === "stop") return applied
      for (const step of steps) isThere.set(idOf(step), step._tag === "Put")
      told(applied)
      return applied
    })
}

/** An import that is under way, and its batch. */
class SessionImport<E> {
  private batch: Array<PlacedStep> = []
  private readonly turns = new Turns()
  private readonly apply: Apply

  constructor(
    repo: typeof SessionRepo.Service,
    private readonly lines: SessionLines,
    private readonly options: ImportOptions,
    private readonly watcher: ImportWatcher<E>,
  ) {
    this.apply = options.dryRun ? pretending(repo, options) : writing(repo, options)
  }

  run(next: Effect.Effect<Buffer | undefined, E>, longestLine: number) {
    return Effect.gen(this, function* () {
      const splitter = new RecordSplitter(this.lines.quotes, longestLine)
      for (let chunk = yield* next; chunk !== undefined; chunk = yield* next) {
        yield* this.take(splitter.push(chunk))
        if (this.options.onError === "stop") yield* this.take(splitter.overlong)
        this.watcher.read(chunk.length)
      }
      yield* this.take(splitter.finish())
      yield* this.flush
    })
  }

  private take(records: ReadonlyArray<FileRecord>) {
    return Effect.gen(this, function* () {
      for (const record of records) {
        const read = this.lines.read(record)
        if (Either.isLeft(read)) yield* this.watcher.wrong({ ...read.left, exists: false })
        else if (read.right !== undefined) this.batch.push(read.right)
        if (this.batch.length >= batchSize) yield* this.flush
        yield* this.turns.pause
      }
    })
  }

  /** Applies the batch. Signals, and other programs that write, have their turn behind it. */
  private get flush() {
    return Effect.gen(this, function* () {
      const { batch } = this
      if (batch.length === 0) return
      this.batch = []
      const { refused } = yield* this.apply(batch, (applied) => {
        if (applied.refused.length === 0 || this.options.onError === "skip") this.watcher.applied(batch, applied)
      })
      for (const place of refused) {
        const placed = batch[place]
        if (placed === undefined) continue
        const id = idOf(placed.step)
        yield* this.watcher.wrong({
          line: placed.line,
          id,
          problem: `${JSON.stringify(id)} exists already`,
          exists: true,
        })
      }
      yield* nextTurn
    })
  }
}

/**
 * Imports entries in batches, each of them one change: what is in force stays, however this ends. `next`: the next bytes,
 * none at the end; it is asked when a batch is written, and not before. `longestLine`: in bytes.
 */
export const importSessions = <E>(
  next: Effect.Effect<Buffer | undefined, E>,
  lines: SessionLines,
  longestLine: number,
  options: ImportOptions,
  watcher: ImportWatcher<E>,
): Effect.Effect<void, E | SessionInvalid | StoreUnavailable, SessionRepo> =>
  Effect.flatMap(SessionRepo, (repo) => new SessionImport(repo, lines, options, watcher).run(next, longestLine))
