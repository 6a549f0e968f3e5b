import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option, type Scope } from "effect"
import { oneOf, onOrOff } from "../../domain/Reading.js"
import { AddressGuard } from "../../downstream/AddressGuard.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { type AddAllWatcher, type NewSession, SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type DatabaseChoice, databaseFlags, databaseOptions, makingDatabase, readingDatabase } from "../Database.js"
import { addressFlags, addressOptions } from "../DownstreamChoice.js"
import { CommandFailed, type UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { progressLine } from "../Progress.js"
import { endBySignal, untilSignal } from "../StoppedBySignal.js"
import { type FileFormat, format } from "./FileFormat.js"
import { type FileSource, openSource, readWhole } from "./FileSource.js"
import { importBatches } from "./ImportBatches.js"
import { counted, ImportTally } from "./ImportTally.js"
import { parseSessionFile } from "./SessionFile.js"
import { policyColumns } from "../../transfer/SessionFields.js"
import type { ImportOptions } from "../../transfer/SessionImport.js"

const onError: Flag.Flag<ImportOptions["onError"]> = {
  name: "on-error",
  reading: oneOf("ACTION", ["stop", "skip"]),
  about: "What to do about an entry of NDJSON or CSV that is wrong: stop, or skip it.",
  fallback: "stop",
}

const dryRun: Flag.Flag<boolean> = {
  name: "dry-run",
  reading: onOrOff,
  about: "Checks the file, says what it comes to, and writes nothing.",
}

const formatFlag: Flag.Flag<FileFormat> = {
  ...format,
  about: `${format.about} Without it, the file's name or its beginning tells.`,
}

export const importDoc: CommandDoc = {
  path: ["sessions", "import"],
  summary: "Add the sessions of a file: JSON, NDJSON or CSV.",
  about:
    "Adds the sessions of a file, with id, url and perhaps status, " +
    `${policyColumns.join(", ")}, as export prints them. Other fields of an export (forwards, created_at, updated_at, draining_until) are ignored. ` +
    "A JSON array is checked first, then written as one change: if anything is wrong, or a signal comes, nothing is written. " +
    "NDJSON (one JSON object on each line) and CSV (with a header line) are read in pieces and written in batches of 500, each " +
    "one change, so that other programs never wait long. An import that stops says how far it came. There, " +
    'an entry with "remove": true removes the session. Entries are applied in their order. With --on-error skip, an import that ' +
    "skipped anything ends with exit code 1.",
  args: [{ name: "FILE", about: "Path of the file; - reads standard input." }],
  groups: [
    {
      title: "Options",
      flags: [{ ...Flag.replace, about: "Replaces sessions that exist already." }, formatFlag, onError, dryRun],
    },
    { title: "Addresses", flags: addressFlags },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions import sessions.json", "adds them all, or none"],
    ["ss-proxy sessions import sessions.csv --dry-run --on-error skip", "names every line that is wrong"],
    [
      "ss-proxy sessions export --format ndjson -d old.db | ss-proxy sessions import - -d new.db",
      "copies one database to another, in batches",
    ],
  ],
}

const shownProblems = 3

const refuseAll = (name: string, problems: ReadonlyArray<string>, hint: string): CommandFailed => {
  const more = problems.length > shownProblems ? `, and ${problems.length - shownProblems} more` : ""
  return new CommandFailed({
    problem: `nothing was imported from ${name}: ${problems.slice(0, shownProblems).join(", ")}${more}`,
    hint,
  })
}

const correctIt = "correct the file and import it again"
const replaceIt = "add --replace to replace what exists"

const existing = (name: string, ids: ReadonlyArray<string>): CommandFailed =>
  refuseAll(
    name,
    ids.map((id) => `${JSON.stringify(id)} exists already`),
    replaceIt,
  )

/** Writes the sessions, all of them or none. */
const storeAll = (name: string, sessions: ReadonlyArray<NewSession>, replace: boolean, watcher: AddAllWatcher) =>
  Effect.flatMap(SessionRepo, (repo) => repo.addAll(sessions, { replace, watcher })).pipe(
    Effect.mapError((error) => {
      switch (error._tag) {
        case "SessionsExist":
          return existing(name, error.sessionIds)
        case "SessionInvalid":
          return refuseAll(name, [error.problem], correctIt)
        case "StoreUnavailable":
          return refuseAll(name, [error.problem], error.hint)
      }
    }),
  )

/** How many of the sessions exist. Refuses that, unless they are to be replaced. */
const wouldReplace = (name: string, sessions: ReadonlyArray<NewSession>, replace: boolean) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const found = yield* repo.findMany(sessions.map(({ id }) => id))
    if (found.length > 0 && !replace)
      return yield* existing(
        name,
        found.map(({ session }) => session.id),
      )
    return found.length
  })

