import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { duration, onOrOff } from "../../domain/Reading.js"
import { admin, adminOption } from "../admin/Proxies.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { drainingUntil } from "../../sessions/SessionShape.js"
import type { CommandDoc } from "../CommandDoc.js"
import { changingDatabase, databaseFlags, databaseOptions, resolveDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
import { waitForDrain } from "./DrainWait.js"
import { unknownSession } from "./SessionCheck.js"
import { describe, renderJson, renderJsonLine, viewOf } from "./SessionView.js"

const defaultGrace = 30_000

const grace: Flag.Flag<number> = {
  name: "grace",
  reading: duration,
  about: "How long what is under way may take: 30s, 10m, 2h.",
  fallback: duration.show(defaultGrace),
}

const wait: Flag.Flag<boolean> = {
  name: "wait",
  reading: onOrOff,
  about: "Waits until nothing is left, and shows it falling; asks the proxies that run.",
}

const json: Flag.Flag<boolean> = {
  ...Flag.json,
  about: `${Flag.json.about} With --wait: first the session, then what is left, a line each.`,
}

export const drainDoc: CommandDoc = {
  path: ["sessions", "drain"],
  summary: "Let a session finish what is under way, and take nothing new.",
  about:
    "Lets a session finish what is under way. New requests get 503, with the time that is left as Retry-After. When " +
    "the time is over, what is left is killed: streams are cut, WebSockets are closed with 1001. Requests get 503 " +
    'until "sessions resume". This applies to every proxy on this database. The status does not change.',
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [grace, wait, json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions drain my-session", "nothing new; what is under way has 30 seconds"],
    ["ss-proxy sessions drain my-session --grace 10m", "or ten minutes"],
    ["ss-proxy sessions drain my-session --wait && stop-its-server", "its server may go when nothing is left"],
  ],
}

export const drain = Command.make(
  "drain",
  {
    id: Args.text({ name: "ID" }),
    grace: Flag.optionOr(grace, defaultGrace),
    wait: Flag.isOn(wait),
    json: Flag.isOn(json),
    admin: adminOption,
    database: databaseOptions,
  },
  ({ admin, grace, id, json, wait, ...choice }) =>
    Effect.gen(function* () {
      const draining = yield* changingDatabase(choice.database, () =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          return yield* Effect.catchTag(repo.drain(id, grace), "SessionNotFound", () => unknownSession(id))
        }),
      )
      const text = json
        ? (wait ? renderJsonLine : renderJson)(viewOf(draining))
        : `draining until ${drainingUntil(draining) ?? "now"}: ${describe(draining)}`
      yield* printResult(text)
      if (!wait) return
      yield* Effect.scoped(waitForDrain(id, admin, yield* resolveDatabase(choice.database), json))
      if (!json) yield* printResult(printable(`nothing is left on ${id}`))
    }),
).pipe(Command.withDescription(drainDoc.summary))
