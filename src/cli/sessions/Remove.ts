import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, changingDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { unknownSession } from "./SessionCheck.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

export const removeDoc: CommandDoc = {
  path: ["sessions", "remove"],
  summary: "Remove sessions.",
  about:
    "Removes sessions. What is live on them ends: streams are cut, WebSockets are closed with 1001. If one of the ids " +
    "is not there, none is removed.",
  args: [{ name: "ID", about: "The ids of the sessions.", repeated: true }],
  groups: [
    { title: "Options", flags: [Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [["ss-proxy sessions remove my-session other-session", "removes both"]],
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

export const remove = Command.make(
  "remove",
  { ids: Args.repeated(Args.text({ name: "ID" })), json: Flag.isOn(Flag.json), database: databaseOptions },
  ({ ids, json, database }) =>
    Effect.gen(function* () {
      const removed = yield* changingDatabase(database, () => removeAll([...new Set(ids)]))
      yield* printResult(
        json ? renderJson(removed.map(viewOf)) : removed.map((session) => `removed ${describe(session)}`).join("\n"),
      )
    }),
).pipe(Command.withDescription(removeDoc.summary))
