import { Effect } from "effect"
import type { AddressGuard } from "../../downstream/AddressGuard.js"
import type { SessionRepo } from "../../sessions/SessionRepo.js"
import { type ImportOptions, importSessions, type WrongEntry } from "../../transfer/SessionImport.js"
import { type LineFormat, SessionLines } from "../../transfer/SessionLines.js"
import { CommandFailed } from "../Failure.js"
import { printDiagnostic } from "../Output.js"
import { progressBar } from "../Progress.js"
import { printable } from "../../wire/PrintableText.js"
import type { FileSource } from "./FileSource.js"
import { counted, type ImportTally } from "./ImportTally.js"

/** Longest entry, in bytes. */
const longestRecord = 1_048_576

/** Skipped entries that are named; the others are counted. */
const namedAtMost = 100

const hintOf = ({ exists }: WrongEntry): string =>
  exists ? "add --replace to replace what exists" : "correct it, then import the file again with --replace"

/** Imports NDJSON or CSV in batches, each of them one change. `tally` counts what is in force, also if this ends early. */
export const importBatches = (
  source: FileSource,
  format: LineFormat,
  guard: AddressGuard,
  options: ImportOptions,
  tally: ImportTally,
  progress: (line: string) => void,
): Effect.Effect<void, CommandFailed, SessionRepo> => {
  const lines = new SessionLines(format, guard)
  let bytes = 0
  /** The failure, and before it how far the import came. */
  const ended = ({ problem, hint }: { readonly problem: string; readonly hint: string }): CommandFailed => {
    const reached =
      tally.batches === 0 || options.dryRun
        ? `nothing was imported from ${source.name}`
        : `the import of ${source.name} stopped; ${tally.reached}`
    return new CommandFailed({ problem: `${reached}: ${problem}`, hint })
  }
  const wrong = (entry: WrongEntry): Effect.Effect<void, CommandFailed> => {
    const problem = `line ${entry.line}: ${entry.problem}`
    if (lines.lacksHeader) return ended({ problem, hint: "correct it and import the file again" })
    if (options.onError === "stop") return ended({ problem, hint: hintOf(entry) })
    tally.skipped++
    return tally.skipped > namedAtMost ? Effect.void : printDiagnostic(printable(`skipped ${problem}`))
  }
  const read = (length: number): void => {
    bytes += length
    const part = source.size === undefined ? undefined : bytes / source.size
    progress(progressBar(part, counted(tally.stored)))
  }
  const applied = tally.add.bind(tally)
  return importSessions(source.next, lines, longestRecord, options, { read, applied, wrong }).pipe(
    Effect.catchTags({
      SessionInvalid: ({ problem }) => ended({ problem, hint: "correct it" }),
      StoreUnavailable: ended,
    }),
  )
}
