import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Clock, Effect, Option } from "effect"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { neverActive, type StoredActivity } from "../../sessions/SessionActivity.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, openActivity, readingDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
import { unknownSession } from "./SessionCheck.js"
import { renderJson } from "./SessionView.js"

export const touchDoc: CommandDoc = {
  path: ["sessions", "touch"],
  summary: "Mark sessions as active now.",
  about:
    "Marks sessions as active now, as if a client had sent something: for sessions that are used in ways that the " +
    "proxy does not see. If one of the ids does not exist, none is marked.",
  args: [{ name: "ID", about: "The ids of the sessions.", repeated: true }],
  groups: [
    { title: "Options", flags: [Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions touch my-session", "it is idle for 0 seconds"],
    ["ss-proxy sessions touch one other --json", "several, for a program: id and touched_at of each"],
  ],
}

const touched =
  (now: number) =>
  (sessionId: string): StoredActivity => ({ ...neverActive, sessionId, lastClientAt: now, lastKind: "touch" })

export const touch = Command.make(
  "touch",
  { ids: Args.repeated(Args.text({ name: "ID" })), json: Flag.isOn(Flag.json), database: databaseOptions },
  ({ ids, json, ...choice }) =>
    Effect.gen(function* () {
      const all = [...new Set(ids)]
      const now = yield* Clock.currentTimeMillis
      yield* readingDatabase(choice.database, (database) =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          for (const id of all) if (Option.isNone(yield* repo.find(id))) return yield* unknownSession(id)
          const rows = all.map(touched(now))
          const store = yield* openActivity(database, "make")
          yield* Effect.provide(
            Effect.flatMap(ActivityStore, ({ write }) => write(rows)),
            store,
          )
        }),
      )
      const at = new Date(now).toISOString()
      yield* printResult(
        json
          ? renderJson(all.map((id) => ({ id, touched_at: at })))
          : all.map((id) => printable(`touched ${id}`)).join("\n"),
      )
    }),
).pipe(Command.withDescription(touchDoc.summary))
