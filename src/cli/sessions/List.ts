import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { count, duration, oneOf, onOrOff, text } from "../../domain/Reading.js"
import { type SessionQuery, SessionRepo } from "../../sessions/SessionRepo.js"
import { policyColumns } from "../../transfer/SessionFields.js"
import { printable } from "../../wire/PrintableText.js"
import { admin, adminOption, neededProxies } from "../admin/Proxies.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type Database, databaseFlags, databaseOptions, isAbsent, readingDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { inWords } from "../InWords.js"
import { printDiagnostic } from "../Output.js"
import { databaseFlag, programName } from "../ProgramName.js"
import { activityFields } from "./ActivityView.js"
import { everything, idleFilter, liveFilter } from "./ListFilter.js"
import { jsonPrinter, type ListPrinter, tablePrinter } from "./ListPrinter.js"
import { liveNow } from "./LiveNow.js"
import { InsecureSessions } from "./SessionCheck.js"

const status: Flag.Flag<string> = { ...Flag.status, about: "Lists only the sessions of this status." }

const idleFor: Flag.Flag<number> = {
  name: "idle-for",
  reading: duration,
  about: "Lists only those that were not active for this long: 30m, 12h, 7d.",
}

const live: Flag.Flag<boolean> = {
  name: "live",
  reading: onOrOff,
  about: "Lists only those on which something is live, with REQ/S, WS and IDLE; asks the proxies that run.",
}

const prefix: Flag.Flag<string> = {
  name: "prefix",
  reading: text("TEXT"),
  about: "Lists only those whose id begins with this.",
}

const sort: Flag.Flag<SessionQuery["sort"]> = {
  name: "sort",
  reading: oneOf("BY", ["id", "created", "updated"]),
  about: "By id, or the latest first: created or updated.",
  fallback: "id",
}

const limit: Flag.Flag<number> = {
  name: "limit",
  reading: count,
  about: "Lists at most this many; 0 lists all.",
  fallback: "0",
}

export const listDoc: CommandDoc = {
  path: ["sessions", "list"],
  summary: "List the sessions.",
  about:
    "Lists the sessions, ordered by id, or the latest first. User names and passwords in URLs are not shown. With " +
    "--idle-for: sessions that nobody has used for that time, as far as proxies have recorded it (docs/DATABASE.md); " +
    "a new session counts from when it was added.",
  args: [],
  groups: [
    { title: "Options", flags: [status, prefix, idleFor, live, sort, limit, Flag.json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions list", "all of them, as a table"],
    [
      "ss-proxy sessions list --status active --json",
      `for a program: id, url, status, forwards, ${policyColumns.join(", ")}, created_at, updated_at, draining_until`,
    ],
    ["ss-proxy sessions list --prefix team-a/ --sort updated --limit 20", "those that changed last"],
    ["ss-proxy sessions list --live --idle-for 30m", "sessions with an open connection on which nothing happens"],
    ["ss-proxy sessions list --idle-for 30m --json", `the same, and ${activityFields}`],
  ],
}

const whatToDoAboutNone = (database: Database, conditions: ReadonlyArray<string>): string =>
  conditions.length === 0
    ? `no sessions in ${database.shown}${isAbsent(database) ? ", which does not exist yet" : ""}; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(database)}`
    : `no sessions ${conditions.join(" and ")} in ${database.shown}`

/** What sessions were asked for by, as phrases behind "sessions". */
const conditionsOf = ({
  status,
  prefix,
  idleFor,
  live,
}: Pick<ListChoice, "status" | "prefix" | "idleFor" | "live">): ReadonlyArray<string> => [
  ...(live ? ["on which something is live"] : []),
  ...Option.toArray(Option.map(status, (status) => `with the status ${JSON.stringify(status)}`)),
  ...(prefix === "" ? [] : [`whose id begins with ${JSON.stringify(prefix)}`]),
  ...Option.toArray(Option.map(idleFor, (time) => `idle for ${inWords(time)}`)),
]

interface ListChoice {
  readonly prefix: string
  readonly sort: SessionQuery["sort"]
  readonly status: Option.Option<string>
  readonly idleFor: Option.Option<number>
  /** Only those on which something is live. */
  readonly live: boolean
  readonly admin: Option.Option<string>
  /** Infinite for all. */
  readonly limit: number
}

/** Prints what was asked for, page by page; how many that were, and which of them are insecure. */
const printList = (database: Database, choice: ListChoice, printer: ListPrinter) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const insecure = new InsecureSessions()
    const ofIdle = yield* Option.match(choice.idleFor, {
      onNone: () => Effect.succeed(everything),
      onSome: (milliseconds) => idleFilter(database, milliseconds),
    })
    const filter = choice.live
      ? liveFilter(ofIdle, yield* liveNow(yield* neededProxies(choice.admin, database), choice.prefix))
      : ofIdle
    let printed = 0
    yield* repo.forEachPage({ prefix: choice.prefix, sort: choice.sort }, (page) =>
      Effect.gen(function* () {
        const ofStatus = page.filter(({ status }) => Option.isNone(choice.status) || status === choice.status.value)
        const listed = (ofStatus.length === 0 ? [] : yield* filter(ofStatus)).slice(0, choice.limit - printed)
        for (const { session } of listed) insecure.add(session)
        printed += listed.length
        if (listed.length > 0) yield* printer.part(listed)
        return printed < choice.limit
      }),
    )
    yield* printer.end
    return { printed, insecure }
  }).pipe(Effect.scoped)

export const list = Command.make(
  "list",
  {
    status: Flag.words(status),
    prefix: Flag.optionOr(prefix, ""),
    idleFor: Flag.option(idleFor),
    live: Flag.isOn(live),
    admin: adminOption,
    sort: Flag.optionOr(sort, "id"),
    limit: Flag.optionOr(limit, 0),
    json: Flag.isOn(Flag.json),
    database: databaseOptions,
  },
  ({ json, ...choice }) =>
    readingDatabase(choice.database, (database) =>
      Effect.gen(function* () {
        const limit = choice.limit === 0 ? Number.POSITIVE_INFINITY : choice.limit
        const { printed, insecure } = yield* printList(
          database,
          { ...choice, limit },
          json ? jsonPrinter() : tablePrinter(),
        )
        if (printed === 0) return yield* printDiagnostic(printable(whatToDoAboutNone(database, conditionsOf(choice))))
        yield* insecure.warning
      }),
    ),
).pipe(Command.withDescription(listDoc.summary))
