import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import { isForwarding, type Session } from "../../domain/Session.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, isAbsent, readingDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { databaseFlag, programName } from "../ProgramName.js"
import { printable } from "../../wire/PrintableText.js"
import { type Style, styleOf } from "../Style.js"
import { type Column, renderTable } from "../Table.js"
import { warnOfInsecure } from "./SessionCheck.js"
import { policyColumns, policyWords, renderJson, urlFault, viewOf } from "./SessionView.js"

const status: Flag.Flag<string> = { ...Flag.status, about: "Lists only the sessions of this status." }

export const listDoc: CommandDoc = {
  path: ["sessions", "list"],
  summary: "List the sessions.",
  about: "Lists the sessions, ordered by id. User names and passwords in URLs are not shown.",
  args: [],
  groups: [
    { title: "Options", flags: [status, Flag.json] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions list", "all of them, as a table"],
    [
      "ss-proxy sessions list --status active --json",
      `for a program: id, url, status, forwards, ${policyColumns}, created_at, updated_at`,
    ],
  ],
}

/** What sessions want otherwise than the proxy's settings say; no column where none wants anything. */
const policyColumn = (sessions: ReadonlyArray<Session>, style: Style): ReadonlyArray<Column> => {
  const cells = sessions.map((session) => policyWords(session).join(", "))
  const colour = (cell: string) => (cell.includes("insecure") ? style.red : style.cyan)
  return cells.every((cell) => cell === "") ? [] : [{ title: "POLICY", cells, colour }]
}

const plain = (text: string): string => text

const unusable = " (cannot be used)"

const urlCell = (session: Session): string => redactUrl(session.url) + (urlFault(session) === undefined ? "" : unusable)

/** The sessions as a table; cut to the width of a terminal. */
export const sessionTable = (sessions: ReadonlyArray<Session>, style: Style, lineWidth: number | undefined): string =>
  renderTable(
    [
      { title: "ID", cells: sessions.map((session) => session.id) },
      {
        title: "STATUS",
        cells: sessions.map((session) => session.status),
        colour: (cell) => (isForwarding(cell) ? style.green : style.yellow),
      },
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

/** Columns of a terminal; none for anything else, and for a terminal that does not say. */
const terminalWidth = (stream: NodeJS.WriteStream): number | undefined =>
  stream.isTTY && stream.columns > 0 ? stream.columns : undefined

const whatToDoAboutNone = (filename: string, status: Option.Option<string>): string =>
  Option.match(status, {
    onNone: () =>
      `no sessions in ${filename}${isAbsent(filename) ? ", which does not exist yet" : ""}; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(filename)}`,
    onSome: (status) => `no sessions with the status ${JSON.stringify(status)} in ${filename}`,
  })

export const list = Command.make(
  "list",
  { status: Flag.words(status), json: Flag.isOn(Flag.json), database: databaseOptions },
  ({ status, json, database }) =>
    readingDatabase(database, ({ filename }) =>
      Effect.gen(function* () {
        const all = yield* Effect.flatMap(SessionRepo, (repo) => repo.list)
        const sessions = all.filter((session) => Option.isNone(status) || session.status === status.value)
        if (json) yield* printResult(renderJson(sessions.map(viewOf)))
        if (sessions.length === 0) return yield* printDiagnostic(printable(whatToDoAboutNone(filename, status)))
        const { stdout } = process
        if (!json) yield* printResult(sessionTable(sessions, styleOf(stdout), terminalWidth(stdout)))
        yield* warnOfInsecure(sessions)
      }),
    ),
).pipe(Command.withDescription(listDoc.summary))
