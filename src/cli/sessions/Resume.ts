import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { changingDatabase, databaseFlags, databaseOptions } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { unknownSession, warnOfStatus } from "./SessionCheck.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

export const resumeDoc: CommandDoc = {
  path: ["sessions", "resume"],
  summary: "End the drain of a session.",
  about:
    "Ends the drain of a session: it takes requests again, and what is still under way goes on. Does nothing if the " +
    "session does not drain.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [["ss-proxy sessions resume my-session", "after sessions drain"]],
}

export const resume = Command.make(
  "resume",
  { id: Args.text({ name: "ID" }), json: Flag.isOn(Flag.json), database: databaseOptions },
  ({ id, json, database }) =>
    Effect.gen(function* () {
      const resumed = yield* changingDatabase(database, () =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          return yield* Effect.catchTag(repo.resume(id), "SessionNotFound", () => unknownSession(id))
        }),
      )
      yield* warnOfStatus(id, resumed.status)
      yield* printResult(json ? renderJson(viewOf(resumed)) : `resumed ${describe(resumed)}`)
    }),
).pipe(Command.withDescription(resumeDoc.summary))
