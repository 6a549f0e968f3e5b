import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, readingDatabase } from "../Database.js"
import { printDiagnostic, printResult } from "../Output.js"
import { backupOf, renderJson } from "./SessionView.js"

export const exportDoc: CommandDoc = {
  path: ["sessions", "export"],
  summary: "Print every session as JSON, for import.",
  about:
    'Prints every session as one JSON array, with the fields of "sessions list --json". Unlike there, user names and ' +
    "passwords in URLs are included, so that import brings back what was there: keep the file safe.",
  args: [],
  groups: [{ title: "Database", flags: databaseFlags }],
  examples: [["ss-proxy sessions export > sessions.json", "a copy of all sessions"]],
}

export const exportAll = Command.make("export", { database: databaseOptions }, ({ database }) =>
  Effect.gen(function* () {
    const sessions = yield* readingDatabase(database, () => Effect.flatMap(SessionRepo, (repo) => repo.list))
    const secrets = sessions.filter((session) => redactUrl(session.url) !== session.url).length
    if (secrets > 0) yield* printDiagnostic(`note: ${secrets} of the URLs hold a user name or password; keep this safe`)
    yield* printResult(renderJson(sessions.map(backupOf)))
  }),
).pipe(Command.withDescription(exportDoc.summary))
