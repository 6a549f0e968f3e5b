import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { closeCode, closeReason, text } from "../../domain/Reading.js"
import { defaultClose } from "../../domain/SessionControl.js"
import type { AdminCalls } from "../admin/AdminClient.js"
import { admin, adminOption, callFailed, isNotFound, neededProxies } from "../admin/Proxies.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { changingDatabase, type DatabaseChoice, databaseFlags, databaseOptions, resolveDatabase } from "../Database.js"
import { CommandFailed, UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
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

const live: Flag.Flag<string> = {
  name: "live",
  reading: text("LIVE"),
  about:
    "Closes only one request, stream or WebSocket, by the id that GET /v1/live and top show. Needs a running proxy.",
}

export const killDoc: CommandDoc = {
  path: ["sessions", "kill"],
  summary: "Close what is live on a session.",
  about:
    "Closes what is live on a session within a second, on every proxy on this database: streams are cut, WebSockets " +
    "are closed, and requests without an answer get 503. The session stays, and takes the next request.",
  args: [{ name: "ID", about: "The session's id; none with --live.", optional: true }],
  groups: [
    { title: "Options", flags: [live, code, reason, Flag.json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions kill my-session", "its WebSockets are closed with 1001"],
    ['ss-proxy sessions kill my-session --code 4001 --reason "signed out"', "with a code that its clients understand"],
    ["ss-proxy sessions kill --live 1f2e3d4c-5a", "one WebSocket, request or stream"],
  ],
}

interface Close {
  readonly code?: number
  readonly reason?: string
}

/** Ends all that is live on a session, on every proxy. */
const killSession = (id: string, close: Close, choice: DatabaseChoice, json: boolean) =>
  Effect.gen(function* () {
    const killed = yield* changingDatabase(choice, () =>
      Effect.gen(function* () {
        const repo = yield* SessionRepo
        return yield* Effect.catchTag(repo.kill(id, close), "SessionNotFound", () => unknownSession(id))
      }),
    )
    yield* printResult(json ? renderJson(viewOf(killed)) : `killed what was live on ${describe(killed)}`)
  })

/** Ends one live thing, in whichever proxy it is. */
const killLive = (live: string, close: Close, proxies: ReadonlyArray<AdminCalls>, json: boolean) =>
  Effect.gen(function* () {
    const payload = Object.keys(close).length === 0 ? null : close
    const ended = yield* Effect.forEach(proxies, (calls) =>
      calls.live.end({ path: { live }, payload }).pipe(
        Effect.as(true),
        Effect.catchAll((error) => (isNotFound(error) ? Effect.succeed(false) : callFailed(error))),
      ),
    )
    if (!ended.includes(true))
      return yield* new CommandFailed({
        code: "live_not_found",
        problem: `nothing with the id ${JSON.stringify(live)} is under way`,
        hint: "it has ended, or its proxy has; GET /v1/live and top show what is live",
      })
    yield* printResult(json ? renderJson({ live, ended: true }) : printable(`ended ${live}`))
  })

export const kill = Command.make(
  "kill",
  {
    id: Args.optional(Args.text({ name: "ID" })),
    live: Flag.option(live),
    code: Flag.option(code),
    reason: Flag.option(reason),
    json: Flag.isOn(Flag.json),
    admin: adminOption,
    database: databaseOptions,
  },
  ({ admin, code, database, id, json, live, reason }) =>
    Effect.gen(function* () {
      const close = {
        ...(Option.isSome(code) && { code: code.value }),
        ...(Option.isSome(reason) && { reason: reason.value }),
      }
      if (Option.isSome(id) === Option.isSome(live))
        return yield* new UsageError({ message: "sessions kill needs either the id of a session, or --live LIVE" })
      if (Option.isSome(id)) return yield* killSession(id.value, close, database, json)
      if (Option.isSome(live))
        yield* killLive(live.value, close, yield* neededProxies(admin, yield* resolveDatabase(database)), json)
    }),
).pipe(Command.withDescription(killDoc.summary))
