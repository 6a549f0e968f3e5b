import { Effect } from "effect"
import { printPiece } from "../Output.js"
import { styleOf } from "../Style.js"
import { type Column, renderTable, terminalWidth } from "../Table.js"
import { renderJsonLine } from "../sessions/SessionView.js"
import { bytesText, millisecondsText, numberText, rateText, secondsText } from "../Figures.js"
import { awayText, totalPhrases } from "./Headline.js"
import { ordered, type Rates, type SessionRow, type Snapshot, type TopSort, type Totals } from "./Snapshot.js"

const headline = (totals: Totals): string =>
  totalPhrases(totals)
    .map(({ text }) => text)
    .join("  ")

const columnsOf = (rows: ReadonlyArray<SessionRow>): ReadonlyArray<Column> => {
  const column = (title: string, text: (row: SessionRow) => string): Column => ({ title, cells: rows.map(text) })
  return [
    column("SESSION", ({ id }) => id),
    column("STATE", ({ state, status }) => (state === "ok" || state === "closed" ? status : state)),
    column("REQ/S", (row) => rateText(row.requestsPerSecond)),
    column("P50", ({ p50 }) => millisecondsText(p50)),
    column("P99", ({ p99 }) => millisecondsText(p99)),
    column("STREAMS", ({ streams }) => numberText(streams)),
    column("WS", ({ websockets }) => numberText(websockets)),
    column("IN/S", (row) => bytesText(row.bytesInPerSecond)),
    column("OUT/S", (row) => bytesText(row.bytesOutPerSecond)),
    column("ERR/S", (row) => rateText(row.errorsPerSecond)),
    column("LAST ERROR", ({ lastError = "-" }) => lastError),
    column("IDLE", ({ idle }) => secondsText(idle)),
  ]
}

/** Prints the table once, for a file, a pipe, or somebody who only wants to have a look. */
export const printTable = (snapshot: Snapshot, sort: TopSort, filter: string): Effect.Effect<void> => {
  const { stdout } = process
  const rows = ordered(snapshot.sessions, sort, filter)
  const table = renderTable(columnsOf(rows), styleOf(stdout), terminalWidth(stdout))
  const away = awayText(snapshot, snapshot.time)
  return printPiece(`${headline(snapshot.totals)}\n${away === undefined ? "" : `${away}\n`}${table}\n`)
}

const ratesView = (rates: Rates) => ({
  requests_per_second: rates.requestsPerSecond ?? null,
  errors_per_second: rates.errorsPerSecond ?? null,
  bytes_in_per_second: rates.bytesInPerSecond ?? null,
  bytes_out_per_second: rates.bytesOutPerSecond ?? null,
  p50_ms: rates.p50 ?? null,
  p99_ms: rates.p99 ?? null,
})

const sessionView = (row: SessionRow) => ({
  id: row.id,
  status: row.status,
  state: row.state,
  draining_until: row.drainingUntil === undefined ? null : new Date(row.drainingUntil).toISOString(),
  requests: row.requests,
  streams: row.streams,
  websockets: row.websockets,
  ...ratesView(row),
  last_error: row.lastError ?? null,
  idle_seconds: row.idle ?? null,
})

/** Prints a line of JSON. These names are stable. */
export const printJsonLine = (snapshot: Snapshot, sort: TopSort, filter: string): Effect.Effect<void> => {
  const { asOf, hasMore, missing, sessions, time, totals } = snapshot
  const { draining, processes, streams, uptime, version, websockets } = totals
  const view = {
    time: new Date(time).toISOString(),
    version,
    processes,
    processes_draining: draining,
    uptime_seconds: uptime,
    streams,
    websockets,
    ...ratesView(totals),
    sessions_known: totals.sessions,
    sessions: ordered(sessions, sort, filter).map(sessionView),
    truncated: hasMore,
    missing,
    as_of: asOf === undefined ? null : new Date(asOf).toISOString(),
  }
  return printPiece(`${renderJsonLine(view)}\n`)
}
