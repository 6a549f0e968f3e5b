import * as Command from "@effect/cli/Command"
import { Clock, Effect, Option } from "effect"
import { duration } from "../../domain/Reading.js"
import { isForwarding, type Session } from "../../domain/Session.js"
import { urlFault } from "../../sessions/SessionShape.js"
import { drainOf, isUnusable } from "../../domain/SessionControl.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type Database, databaseFlags, databaseOptions, isAbsent, openActivity, readingDatabase } from "../Database.js"
import { CommandFailed } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { databaseFlag, programName } from "../ProgramName.js"
import { printable } from "../../wire/PrintableText.js"
import { type Style, styleOf } from "../Style.js"
import { type Column, renderTable, terminalWidth } from "../Table.js"
import { neverActive } from "../../sessions/SessionActivity.js"
import { activityFields, activityViewOf, allActivity, idleTimeOf, inWords } from "./ActivityView.js"
import { warnOfInsecure } from "./SessionCheck.js"
import { policyColumns, policyWords, renderJson, viewOf } from "./SessionView.js"

const status: Flag.Flag<string> = { ...Flag.status, about: "Lists only the sessions of this status." }

const idleFor: Flag.Flag<number> = {
  name: "idle-for",
  reading: duration,
  about: "Lists only those that were not active for this long: 30m, 12h, 7d.",
}

