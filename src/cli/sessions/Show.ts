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
} from "../Database.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { idCaseInUse, idInNames } from "../IdCase.js"
import { namesOf, sessionHostsFlags, sessionHostsOption, withoutName } from "../SessionNames.js"
import { printable } from "../../wire/PrintableText.js"
import { activityFileOf } from "../../sessions/ActivityStore.js"
import { type ActivityTimes, mergedTimes } from "../../sessions/SessionActivity.js"
import { idProblem } from "../../sessions/SessionRules.js"
import { inWords } from "../InWords.js"
import { activityInWords, activityOf, activityViewOf, idleTimeOf } from "./ActivityView.js"
import { healthInWords } from "./HealthInWords.js"
import { type Seen, seenByProxies } from "./SeenByProxies.js"
import { unknownSession, warnOfInsecure } from "./SessionCheck.js"
import { renderJson, shownPolicies, viewOf } from "./SessionView.js"

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

type Detail = readonly [name: string, value: string]

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

/** The names that it has below `--session-hosts`, or why it has none; nothing where nobody has one. `id`: as names have it. */
const nameDetails = (id: string, hosts: ReadonlyArray<string>): ReadonlyArray<Detail> => {
  if (hosts.length === 0) return []
  const names = namesOf(id, hosts)
  return [["name", names.length > 0 ? names.join(", ") : `none: ${withoutName(id, hosts)}`]]
}

const details = (session: Session, names: ReadonlyArray<Detail>, { health, times }: Seen, now: number): string => {
  const { id, url, status, created_at, updated_at } = viewOf(session)
  const problem = urlFault(session)
  const badUrl = problem === undefined ? undefined : `cannot be used: ${problem}; requests are answered with 502`
  const badStatus = isForwarding(status) ? undefined : "does not forward: requests are answered with 503"
  const badId = Option.getOrUndefined(Option.map(idProblem(id), (problem) => `never reached: ${problem}`))
  const rows: ReadonlyArray<Detail> = [
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
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join("\n")
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

export const show = Command.make(
  "show",
  {
    id: Args.text({ name: "ID" }),
    hosts: sessionHostsOption,
    json: Flag.isOn(Flag.json),
    database: databaseOptions,
  },
  ({ id, hosts, json, database }) =>
    Effect.gen(function* () {
      const { session, ...known } = yield* readingDatabase(database, (database) =>
        Effect.gen(function* () {
          const repo = yield* SessionRepo
          const found = yield* repo.find(id)
          if (Option.isNone(found)) return yield* unknownSession(id)
          const written = yield* writtenActivity(database, id)
          const { health, times: seen } = yield* seenByProxies(id, database)
          const times = written !== undefined && seen !== undefined ? mergedTimes(written, seen) : (written ?? seen)
          return { session: found.value.session, times, health }
        }),
      )
      const now = yield* Clock.currentTimeMillis
      const label = idInNames(id, yield* idCaseInUse)
      const names = namesOf(label, hosts)
      const view = { ...viewOf(session), names, ...activityViewOf(session, known.times, now), health: known.health }
      yield* printResult(json ? renderJson(view) : details(session, nameDetails(label, hosts), known, now))
      yield* warnOfInsecure([session])
    }),
).pipe(Command.withDescription(showDoc.summary))
