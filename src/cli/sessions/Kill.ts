import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { closeCode, closeReason } from "../../domain/Reading.js"
import { defaultClose } from "../../domain/SessionControl.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { changingDatabase, databaseFlags, databaseOptions } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { unknownSession } from "./SessionCheck.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

const code: Flag.Flag<number> = {
  name: "code",
  reading: closeCode,
  about: `Closes WebSockets with this code: ${closeCode.allowed}.`,
  fallback: String(defaultClose.code),
}

const reason: Flag.Flag<string> = {
  name: "reason",
  reading: closeReason,
  about: "Closes WebSockets with this reason, of at most 100 bytes.",
  fallback: defaultClose.reason,
}

export const killDoc: CommandDoc = {
  path: ["sessions", "kill"],
  summary: "End what is live on a session.",
  about:
    "Ends what is live on a session within a second, on every proxy on this database: streams are cut, WebSockets are " +
    "closed, and what has no answer yet is answered with 503. The session stays, and takes the next request.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [code, reason, Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions kill my-session", "its WebSockets are closed with 1001"],
    ['ss-proxy sessions kill my-session --code 4001 --reason "signed out"', "or as its clients understand"],
  ],
}

export const kill = Command.make(
  "kill",
  {
    id: Args.text({ name: "ID" }),
    code: Flag.option(code),
    reason: Flag.option(reason),
    json: Flag.isOn(Flag.json),
    database: databaseOptions,
  },
  ({ id, code, reason, json, database }) =>
    Effect.gen(function* () {
      const close = {
        ...(Option.isSome(code) && { code: code.value }),
        ...(Option.isSome(reason) && { reason: reason.value }),
      }
      const killed = yield* changingDatabase(database, () =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          return yield* Effect.catchTag(repo.kill(id, close), "SessionNotFound", () => unknownSession(id))
        }),
      )
      yield* printResult(json ? renderJson(viewOf(killed)) : `killed what was live on ${describe(killed)}`)
    }),
).pipe(Command.withDescription(killDoc.summary))
