import * as Command from "@effect/cli/Command"
import { Clock, Context, Effect, Layer, Option, type Scope } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { count, duration, oneOf, onOrOff, text } from "../../domain/Reading.js"
import { isForwarding, type Session } from "../../domain/Session.js"
import { urlFault } from "../../sessions/SessionShape.js"
import { drainOf, isUnusable } from "../../domain/SessionControl.js"
import { ActivityStore } from "../../sessions/ActivityStore.js"
import { type SessionQuery, SessionRepo } from "../../sessions/SessionRepo.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import { admin, adminOption, neededProxies } from "../admin/Proxies.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type Database, databaseFlags, databaseOptions, isAbsent, openActivity, readingDatabase } from "../Database.js"
import { CommandFailed } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printPiece } from "../Output.js"
import { databaseFlag, programName } from "../ProgramName.js"
import { printable } from "../../wire/PrintableText.js"
import { type Style, styleOf } from "../Style.js"
import { type Column, renderTable, Table, terminalWidth } from "../Table.js"
import { numberText, rateText } from "../top/Figures.js"
import { neverActive } from "../../sessions/SessionActivity.js"
import { activityFields, activityViewOf, idleTimeOf, inWords } from "./ActivityView.js"
import { type LiveNow, liveNow, noneLive } from "./LiveNow.js"
import { InsecureSessions } from "./SessionCheck.js"
import { policyColumns } from "../../transfer/SessionFields.js"
import { policyWords, viewOf } from "./SessionView.js"
import { JsonArray } from "./SessionWriter.js"

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
  about: "Lists so many at most; 0 lists all.",
  fallback: "0",
}

export const listDoc: CommandDoc = {
  path: ["sessions", "list"],
  summary: "List the sessions.",
  about:
    "Lists the sessions, ordered by id, or the latest first. User names and passwords in URLs are not shown. With --idle-for: those that are " +
    "in nobody's use, as far as proxies have written it down (docs/DATABASE.md); a new session counts from when it was added.",
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
    ["ss-proxy sessions list --live --idle-for 30m", "those that hold a connection and do nothing"],
    ["ss-proxy sessions list --idle-for 30m --json", `the same, and ${activityFields}`],
  ],
}

/** What sessions want otherwise than the proxy's settings say. */
const policyColumn = (sessions: ReadonlyArray<Session>, style: Style): Column => ({
  title: "POLICY",
  cells: sessions.map((session) => policyWords(session).join(", ")),
  colour: (cell) => (cell.includes("insecure") ? style.red : style.cyan),
})

const drainCell = ({ control }: Session, now: number): string => {
  if (isUnusable(control)) return "(cannot be used)"
  const drain = drainOf(control)
  if (drain === undefined) return ""
  return drain.until > now ? `for ${inWords(drain.until - now)}` : "over"
}

/** For how long sessions still drain. */
const drainColumn = (sessions: ReadonlyArray<Session>, style: Style): Column => {
  const now = Date.now()
  return { title: "DRAINS", cells: sessions.map((session) => drainCell(session, now)), colour: () => style.yellow }
}

/** The column, unless it is empty and may be left out. */
const unlessEmpty = (column: Column, isNeeded: boolean): ReadonlyArray<Column> =>
  isNeeded || column.cells.some((cell) => cell !== "") ? [column] : []

const plain = (text: string): string => text

const unusable = " (cannot be used)"

const urlCell = (session: Session): string => redactUrl(session.url) + (urlFault(session) === undefined ? "" : unusable)

/** A session of the list. */
interface Listed {
  readonly session: Session
  /** Milliseconds that it has been idle; `undefined` where that was not asked. */
  readonly idle: number | undefined
  /** What is live on it; `undefined` where that was not asked. */
  readonly live: LiveNow | undefined
  /** What is printed of it as JSON. */
  readonly view: object
}

/** How much is live. `withIdle`: also for how long each has been idle. */
const liveColumns = (live: ReadonlyArray<LiveNow | undefined>, withIdle: boolean): ReadonlyArray<Column> => {
  const column = (title: string, cell: (now: LiveNow) => string): Column => ({
    title,
    cells: live.map((now) => (now === undefined ? "-" : cell(now))),
  })
  const idle = column("IDLE", (now) => (now.idle_seconds === null ? "-" : inWords(now.idle_seconds * 1_000)))
  return [
    column("REQ/S", (now) => rateText(now.requests_per_second ?? undefined)),
    column("WS", (now) => numberText(now.websockets)),
    ...(withIdle ? [idle] : []),
  ]
}

