import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Clock, Effect, Either, Option } from "effect"
import { isForwarding, type Session } from "../../domain/Session.js"
import { drainOf, isUnusable } from "../../domain/SessionControl.js"
import { urlFault } from "../../sessions/SessionShape.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { usablePolicy } from "../../sessions/UsablePolicy.js"
import type { CommandDoc } from "../CommandDoc.js"
import {
  type Database,
  databaseFlags,
  databaseOptions,
  isAbsentFile,
  openActivity,
  readingDatabase,
  resolveDatabase,
} from "../Database.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { idCaseInUse, idInNames } from "../IdCase.js"
import { namesOf, sessionHostsFlags, sessionHostsOption } from "../SessionNames.js"
import { printable } from "../../wire/PrintableText.js"
import { activityFileOf } from "../../sessions/ActivityStore.js"
import { type ActivityTimes, mergedTimes } from "../../sessions/SessionActivity.js"
import { idProblem } from "../../sessions/SessionRules.js"
import { inWords } from "../InWords.js"
import { activityInWords, activityOf, activityViewOf, idleTimeOf } from "./ActivityView.js"
import { type Detail, nameDetails, renderDetails } from "./Details.js"
import { healthInWords } from "./HealthInWords.js"
import { type Seen, seenByProxies } from "./SeenByProxies.js"
import { unknownSession, warnOfInsecure } from "./SessionCheck.js"
import { renderJson, shownPolicies, viewOf } from "./SessionView.js"
import { type ShowChoice, showStanding } from "./ShowStanding.js"

export const showDoc: CommandDoc = {
  path: ["sessions", "show"],
  summary: "Show one session.",
  about:
    "Shows one session, when it was last active, and how its server does, as far as running proxies know it or have " +
    "recorded it. A user name and password in its URL are not shown.",
  args: [{ name: "ID", about: "The session's id." }],
  groups: [
    { title: "Options", flags: [...sessionHostsFlags, Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [["ss-proxy sessions show my-session", "where it goes, and whether it takes requests"]],
}

/** What the session wants otherwise than the proxy's settings say. */
const policyDetails = (session: Session): ReadonlyArray<Detail> =>
  Either.match(usablePolicy(session), {
    onLeft: (problem) => [["policy", `cannot be used: ${problem} (requests are answered with 502)`]],
    onRight: () => shownPolicies(session).map(({ flag, meaning }) => [flag, meaning]),
  })

/** That it drains, and until when. */
const controlDetails = ({ control }: Session, now: number): ReadonlyArray<Detail> => {
  if (isUnusable(control)) return [["control", `cannot be used: ${control.problem} (requests are answered with 502)`]]
  const drain = drainOf(control)
  if (drain === undefined) return []
  const left = drain.until - now
  const what = left > 0 ? `what is left is killed in ${inWords(left)}` : "what was left is killed"
  return [["drains", `until ${new Date(drain.until).toISOString()} (${what}; requests are answered with 503)`]]
}

/** A value, and behind it what is wrong with it. */
const withFault = (value: string, fault: string | undefined): string =>
  fault === undefined ? value : `${value} (${fault})`.trimStart()

/** When it was last active; nothing where nobody writes that down. */
const activityDetails = (session: Session, times: ActivityTimes | undefined, now: number): ReadonlyArray<Detail> => {
  if (times === undefined) return []
  const idle = idleTimeOf(session, times, now)
  return [
    ["active", activityInWords(times, now)],
    ["idle", idle === undefined ? "unknown" : inWords(idle)],
  ]
}

const details = (session: Session, names: ReadonlyArray<Detail>, { health, times }: Seen, now: number): string => {
  const { id, url, status, created_at, updated_at } = viewOf(session)
  const problem = urlFault(session)
  const badUrl = problem === undefined ? undefined : `cannot be used: ${problem}; requests are answered with 502`
  const badStatus = isForwarding(status) ? undefined : "does not forward: requests are answered with 503"
  const badId = Option.getOrUndefined(Option.map(idProblem(id), (problem) => `never reached: ${problem}`))
  return renderDetails([
    ["id", withFault(id, badId)],
    ...names,
    ["url", withFault(url, badUrl)],
    ["status", withFault(status, badStatus)],
    ...controlDetails(session, now),
    ...policyDetails(session),
    ...activityDetails(session, times, now),
    ...(health === null ? [] : [["server", healthInWords(health, now)] as const]),
    ["created", created_at === null ? "unknown" : `${created_at} UTC`],
    ["updated", updated_at === null ? "unknown" : `${updated_at} UTC`],
  ])
}

/** What is written down of its activity; `undefined` where nobody writes it down, or it cannot be read, which is said. */
const writtenActivity = (database: Database, id: string) =>
  Effect.gen(function* () {
    if (database._tag === "Sqlite" && isAbsentFile(activityFileOf(database.filename))) return undefined
    const store = yield* openActivity(database, "read")
    const found = yield* Effect.either(Effect.provide(activityOf(id), store))
    if (Either.isRight(found)) return found.right
    yield* printDiagnostic(printable(`note: its last activity is unknown: ${found.left.problem}`))
    return undefined
  })

/** Shows a session as the database has it. */
const showStored = ({ hosts, id, json }: ShowChoice, database: Database) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const found = yield* repo.find(id)
    if (Option.isNone(found)) return yield* unknownSession(id)
    const { session } = found.value
    const written = yield* writtenActivity(database, id)
    const { health, times: seen } = yield* seenByProxies(id, database)
    const times = written !== undefined && seen !== undefined ? mergedTimes(written, seen) : (written ?? seen)
    const now = yield* Clock.currentTimeMillis
    const label = idInNames(id, yield* idCaseInUse)
    const view = {
      ...viewOf(session),
      names: namesOf(label, hosts),
      ...activityViewOf(session, times, now),
      health,
    }
    yield* printResult(json ? renderJson(view) : details(session, nameDetails(label, hosts), { health, times }, now))
    yield* warnOfInsecure([session])
  })

export const show = Command.make(
  "show",
  {
    id: Args.text({ name: "ID" }),
    hosts: sessionHostsOption,
    json: Flag.isOn(Flag.json),
    database: databaseOptions,
  },
  ({ database: chosen, ...choice }) =>
    Effect.gen(function* () {
      const database = yield* resolveDatabase(chosen)
      yield* Effect.catchTag(
        readingDatabase(chosen, (database) => showStored(choice, database)),
        "StoreUnavailable",
        (fault) => (database._tag === "Postgres" ? showStanding(choice, database, fault) : fault),
      )
    }),
).pipe(Command.withDescription(showDoc.summary))
