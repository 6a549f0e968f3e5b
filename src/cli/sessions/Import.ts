import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { text as readStream } from "node:stream/consumers"
import { AddressGuard } from "../../downstream/AddressGuard.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { isForwarding } from "../../domain/Session.js"
import { type AddAllOptions, type AddAllWatcher, type NewSession, SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type DatabaseChoice, databaseFlags, databaseOptions, makingDatabase } from "../Database.js"
import { addressFlags, addressOptions } from "../DownstreamChoice.js"
import { CommandFailed, type UsageError } from "../Failure.js"
import { fileFault } from "../FileFault.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { progressLine } from "../Progress.js"
import { endBySignal, untilSignal } from "../StoppedBySignal.js"
import { warnOfInsecure } from "./SessionCheck.js"
import { parseSessionFile } from "./SessionFile.js"
import { policyColumns } from "./SessionView.js"

export const importDoc: CommandDoc = {
  path: ["sessions", "import"],
  summary: "Add the sessions of a JSON file.",
  about:
    "Adds the sessions of a file: a JSON array, or one JSON object a line, with id, url and perhaps status, " +
    `${policyColumns}, as export prints them. What else export prints, forwards, created_at, updated_at and draining_until, is passed over. The whole file is checked first, then written by one change: if anything ` +
    "is wrong, or a signal comes, nothing is. Other programs wait to write meanwhile, well under a second for 100,000 " +
    "sessions; split a file that is much larger.",
  args: [{ name: "FILE", about: "Path of the file; - reads standard input." }],
  groups: [
    { title: "Options", flags: [{ ...Flag.replace, about: "Replaces sessions that exist already." }] },
    { title: "Addresses", flags: addressFlags },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions import sessions.json", "adds them all, or none"],
    ["ss-proxy sessions export -d old.db | ss-proxy sessions import - -d new.db", "copies one database to another"],
  ],
}

const read = (file: string): Effect.Effect<string, CommandFailed> =>
  Effect.tryPromise({
    try: () => (file === "-" ? readStream(process.stdin) : readFile(file, "utf8")),
    catch: (cause) =>
      new CommandFailed({
        problem: `cannot read ${file === "-" ? "standard input" : file}: ${fileFault(cause)}`,
        hint: "give the path of a file that sessions export wrote, or - for standard input",
      }),
  })

const shownProblems = 3

const refuseAll = (file: string, problems: ReadonlyArray<string>, hint: string): CommandFailed => {
  const more = problems.length > shownProblems ? `, and ${problems.length - shownProblems} more` : ""
  return new CommandFailed({
    problem: `nothing was imported from ${file === "-" ? "standard input" : file}: ${problems.slice(0, shownProblems).join(", ")}${more}`,
    hint,
  })
}

const correctIt = "correct the file and import it again"

const parse = (
  file: string,
  content: string,
  guard: AddressGuard,
  progress: (line: string) => void,
): Effect.Effect<ReadonlyArray<NewSession>, CommandFailed> =>
  Effect.mapError(
    parseSessionFile(content, guard, (count, total) => progress(`checking: ${count} of ${counted(total)}`)),
    ({ problems }) => refuseAll(file, problems, correctIt),
  )

/** Writes the sessions, all of them or none; how many of them were there before. */
const store = (file: string, sessions: ReadonlyArray<NewSession>, options: AddAllOptions) =>
  Effect.flatMap(SessionRepo, (repo) => repo.addAll(sessions, options)).pipe(
    Effect.mapError((error) => {
      switch (error._tag) {
        case "SessionsExist": {
          const problems = error.sessionIds.map((id) => `${JSON.stringify(id)} exists already`)
          return refuseAll(file, problems, "add --replace to replace what exists")
        }
        case "SessionInvalid":
          return refuseAll(file, [error.problem], correctIt)
        case "StoreUnavailable":
          return refuseAll(file, [error.problem], error.hint)
      }
    }),
  )

interface Imported {
  readonly sessions: ReadonlyArray<NewSession>
  readonly replaced: number
}

/** Reads, checks and writes. A signal takes it back, and ends the process, unless all is in force already. */
const importFile = (
  file: string,
  guard: AddressGuard,
  database: DatabaseChoice,
  replace: boolean,
): Effect.Effect<Imported, CommandFailed | UsageError | StoreUnavailable> =>
  Effect.suspend(() => {
    let imported: Imported | undefined
    const work = Effect.gen(function* () {
      const progress = yield* progressLine
      const sessions = yield* Effect.flatMap(read(file), (content) => parse(file, content, guard, progress))
      const watcher: AddAllWatcher = {
        written: (count) => progress(`writing: ${count} of ${counted(sessions.length)}`),
        committed: (replaced) => (imported = { sessions, replaced }),
      }
      const replaced = yield* makingDatabase(database, () => store(file, sessions, { replace, watcher }))
      return { sessions, replaced }
    }).pipe(Effect.scoped)
    return Effect.catchTag(untilSignal(work), "StoppedBySignal", (stopped) =>
      imported === undefined ? endBySignal(stopped, "nothing was imported") : Effect.succeed(imported),
    )
  })

const counted = (count: number): string => (count === 1 ? "1 session" : `${count} sessions`)

export const importAll = Command.make(
  "import",
  {
    file: Args.text({ name: "FILE" }),
    replace: Flag.isOn(Flag.replace),
    addresses: addressOptions,
    database: databaseOptions,
  },
  ({ file, replace, addresses, database }) =>
    Effect.gen(function* () {
      const guard = new AddressGuard(addresses)
      const { sessions, replaced } = yield* importFile(file, guard, database, replace)
      const silent = sessions.filter((session) => !isForwarding(session.status)).length
      if (silent > 0)
        yield* printDiagnostic(
          `note: ${counted(silent)} of a status that does not forward; active, online and ready do`,
        )
      yield* warnOfInsecure(sessions)
      yield* printResult(`imported ${counted(sessions.length)}${replaced > 0 ? `, ${replaced} of them replaced` : ""}`)
    }),
).pipe(Command.withDescription(importDoc.summary))
