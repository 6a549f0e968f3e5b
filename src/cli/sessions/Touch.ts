import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Clock, Effect, Option } from "effect"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { neverActive, type StoredActivity } from "../../sessions/SessionActivity.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, openActivity, readingDatabase } from "../Database.js"
import { printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
import { unknownSession } from "./SessionCheck.js"

export const touchDoc: CommandDoc = {
  path: ["sessions", "touch"],
  summary: "Count sessions as active now.",
  about:
    "Counts sessions as active now, as if a client had sent something: for what is in use otherwise than through the " +
    "proxy. If one of the ids is not there, none is touched.",
  args: [{ name: "ID", about: "The ids of the sessions.", repeated: true }],
  groups: [{ title: "Database", flags: databaseFlags }],
  examples: [["ss-proxy sessions touch my-session", "it is idle for 0 seconds"]],
}

const touched =
  (now: number) =>
  (sessionId: string): StoredActivity => ({ ...neverActive, sessionId, lastClientAt: now, lastKind: "touch" })

export const touch = Command.make(
  "touch",
  { ids: Args.repeated(Args.text({ name: "ID" })), database: databaseOptions },
  ({ ids, ...choice }) =>
    Effect.gen(function* () {
      const all = [...new Set(ids)]
      yield* readingDatabase(choice.database, (database) =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          for (const id of all) if (Option.isNone(yield* repo.find(id))) return yield* unknownSession(id)
          const rows = all.map(touched(yield* Clock.currentTimeMillis))
          const store = yield* openActivity(database, "make")
          yield* Effect.provide(
            Effect.flatMap(ActivityStore, ({ write }) => write(rows)),
            store,
          )
        }),
      )
      yield* printResult(all.map((id) => printable(`touched ${id}`)).join("\n"))
    }),
).pipe(Command.withDescription(touchDoc.summary))
