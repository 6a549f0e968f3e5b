import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, changingDatabase } from "../Database.js"
import { addressFlags, resolveGuard } from "../DownstreamChoice.js"
import { UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { onOrOff, setting } from "../Setting.js"
import { refuse, unknownSession, urlHint, urlProblem, warnOfStatus } from "./SessionCheck.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

export const setDoc: CommandDoc = {
  path: ["sessions", "set"],
  summary: "Change a session's URL or status.",
  about:
    "Changes the URL or the status of a session. A new URL ends what is live on the old one: streams are cut, " +
    "WebSockets are closed with 1012. A new status only decides about new requests.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [Flag.url, Flag.status, Flag.json] },
    { title: "Addresses", flags: [Flag.denyDownstream, Flag.allowDownstream] },
    { title: "Database", flags: [Flag.dbPath, Flag.db] },
  ],
  examples: [
    ["ss-proxy sessions set my-session --url http://10.0.0.8:9000", "moves it to another server"],
    ["ss-proxy sessions set my-session --status paused", "new requests are answered with 503"],
  ],
}

export const set = Command.make(
  "set",
  {
    id: Args.text({ name: "ID" }),
    url: Flag.option(Flag.url),
    status: Flag.option(Flag.status),
    json: Flag.option(Flag.json),
    addresses: addressFlags,
    database: databaseFlags,
  },
  ({ id, url, status, addresses, database, ...flags }) =>
    Effect.gen(function* () {
      const json = yield* setting(Flag.json, flags.json, onOrOff, false)
      if (Option.isNone(url) && Option.isNone(status))
        return yield* new UsageError({
          message: "sessions set needs --url or --status; see ss-proxy sessions set --help",
        })
      const guard = yield* resolveGuard(addresses)
      yield* refuse(
        Option.flatMap(url, (url) => urlProblem(url, guard)),
        urlHint,
      )
      const change = {
        ...(Option.isSome(url) && { url: url.value }),
        ...(Option.isSome(status) && { status: status.value }),
      }
      const changed = yield* changingDatabase(database, () =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          return yield* Effect.catchTag(repo.set(id, change), "SessionNotFound", () => unknownSession(id))
        }),
      )
      yield* warnOfStatus(id, changed.status)
      yield* printResult(json ? renderJson(viewOf(changed)) : `changed ${describe(changed)}`)
    }),
).pipe(Command.withDescription(setDoc.summary))
