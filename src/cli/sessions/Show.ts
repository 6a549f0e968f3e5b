import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Either, Option } from "effect"
import { isForwarding, type Session } from "../../domain/Session.js"
import { readPolicy } from "../../domain/SessionPolicy.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, readingDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
import { idProblem } from "../../sessions/SessionRules.js"
import { unknownSession, warnOfInsecure } from "./SessionCheck.js"
import { renderJson, shownPolicies, urlFault, viewOf } from "./SessionView.js"

export const showDoc: CommandDoc = {
  path: ["sessions", "show"],
  summary: "Show one session.",
  about: "Shows one session. A user name and password in its URL are not shown.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [["ss-proxy sessions show my-session", "where it goes, and whether it takes requests"]],
}

type Detail = readonly [name: string, value: string]

/** What the session wants otherwise than the proxy's settings say. */
const policyDetails = (session: Session): ReadonlyArray<Detail> =>
  Either.match(readPolicy(session.policy), {
    onLeft: (problem) => [["policy", `cannot be used: ${problem} (requests are answered with 502)`]],
    onRight: () => shownPolicies(session).map(({ flag, meaning }) => [flag, meaning]),
  })

/** A value, and behind it what is wrong with it. */
const withFault = (value: string, fault: string | undefined): string =>
  fault === undefined ? value : `${value} (${fault})`.trimStart()

const details = (session: Session): string => {
  const { id, url, status, created_at, updated_at } = viewOf(session)
  const problem = urlFault(session)
  const badUrl = problem === undefined ? undefined : `cannot be used: ${problem}; requests are answered with 502`
  const badStatus = isForwarding(status) ? undefined : "does not forward: requests are answered with 503"
  const badId = Option.getOrUndefined(Option.map(idProblem(id), (problem) => `never reached: ${problem}`))
  const rows: ReadonlyArray<Detail> = [
    ["id", withFault(id, badId)],
    ["url", withFault(url, badUrl)],
    ["status", withFault(status, badStatus)],
    ...policyDetails(session),
    ["created", created_at === null ? "unknown" : `${created_at} UTC`],
    ["updated", updated_at === null ? "unknown" : `${updated_at} UTC`],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join("\n")
}

export const show = Command.make(
  "show",
  { id: Args.text({ name: "ID" }), json: Flag.isOn(Flag.json), database: databaseOptions },
  ({ id, json, database }) =>
    Effect.gen(function* () {
      const session = yield* readingDatabase(database, () =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          const found = yield* repo.find(id)
          return Option.isSome(found) ? found.value.session : yield* unknownSession(id)
        }),
      )
      yield* printResult(json ? renderJson(viewOf(session)) : details(session))
      yield* warnOfInsecure([session])
    }),
).pipe(Command.withDescription(showDoc.summary))