interface ImportChoice extends ImportOptions {
  readonly file: string
  readonly format: FileFormat | undefined
  readonly guard: AddressGuard
  readonly database: DatabaseChoice
}

/** Imports a JSON array, as one change. */
const importArray = (
  source: FileSource,
  { guard, database, replace, dryRun }: ImportChoice,
  tally: ImportTally,
  progress: (line: string) => void,
  done: () => void,
): Effect.Effect<void, CommandFailed | UsageError | StoreUnavailable> =>
  Effect.gen(function* () {
    const { name } = source
    const content = yield* readWhole(source)
    const sessions = yield* Effect.mapError(
      parseSessionFile(content, guard, (count, total) => progress(`checking: ${count} of ${counted(total)}`)),
      ({ problems }) => refuseAll(name, problems, correctIt),
    )
    const committed = (replaced: number): void => {
      const added = sessions.length - replaced
      const batch = sessions.map((session) => ({ line: 0, step: { _tag: "Put", session } as const }))
      tally.add(batch, { added, replaced, removed: 0, absent: 0, refused: [] })
      done()
    }
    const written = (count: number) => progress(`writing: ${count} of ${counted(sessions.length)}`)
    if (dryRun) committed(yield* readingDatabase(database, () => wouldReplace(name, sessions, replace)))
    else yield* makingDatabase(database, () => storeAll(name, sessions, replace, { written, committed }))
  })

/** Reads, checks and writes. A signal ends the process, unless all is in force already, and takes back what is not. */
const importFile = (
  choice: ImportChoice,
): Effect.Effect<ImportTally, CommandFailed | UsageError | StoreUnavailable, Scope.Scope> =>
  Effect.suspend(() => {
    const tally = new ImportTally()
    let isDone = false
    const done = () => void (isDone = true)
    const work = Effect.gen(function* () {
      const progress = yield* progressLine
      const source = yield* openSource(choice.file, choice.format)
      const { format } = source
      const database = choice.dryRun ? readingDatabase : makingDatabase
      if (format === "json") yield* importArray(source, choice, tally, progress, done)
      else yield* database(choice.database, () => importBatches(source, format, choice.guard, choice, tally, progress))
      done()
    }).pipe(Effect.scoped)
    return Effect.as(
      Effect.catchTag(untilSignal(work), "StoppedBySignal", (stopped) =>
        isDone ? Effect.void : endBySignal(stopped, choice.dryRun ? "nothing was imported" : tally.reached),
      ),
      tally,
    )
  })

const tellSkipped = ({ skipped }: ImportTally): Effect.Effect<void, CommandFailed> =>
  skipped === 0
    ? Effect.void
    : new CommandFailed({
        problem: `${skipped === 1 ? "1 entry was" : `${skipped} entries were`} skipped`,
        hint: "correct what is named above, then import the file again with --replace",
      })

export const importAll = Command.make(
  "import",
  {
    file: Args.text({ name: "FILE" }),
    replace: Flag.isOn(Flag.replace),
    format: Flag.option(formatFlag),
    onError: Flag.optionOr(onError, "stop"),
    dryRun: Flag.isOn(dryRun),
    addresses: addressOptions,
    database: databaseOptions,
  },
  ({ addresses, ...given }) =>
    Effect.gen(function* () {
      const guard = new AddressGuard(addresses)
      const tally = yield* importFile({ ...given, guard, format: Option.getOrUndefined(given.format) })
      if (tally.silent > 0)
        yield* printDiagnostic(
          `note: ${counted(tally.silent)} of a status that does not forward; active, online and ready do`,
        )
      if (tally.encoded > 0)
        yield* printDiagnostic(
          `note: ${counted(tally.encoded)} with a % in the id; ids are stored as they are, not percent-encoded`,
        )
      yield* tally.insecure.warning
      yield* printResult(
        given.dryRun
          ? `${tally.summary("would import", "would remove")}; nothing was written`
          : tally.summary("imported", "removed"),
      )
      yield* tellSkipped(tally)
    }).pipe(Effect.scoped),
).pipe(Command.withDescription(importDoc.summary))
