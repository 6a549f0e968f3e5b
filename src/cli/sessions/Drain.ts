import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { duration } from "../../domain/Reading.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { drainingUntil } from "../../sessions/SessionShape.js"
import type { CommandDoc } from "../CommandDoc.js"
import { changingDatabase, databaseFlags, databaseOptions } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { unknownSession } from "./SessionCheck.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

const defaultGrace = 30_000

const grace: Flag.Flag<number> = {
  name: "grace",
  reading: duration,
  about: "How long what is under way may take: 30s, 10m, 2h.",
  fallback: duration.show(defaultGrace),
}

export const drainDoc: CommandDoc = {
  path: ["sessions", "drain"],
  summary: "Let a session finish what is under way, and take nothing new.",
  about:
    "Lets a session finish what is under way. New requests are answered with 503, and Retry-After is the time that is " +
    'left. When that is over, what is left is killed: streams are cut, WebSockets are closed with 1001. Then 503, until "sessions resume". ' +
    "Holds on every proxy on this database. The status stays as it is.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [grace, Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions drain my-session", "nothing new; what is under way has 30 seconds"],
    ["ss-proxy sessions drain my-session --grace 10m", "or ten minutes"],
  ],
}

export const drain = Command.make(
  "drain",
  {
    id: Args.text({ name: "ID" }),
    grace: Flag.optionOr(grace, defaultGrace),
    json: Flag.isOn(Flag.json),
    database: databaseOptions,
  },
  ({ id, grace, json, database }) =>
    Effect.gen(function* () {
      const draining = yield* changingDatabase(database, () =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          return yield* Effect.catchTag(repo.drain(id, grace), "SessionNotFound", () => unknownSession(id))
        }),
      )
      yield* printResult(
        json
          ? renderJson(viewOf(draining))
          : `draining until ${drainingUntil(draining) ?? "now"}: ${describe(draining)}`,
      )
    }),
).pipe(Command.withDescription(drainDoc.summary))
