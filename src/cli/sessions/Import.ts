import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Clock, Effect, Either } from "effect"
import { readFile } from "node:fs/promises"
import { text as readStream } from "node:stream/consumers"
import { AddressGuard } from "../../downstream/AddressGuard.js"
import { isForwarding } from "../../domain/Session.js"
import { type NewSession, SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, makingDatabase } from "../Database.js"
import { addressFlags, addressOptions } from "../DownstreamChoice.js"
import { CommandFailed } from "../Failure.js"
import { fileFault } from "../FileFault.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { warnOfInsecure } from "./SessionCheck.js"
import { parseSessionFile } from "./SessionFile.js"
import { policyColumns } from "./SessionView.js"

export const importDoc: CommandDoc = {
  path: ["sessions", "import"],
  summary: "Add the sessions of a JSON file.",
  about:
    "Adds the sessions of a file: a JSON array, or one JSON object a line, with id, url and perhaps status, " +
    `${policyColumns}, as export prints them. The whole file is checked first; if anything is wrong, nothing is written.`,
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

const parse = (
  file: string,
  content: string,
  guard: AddressGuard,
): Effect.Effect<ReadonlyArray<NewSession>, CommandFailed> =>
  Either.mapLeft(parseSessionFile(content, guard), (problems) =>
    refuseAll(file, problems, "correct the file and import it again"),
  )

/** Writes the sessions; how many of them were there before. */
const store = (file: string, sessions: ReadonlyArray<NewSession>, replace: boolean) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const present = new Set((yield* repo.list).map((session) => session.id))
    const clashes = sessions.filter((session) => present.has(session.id)).map((session) => session.id)
    const exists = (ids: ReadonlyArray<string>) =>
      refuseAll(
        file,
        ids.map((id) => `${JSON.stringify(id)} exists already`),
        "add --replace to replace what exists",
      )
    if (clashes.length > 0 && !replace) return yield* exists(clashes)
    const tellProgress = yield* progressOf(sessions.length)
    for (const [done, session] of sessions.entries()) {
      yield* tellProgress(done)
      yield* replace
        ? repo.put(session)
        : Effect.catchTag(repo.add(session), "SessionExists", () => exists([session.id]))
    }
    return clashes.length
  })

/** How often somebody at a terminal is told how far it is, in milliseconds. */
const progressPause = 1_000

/** Tells, on a terminal and every now and then, how many sessions are done. */
const progressOf = (total: number): Effect.Effect<(done: number) => Effect.Effect<void>> =>
  Effect.map(Clock.currentTimeMillis, (begun) => {
    let next = begun + progressPause
    return (done) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (!process.stderr.isTTY || now < next) return Effect.void
        next = now + progressPause
        return printDiagnostic(`${done} of ${counted(total)}…`)
      })
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
      const sessions = yield* Effect.flatMap(read(file), (content) => parse(file, content, guard))
      const replaced = yield* makingDatabase(database, () => store(file, sessions, replace))
      const silent = sessions.filter((session) => !isForwarding(session.status)).length
      if (silent > 0)
        yield* printDiagnostic(
          `note: ${counted(silent)} of a status that does not forward; active, online and ready do`,
        )
      yield* warnOfInsecure(sessions)
      yield* printResult(`imported ${counted(sessions.length)}${replaced > 0 ? `, ${replaced} of them replaced` : ""}`)
    }),
).pipe(Command.withDescription(importDoc.summary))