/** The columns of these sessions. `withAll`: also those that are empty. */
const columnsOf = (
  listed: ReadonlyArray<Omit<Listed, "view">>,
  style: Style,
  withAll: boolean,
): ReadonlyArray<Column> => {
  const sessions = listed.map(({ session }) => session)
  const isIdle = listed.some(({ idle }) => idle !== undefined)
  const isLive = listed.some(({ live }) => live !== undefined)
  return [
    { title: "ID", cells: sessions.map((session) => session.id) },
    {
      title: "STATUS",
      cells: sessions.map((session) => session.status),
      colour: (cell) => (isForwarding(cell) ? style.green : style.yellow),
    },
    ...unlessEmpty(drainColumn(sessions, style), withAll),
    ...(isLive
      ? liveColumns(
          listed.map(({ live }) => live),
          !isIdle,
        )
      : []),
    ...(isIdle ? [{ title: "IDLE", cells: listed.map(({ idle = 0 }) => inWords(idle)) }] : []),
    ...unlessEmpty(policyColumn(sessions, style), withAll),
    {
      title: "URL",
      cells: sessions.map(urlCell),
      colour: (cell) => (cell.endsWith(unusable) ? style.yellow : plain),
    },
    { title: "UPDATED", cells: sessions.map((session) => session.updatedAt ?? "-"), colour: () => style.dim },
  ]
}

/** The sessions as a table; cut to the width of a terminal. */
export const sessionTable = (sessions: ReadonlyArray<Session>, style: Style, lineWidth: number | undefined): string =>
  renderTable(
    columnsOf(
      sessions.map((session) => ({ session, idle: undefined, live: undefined })),
      style,
      false,
    ),
    style,
    lineWidth,
  )

const whatToDoAboutNone = (filename: string, conditions: ReadonlyArray<string>): string =>
  conditions.length === 0
    ? `no sessions in ${filename}${isAbsent(filename) ? ", which does not exist yet" : ""}; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(filename)}`
    : `no sessions ${conditions.join(" and ")} in ${filename}`

const nobodyKnows = ({ problem }: StoreUnavailable): CommandFailed =>
  new CommandFailed({
    problem: `nobody knows which sessions are idle: ${problem}`,
    hint: "a proxy writes it down while it runs, unless its --activity-interval is 0",
  })

/** Leaves of a page those that have been idle for so long. Without what is known of activity none may be taken for idle. */
type Filter = (sessions: ReadonlyArray<Session>) => Effect.Effect<ReadonlyArray<Listed>, CommandFailed>

/** Everything, as it is. */
const everything: Filter = (sessions) =>
  Effect.succeed(sessions.map((session) => ({ session, idle: undefined, live: undefined, view: viewOf(session) })))

/** Those that have been idle for so many milliseconds. The file of activity is opened when the first page comes. */
const idleFilter = (database: Database, milliseconds: number): Effect.Effect<Filter, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const open = Effect.flatMap(openActivity(database, "read"), Layer.buildWithScope(scope))
    const opened = yield* Effect.cached(Effect.map(open, Context.get(ActivityStore)))
    const now = yield* Clock.currentTimeMillis
    const find = (sessions: ReadonlyArray<Session>) =>
      Effect.mapError(
        Effect.flatMap(opened, (store) => store.find(sessions.map(({ id }) => id))),
        nobodyKnows,
      )
    return (sessions) =>
      Effect.map(find(sessions), (rows) => {
        const known = new Map(rows.map((row) => [row.sessionId, row]))
        return sessions.flatMap((session) => {
          const times = known.get(session.id) ?? neverActive
          const idle = idleTimeOf(session, times, now)
          if (idle === undefined || idle < milliseconds) return []
          return [
            { session, idle, live: undefined, view: { ...viewOf(session), ...activityViewOf(session, times, now) } },
          ]
        })
      })
  })

/** Leaves those of a filter on which something is live. */
const liveFilter =
  (filter: Filter, live: ReadonlyMap<string, LiveNow>): Filter =>
  (sessions) =>
    Effect.map(filter(sessions.filter(({ id }) => live.has(id))), (listed) =>
      listed.map((one) => {
        const { idle_seconds, ...now } = live.get(one.session.id) ?? noneLive
        return { ...one, live: { ...now, idle_seconds }, view: { ...one.view, live: now, idle_seconds } }
      }),
    )

/** Prints parts of the list as they come. */
interface ListPrinter {
  readonly part: (listed: ReadonlyArray<Listed>) => Effect.Effect<void>
  readonly end: Effect.Effect<void>
}

const jsonPrinter = (): ListPrinter => {
  const array = new JsonArray()
  return {
    part: (listed) => printPiece(array.page(listed.map(({ view }) => view))),
    end: Effect.suspend(() => printPiece(array.end())),
  }
}

/** Sessions by which a table's columns are made as wide as they need to be; longer ones follow in parts. */
const alignedSessions = 10_000

const tablePrinter = (): ListPrinter => {
  const { stdout } = process
  const style = styleOf(stdout)
  const table = new Table(style, terminalWidth(stdout))
  let held: Array<Listed> = []
  let isLong = false
  const print = Effect.suspend(() => {
    const text = held.length === 0 ? "" : `${table.render(columnsOf(held, style, isLong))}\n`
    held = []
    return printPiece(text)
  })
  return {
    part: (listed) =>
      Effect.suspend(() => {
        held.push(...listed)
        if (held.length < alignedSessions) return Effect.void
        isLong = true
        return print
      }),
    end: print,
  }
}

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
        if (printed === 0)
          return yield* printDiagnostic(printable(whatToDoAboutNone(database.filename, conditionsOf(choice))))
        yield* insecure.warning
      }),
    ),
).pipe(Command.withDescription(listDoc.summary))