export const listDoc: CommandDoc = {
  path: ["sessions", "list"],
  summary: "List the sessions.",
  about:
    "Lists the sessions, ordered by id. User names and passwords in URLs are not shown. With --idle-for: those that are " +
    "in nobody's use, as far as proxies have written it down (docs/DATABASE.md); a new session counts from when it was added.",
  args: [],
  groups: [
    { title: "Options", flags: [status, idleFor, Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions list", "all of them, as a table"],
    [
      "ss-proxy sessions list --status active --json",
      `for a program: id, url, status, forwards, ${policyColumns}, created_at, updated_at, draining_until`,
    ],
    ["ss-proxy sessions list --idle-for 30m --json", `the same, and ${activityFields}`],
  ],
}

/** What sessions want otherwise than the proxy's settings say; no column where none wants anything. */
const policyColumn = (sessions: ReadonlyArray<Session>, style: Style): ReadonlyArray<Column> => {
  const cells = sessions.map((session) => policyWords(session).join(", "))
  const colour = (cell: string) => (cell.includes("insecure") ? style.red : style.cyan)
  return cells.every((cell) => cell === "") ? [] : [{ title: "POLICY", cells, colour }]
}

const drainCell = ({ control }: Session, now: number): string => {
  if (isUnusable(control)) return "(cannot be used)"
  const drain = drainOf(control)
  if (drain === undefined) return ""
  return drain.until > now ? `for ${inWords(drain.until - now)}` : "over"
}

/** For how long sessions still drain; no column where none does. */
const drainColumn = (sessions: ReadonlyArray<Session>, style: Style): ReadonlyArray<Column> => {
  const now = Date.now()
  const cells = sessions.map((session) => drainCell(session, now))
  return cells.every((cell) => cell === "") ? [] : [{ title: "DRAINS", cells, colour: () => style.yellow }]
}

const plain = (text: string): string => text

const unusable = " (cannot be used)"

const urlCell = (session: Session): string => redactUrl(session.url) + (urlFault(session) === undefined ? "" : unusable)

/** A session, and for how long it has been idle where that was asked. */
interface Idle {
  readonly session: Session
  /** Milliseconds. */
  readonly time: number
}

/** For how long each has been idle; no column where that was not asked. */
const idleColumn = (idle: ReadonlyArray<Idle> | undefined): ReadonlyArray<Column> =>
  idle === undefined ? [] : [{ title: "IDLE", cells: idle.map(({ time }) => inWords(time)) }]

/** The sessions as a table; cut to the width of a terminal. `idle`: the same ones, where that was asked. */
export const sessionTable = (
  sessions: ReadonlyArray<Session>,
  style: Style,
  lineWidth: number | undefined,
  idle?: ReadonlyArray<Idle>,
): string =>
  renderTable(
    [
      { title: "ID", cells: sessions.map((session) => session.id) },
      {
        title: "STATUS",
        cells: sessions.map((session) => session.status),
        colour: (cell) => (isForwarding(cell) ? style.green : style.yellow),
      },
      ...drainColumn(sessions, style),
      ...idleColumn(idle),
      ...policyColumn(sessions, style),
      {
        title: "URL",
        cells: sessions.map(urlCell),
        colour: (cell) => (cell.endsWith(unusable) ? style.yellow : plain),
      },
      { title: "UPDATED", cells: sessions.map((session) => session.updatedAt ?? "-"), colour: () => style.dim },
    ],
    style,
    lineWidth,
  )

const whatToDoAboutNone = (filename: string, conditions: ReadonlyArray<string>): string =>
  conditions.length === 0
    ? `no sessions in ${filename}${isAbsent(filename) ? ", which does not exist yet" : ""}; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(filename)}`
    : `no sessions ${conditions.join(" and ")} in ${filename}`

/** What is known of their activity. Without it none may be taken for idle. */
const knownActivity = (database: Database) =>
  Effect.flatMap(openActivity(database, "read"), (store) => Effect.provide(allActivity, store)).pipe(
    Effect.mapError(
      ({ problem }) =>
        new CommandFailed({
          problem: `nobody knows which sessions are idle: ${problem}`,
          hint: "a proxy writes it down while it runs, unless its --activity-interval is 0",
        }),
    ),
  )

/** Those of them that have been idle for this long, and what is printed of each as JSON. */
const idleOf = (database: Database, sessions: ReadonlyArray<Session>, milliseconds: number) =>
  Effect.gen(function* () {
    const known = yield* knownActivity(database)
    const now = yield* Clock.currentTimeMillis
    return sessions.flatMap((session) => {
      const times = known.get(session.id) ?? neverActive
      const time = idleTimeOf(session, times, now)
      if (time === undefined || time < milliseconds) return []
      return [{ session, time, view: { ...viewOf(session), ...activityViewOf(session, times, now) } }]
    })
  })

/** The sessions that were asked for, and what is printed of them as JSON. */
const chosen = (database: Database, sessions: ReadonlyArray<Session>, idleFor: Option.Option<number>) =>
  Effect.gen(function* () {
    if (Option.isNone(idleFor) || sessions.length === 0)
      return { sessions, idle: undefined, views: sessions.map(viewOf) }
    const idle = yield* idleOf(database, sessions, idleFor.value)
    return { sessions: idle.map(({ session }) => session), idle, views: idle.map(({ view }) => view) }
  })

/** What sessions were asked for by, as phrases behind "sessions". */
const conditionsOf = (status: Option.Option<string>, idleFor: Option.Option<number>): ReadonlyArray<string> => [
  ...Option.toArray(Option.map(status, (status) => `with the status ${JSON.stringify(status)}`)),
  ...Option.toArray(Option.map(idleFor, (time) => `idle for ${inWords(time)}`)),
]

export const list = Command.make(
  "list",
  { status: Flag.words(status), idleFor: Flag.option(idleFor), json: Flag.isOn(Flag.json), database: databaseOptions },
  ({ status, idleFor, json, ...choice }) =>
    readingDatabase(choice.database, (database) =>
      Effect.gen(function* () {
        const all = yield* Effect.flatMap(SessionRepo, (repo) => repo.list)
        const ofStatus = all.filter((session) => Option.isNone(status) || session.status === status.value)
        const { sessions, idle, views } = yield* chosen(database, ofStatus, idleFor)
        if (json) yield* printResult(renderJson(views))
        if (sessions.length === 0)
          return yield* printDiagnostic(printable(whatToDoAboutNone(database.filename, conditionsOf(status, idleFor))))
        const { stdout } = process
        if (!json) yield* printResult(sessionTable(sessions, styleOf(stdout), terminalWidth(stdout), idle))
        yield* warnOfInsecure(sessions)
      }),
    ),
).pipe(Command.withDescription(listDoc.summary))
