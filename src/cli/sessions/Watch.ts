import * as Command from "@effect/cli/Command"
import { Effect, Logger } from "effect"
import { text } from "../../domain/Reading.js"
import { SessionDiffer, type SessionDifference } from "../../sessions/SessionDiffer.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { printable } from "../../wire/PrintableText.js"
import type { CommandDoc } from "../CommandDoc.js"
import { CommandFailed } from "../Failure.js"
import { type Database, databaseFlags, databaseOptions, isAbsent, followingDatabase } from "../Database.js"
import { endWellBySignal } from "../EndBySignal.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printPiece } from "../Output.js"
import { describe, renderJsonLine, viewOf } from "./SessionView.js"

const prefix: Flag.Flag<string> = {
  name: "prefix",
  reading: text("TEXT"),
  about: "Only those whose id begins with this.",
  fallback: "",
}

export const watchDoc: CommandDoc = {
  path: ["sessions", "watch"],
  summary: "Show sessions as they change.",
  about:
    "Shows each session that is added, changed or removed from now on, one on a line, whoever changes it. No proxy " +
    "needs to run. It runs until Ctrl-C. The line reset means that any session may have changed: list them again.",
  args: [],
  groups: [
    { title: "Options", flags: [prefix, Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions watch", "all of them"],
    ["ss-proxy sessions watch --prefix team-a/ --json", "some, for a program"],
  ],
}

const noFile = ({ shown }: Database): CommandFailed =>
  new CommandFailed({
    code: "store_unavailable",
    problem: `there is no ${shown}`,
    hint: "name another with --db-path",
  })

/** Between two looks, in milliseconds. */
const interval = 1_000

/** What is printed of a difference, a line each. */
const linesOf = (difference: SessionDifference, json: boolean): ReadonlyArray<string> => {
  if (difference._tag === "Nothing") return []
  if (difference._tag === "Reset") return [json ? renderJsonLine({ event: "reset" }) : "reset"]
  const { put, removed } = difference
  const gone = removed.map((id) => (json ? renderJsonLine({ event: "remove", id }) : printable(`remove ${id}`)))
  const there = put.map((session) =>
    json ? renderJsonLine({ event: "put", session: viewOf(session) }) : `put ${describe(session)}`,
  )
  return [...gone, ...there]
}

/** Looks once a second. Never ends: a store that cannot be read is said, and read again when it can be. */
const watchAll = (prefix: string, json: boolean) =>
  Effect.gen(function* () {
    const differ = new SessionDiffer(yield* SessionRepo, prefix)
    let problem: string | undefined
    const look = Effect.matchEffect(differ.look, {
      onFailure: (error) => {
        if (problem === error.problem) return Effect.void
        problem = error.problem
        return printDiagnostic(printable(`note: ${problem}; waiting for it`))
      },
      onSuccess: (difference) => {
        problem = undefined
        return printPiece(
          linesOf(difference, json)
            .map((line) => `${line}\n`)
            .join(""),
        )
      },
    })
    yield* Effect.forever(Effect.zipRight(look, Effect.sleep(interval)))
  })

export const watch = Command.make(
  "watch",
  { prefix: Flag.optionOr(prefix, ""), json: Flag.isOn(Flag.json), database: databaseOptions },
  ({ database, json, prefix }) =>
    Effect.zipRight(
      endWellBySignal,
      followingDatabase(database, (chosen) => (isAbsent(chosen) ? noFile(chosen) : watchAll(prefix, json))),
    ).pipe(
      // What the store says of an outage is for the log of a proxy; standard output is for the result.
      Effect.provide(Logger.remove(Logger.defaultLogger)),
    ),
).pipe(Command.withDescription(watchDoc.summary))
