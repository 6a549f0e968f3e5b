import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { text } from "../../domain/Reading.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { hasSecrets } from "../../sessions/SessionShape.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type Database, databaseFlags, databaseOptions, readingDatabase, readingUntilSignal } from "../Database.js"
import * as Flag from "../Flag.js"
import { printDiagnostic } from "../Output.js"
import { progressBar, progressLine } from "../Progress.js"
import { endBySignal, untilSignal } from "../StoppedBySignal.js"
import { type ExportTarget, fileTarget, standardOutput } from "./ExportTarget.js"
import { type FileFormat, format, formatOfName } from "./FileFormat.js"
import { counted } from "./ImportTally.js"
import { sessionWriter } from "./SessionWriter.js"

const output: Flag.Flag<string> = {
  name: "output",
  alias: "o",
  reading: text("FILE"),
  about: "Writes a file, which is there when it is whole, in place of standard output.",
}

const formatFlag: Flag.Flag<FileFormat> = {
  ...format,
  about: `${format.about} Without it, the name of --output tells, else json.`,
}

export const exportDoc: CommandDoc = {
  path: ["sessions", "export"],
  summary: "Print every session as JSON, NDJSON or CSV, for import.",
  about:
    'Prints every session, ordered by id, with the fields of "sessions list --json". Unlike there, user names and ' +
    "passwords in URLs and values of fields are included, so that import restores everything: keep the file safe. " +
    "Sessions are read 500 at a time, so that nobody has to wait. A session that changes meanwhile is exported as it " +
    "was before or after the change.",
  args: [],
  groups: [
    { title: "Options", flags: [formatFlag, output] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions export > sessions.json", "a copy of all sessions"],
    ["ss-proxy sessions export --output sessions.csv", "for a spreadsheet"],
    ["ss-proxy sessions export --format ndjson | wc -l", "one line for each session"],
  ],
}

/** Writes all sessions; how many of them hold a secret. */
const writeAll = (format: FileFormat, target: ExportTarget, isTerminal: boolean) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const total = yield* repo.count
    const progress = yield* progressLine
    const writer = sessionWriter(format, isTerminal)
    let [secrets, done] = [0, 0]
    yield* repo.forEachPage({ prefix: "", sort: "id" }, (sessions) =>
      Effect.gen(function* () {
        yield* target.write(writer.page(sessions))
        for (const session of sessions) if (hasSecrets(session)) secrets++
        done += sessions.length
        if (!isTerminal) progress(progressBar(done / total, counted(done)))
        return true
      }),
    )
    yield* target.write(writer.end())
    yield* target.finish
    return secrets
  }).pipe(Effect.scoped)

const writeFile = (file: string, format: FileFormat, database: Database) =>
  Effect.flatMap(fileTarget(file, database), (target) => writeAll(format, target, false)).pipe(
    Effect.scoped,
    untilSignal,
    Effect.catchTag("StoppedBySignal", (stopped) => endBySignal(stopped, `${file} was not written`)),
  )

export const exportAll = Command.make(
  "export",
  { format: Flag.option(formatFlag), output: Flag.option(output), database: databaseOptions },
  ({ database, ...given }) =>
    Effect.gen(function* () {
      const file = Option.getOrUndefined(given.output)
      const format = Option.getOrElse(given.format, () => formatOfName(file ?? "") ?? "json")
      const secrets =
        file === undefined || file === "-"
          ? yield* readingDatabase(database, () => writeAll(format, standardOutput, process.stdout.isTTY))
          : yield* readingUntilSignal(database, (found) => writeFile(file, format, found))
      if (secrets > 0)
        yield* printDiagnostic(
          `note: ${secrets} of the sessions hold secrets, such as a user name or password; keep this safe`,
        )
    }),
).pipe(Command.withDescription(exportDoc.summary))
