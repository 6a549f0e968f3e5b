import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { AddressGuard } from "../../downstream/AddressGuard.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, changingDatabase } from "../Database.js"
import { addressFlags, addressOptions } from "../DownstreamChoice.js"
import { UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { policyChangeFlags, policyChanges } from "./PolicyChoice.js"
import { refuse, unknownSession, urlHint, warnOfInsecure, warnOfPolicy, warnOfStatus } from "./SessionCheck.js"
import { urlProblem } from "../../transfer/UrlProblem.js"
import { describe, renderJson, viewOf } from "./SessionView.js"

export const setDoc: CommandDoc = {
  path: ["sessions", "set"],
  summary: "Change a session's URL, status or policies.",
  about:
    "Changes what is given of a session and leaves the rest. A new URL, --insecure and --no-insecure end what is live: " +
    "streams are cut, WebSockets are closed with 1012. A new status or another policy only decides about new requests. " +
    "The word default takes a policy back: then the proxy's own flag holds for the session again.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [Flag.url, Flag.status, ...policyChangeFlags, Flag.json] },
    { title: "Addresses", flags: addressFlags },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions set my-session --url http://10.0.0.8:9000", "moves it to another server"],
    ["ss-proxy sessions set my-session --status paused", "new requests are answered with 503"],
    ["ss-proxy sessions set my-session --ws-path strip", "its server knows nothing about sessions"],
    ["ss-proxy sessions set my-session --ws-path default --timeout default", "back to the proxy's own settings"],
    ["ss-proxy sessions set my-session --set-fields @token.json", "a token for its server, which no client sees"],
  ],
}

export const set = Command.make(
  "set",
  {
    id: Args.text({ name: "ID" }),
    url: Flag.words(Flag.url),
    status: Flag.words(Flag.status),
    policy: policyChanges,
    json: Flag.isOn(Flag.json),
    addresses: addressOptions,
    database: databaseOptions,
  },
  ({ id, url, status, policy, json, addresses, database }) =>
    Effect.gen(function* () {
      if (Option.isNone(url) && Option.isNone(status) && Object.keys(policy).length === 0)
        return yield* new UsageError({
          message: "sessions set needs something to change, such as --url",
          hint: "see ss-proxy sessions set --help",
        })
      const guard = new AddressGuard(addresses)
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
      yield* warnOfPolicy(changed)
      yield* printResult(json ? renderJson(viewOf(changed)) : `changed ${describe(changed)}`)
    }),
).pipe(Command.withDescription(setDoc.summary))
