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
import { policyFlags, resolvePolicy } from "./PolicyChoice.js"
import { refuse, unknownSession, urlHint, urlProblem, warnOfInsecure, warnOfStatus } from "./SessionCheck.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

const wsPath: Flag.Flag = { ...Flag.sessionWsPath, about: `${Flag.sessionWsPath.about} default takes it back.` }

export const setDoc: CommandDoc = {
  path: ["sessions", "set"],
  summary: "Change a session's URL, status or policies.",
  about:
    "Changes what is given of a session and leaves the rest. A new URL, --insecure and --no-insecure end what is live: " +
    "streams are cut, WebSockets are closed with 1012. A new status or --ws-path only decides about new requests.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [Flag.url, Flag.status, Flag.insecure, Flag.noInsecure, wsPath, Flag.json] },
    { title: "Addresses", flags: [Flag.denyDownstream, Flag.allowDownstream] },
    { title: "Database", flags: [Flag.dbPath, Flag.db] },
  ],
  examples: [
    ["ss-proxy sessions set my-session --url http://10.0.0.8:9000", "moves it to another server"],
    ["ss-proxy sessions set my-session --status paused", "new requests are answered with 503"],
    ["ss-proxy sessions set my-session --ws-path strip", "its server knows of no session"],
  ],
}

export const set = Command.make(
  "set",
  {
    id: Args.text({ name: "ID" }),
    url: Flag.option(Flag.url),
    status: Flag.option(Flag.status),
    policy: { ...policyFlags, noInsecure: Flag.option(Flag.noInsecure) },
    json: Flag.option(Flag.json),
    addresses: addressFlags,
    database: databaseFlags,
  },
  ({ id, url, status, addresses, database, ...flags }) =>
    Effect.gen(function* () {
      const json = yield* setting(Flag.json, flags.json, onOrOff, false)
      const policy = yield* resolvePolicy(flags.policy)
      if (Option.isNone(url) && Option.isNone(status) && Object.keys(policy).length === 0)
        return yield* new UsageError({
          message: "sessions set needs something to change, such as --url; see ss-proxy sessions set --help",
        })
      const guard = yield* resolveGuard(addresses)
      yield* refuse(
        Option.flatMap(url, (url) => urlProblem(url, guard)),
        urlHint,
      )
      const change = {
        ...(Option.isSome(url) && { url: url.value }),
        ...(Option.isSome(status) && { status: status.value }),
        policy,
      }
      const changed = yield* changingDatabase(database, () =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          return yield* Effect.catchTag(repo.set(id, change), "SessionNotFound", () => unknownSession(id))
        }),
      )
      yield* warnOfStatus(id, changed.status)
      yield* warnOfInsecure([changed])
      yield* printResult(json ? renderJson(viewOf(changed)) : `changed ${describe(changed)}`)
    }),
).pipe(Command.withDescription(setDoc.summary))
