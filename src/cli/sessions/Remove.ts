import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Array, Effect, Option } from "effect"
import { onOrOff } from "../../domain/Reading.js"
import type { Session } from "../../domain/Session.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, changingDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
import { unknownSession } from "./SessionCheck.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

const ifExists: Flag.Flag<boolean> = {
  name: "if-exists",
  reading: onOrOff,
  about: "Ignores ids that do not exist.",
}

export const removeDoc: CommandDoc = {
  path: ["sessions", "remove"],
  summary: "Remove sessions.",
  about:
    "Removes sessions and closes their connections: streams are cut, WebSockets are closed with 1001. If one of the " +
    "ids does not exist, none is removed, unless --if-exists is given.",
  args: [{ name: "ID", about: "The ids of the sessions.", repeated: true }],
  groups: [
    { title: "Options", flags: [ifExists, Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions remove my-session other-session", "removes both"],
    ["ss-proxy sessions remove my-session --if-exists", "exit code 0 even if it is gone already"],
  ],
}

/** Removes all sessions, or none if one of them does not exist at the start. */
const removeAll = (ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    for (const id of ids) if (Option.isNone(yield* repo.find(id))) return yield* unknownSession(id)
    return yield* Effect.forEach(ids, (id) =>
      Effect.catchTag(repo.remove(id), "SessionNotFound", () => unknownSession(id)),
    )
  })

/** Removes those that exist. */
const removeWhatIsThere = (ids: ReadonlyArray<string>) =>
  Effect.flatMap(SessionRepo, (repo) =>
    Effect.map(
      Effect.forEach(ids, (id) =>
        Effect.catchTag(Effect.asSome(repo.remove(id)), "SessionNotFound", () => Effect.succeedNone),
      ),
      Array.getSomes,
    ),
  )

/** Says which of them were not there. */
const tellAbsent = (ids: ReadonlyArray<string>, removed: ReadonlyArray<Session>): Effect.Effect<void> => {
  const gone = new Set(removed.map(({ id }) => id))
  const absent = ids.filter((id) => !gone.has(id)).map((id) => JSON.stringify(id))
  return absent.length === 0 ? Effect.void : printDiagnostic(printable(`note: not there: ${absent.join(", ")}`))
}

export const remove = Command.make(
  "remove",
  {
    ids: Args.repeated(Args.text({ name: "ID" })),
    ifExists: Flag.isOn(ifExists),
    json: Flag.isOn(Flag.json),
    database: databaseOptions,
  },
  ({ ids: given, ifExists, json, database }) =>
    Effect.gen(function* () {
      const ids = [...new Set(given)]
      const removed = yield* changingDatabase(database, () => (ifExists ? removeWhatIsThere(ids) : removeAll(ids)))
      if (json) return yield* printResult(renderJson(removed.map(viewOf)))
      for (const session of removed) yield* printResult(`removed ${describe(session)}`)
      yield* tellAbsent(ids, removed)
    }),
).pipe(Command.withDescription(removeDoc.summary))
