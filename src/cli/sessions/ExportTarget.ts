import { Effect, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync } from "node:fs"
import type { Database } from "../Database.js"
import { CommandFailed, UsageError } from "../Failure.js"
import { fileFault } from "../FileFault.js"
import { printPiece, writeWhole } from "../Output.js"

/** Where an export goes. */
export interface ExportTarget {
  readonly write: (text: string) => Effect.Effect<void, CommandFailed>
  /** All is written. Until then, a file that was there is as it was. */
  readonly finish: Effect.Effect<void, CommandFailed>
}

/** Standard output. A fault of it ends the process (`SsProxy.ts`). */
export const standardOutput: ExportTarget = { write: printPiece, finish: Effect.void }

const attempt = <A>(file: string, work: () => A): Effect.Effect<A, CommandFailed> =>
  Effect.try({
    try: work,
    catch: (cause) =>
      new CommandFailed({
        problem: `cannot write ${file}: ${fileFault(cause)}`,
        hint: "name a file that you may write, on a disk with room, with --output",
      }),
  })

/** The file itself where the path is a link; `undefined` where there is nothing. */
const realPathOf = (path: string): string | undefined => {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

const refuseDatabase = (file: string, database: Database): Effect.Effect<void, UsageError> => {
  if (database._tag !== "Sqlite") return Effect.void
  const real = realPathOf(file)
  const ends = ["", "-wal", "-shm", "-journal", ".activity"]
  const own = ends.map((end) => realPathOf(`${database.filename}${end}`))
  return real !== undefined && own.includes(real)
    ? new UsageError({ message: `--output is ${JSON.stringify(file)}, which is the database; name another file` })
    : Effect.void
}

/** Opens a file for writing, and closes it with the scope. Nobody else may read it: it may hold passwords. */
const opened = (file: string, path: string, flags: string) =>
  Effect.acquireRelease(
    attempt(file, () => openSync(path, flags, 0o600)),
    (descriptor) => Effect.sync(() => closeSync(descriptor)),
  )

/** Writes to what is there, such as a pipe or a device. */
const writingInto = (file: string) =>
  Effect.map(opened(file, file, "w"), (descriptor): ExportTarget => ({
    write: (text) => attempt(file, () => writeWhole(descriptor, text)),
    finish: Effect.void,
  }))

/** Writes a file beside it, which takes its place when it is whole: half a backup must not look like one. */
const replacing = (file: string): Effect.Effect<ExportTarget, CommandFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const path = realPathOf(file) ?? file
    const temporary = `${path}.${randomBytes(6).toString("hex")}.part`
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(temporary, { force: true })))
    const descriptor = yield* opened(file, temporary, "wx")
    return {
      write: (text) => attempt(file, () => writeWhole(descriptor, text)),
      finish: attempt(file, () => {
        fsyncSync(descriptor)
        renameSync(temporary, path)
      }),
    }
  })

/** The file that `--output` names; `database` is not to be overwritten. */
export const fileTarget = (
  file: string,
  database: Database,
): Effect.Effect<ExportTarget, CommandFailed | UsageError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* refuseDatabase(file, database)
    const stats = yield* attempt(file, () => statSync(file, { throwIfNoEntry: false }))
    return yield* stats === undefined || stats.isFile() ? replacing(file) : writingInto(file)
  })
