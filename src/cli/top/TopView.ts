import {
  bytesText,
  countText,
  latencyText,
  longSecondsText,
  millisecondsText,
  numberText,
  rateText,
  secondsText,
} from "./Figures.js"
import type { LiveRow, SessionRow, Totals, TopSort } from "./Snapshot.js"
import { clipped, filled, widthOf } from "../TextWidth.js"
import { placeOf, sessionsOf, tableOf, type TopState } from "./TopState.js"

/** How a part of a line looks, where the terminal has colours. */
export type Look = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "inverse" | "plain"

/** A part of a line: harmless text, without line breaks and control characters. */
export interface Span {
  readonly text: string
  readonly look: Look
}

export type Line = ReadonlyArray<Span>

const span = (text: string, look: Look = "plain"): Span => ({ text, look })

/** The fewest columns for a table that can be read. */
export const fewestColumns = 60

/** A column of a table. What matters most stays where there is little room. */
interface ViewColumn<Row> {
  readonly title: string
  readonly width: number
  readonly side: "left" | "right"
  /** Those of the least number stay longest; that of the order always does. */
  readonly rank: number
  readonly text: (row: Row) => string
  readonly look?: (row: Row) => Look
  /** The order that it belongs to. */
  readonly sort?: TopSort
}

const gap = 2
const marker = 2

const right = <Row>(
  title: string,
  width: number,
  rank: number,
  text: (row: Row) => string,
  more: Pick<ViewColumn<Row>, "look" | "sort"> = {},
): ViewColumn<Row> => ({ title, width, side: "right", rank, text, ...more })

const stateText = ({ drainingUntil, state, status }: SessionRow, now: number): string => {
  if (state !== "draining" || drainingUntil === undefined) return state === "failing" ? "failing" : status
  return drainingUntil > now ? `drains ${secondsText((drainingUntil - now) / 1_000)}` : "drained"
}

const stateLooks = { ok: "plain", failing: "red", draining: "yellow", closed: "dim" } as const

const redAbove0 = (value: number | undefined): Look => ((value ?? 0) > 0 ? "red" : "plain")

/** The columns behind the id. */
const sessionColumns = (now: number): ReadonlyArray<ViewColumn<SessionRow>> => [
  {
    title: "STATE",
    width: 10,
    side: "left",
    rank: 2,
    text: (row) => stateText(row, now),
    look: ({ state }) => stateLooks[state],
  },
  right("REQ/S", 7, 1, (row) => rateText(row.requestsPerSecond), { sort: "requests" }),
  right("P50", 6, 7, (row) => millisecondsText(row.p50)),
  right("P99", 6, 5, (row) => millisecondsText(row.p99), { sort: "p99" }),
  right("STREAMS", 7, 8, (row) => numberText(row.streams)),
  right("WS", 6, 3, (row) => numberText(row.websockets), { sort: "websockets" }),
  right("IN/S", 7, 10, (row) => bytesText(row.bytesInPerSecond)),
  right("OUT/S", 7, 9, (row) => bytesText(row.bytesOutPerSecond), { sort: "bytes" }),
  right("ERR/S", 6, 4, (row) => rateText(row.errorsPerSecond), {
    sort: "errors",
    look: (row) => redAbove0(row.errorsPerSecond),
  }),
  {
    title: "LAST ERROR",
    width: 36,
    side: "left",
    rank: 11,
    text: ({ lastError = "", lastReason }) => (lastReason === undefined ? lastError : `${lastError} (${lastReason})`),
    look: () => "red",
  },
  right("IDLE", 5, 6, (row) => secondsText(row.idle), { sort: "idle" }),
]

const liveColumns: ReadonlyArray<ViewColumn<LiveRow>> = [
  { title: "KIND", width: 9, side: "left", rank: 1, text: ({ kind }) => kind },
  right("AGE", 5, 2, ({ age }) => secondsText(age)),
  right("SILENT", 6, 3, ({ silent }) => secondsText(silent)),
  right("IN", 7, 5, ({ bytesIn }) => bytesText(bytesIn)),
  right("OUT", 7, 4, ({ bytesOut }) => bytesText(bytesOut)),
  { title: "CLIENT", width: 15, side: "left", rank: 6, text: ({ client }) => client },
]

/** A table whose first or last column takes the room that others leave. */
interface ViewTable<Row> {
  readonly first: { readonly title: string; readonly least: number; readonly text: (row: Row) => string }
  readonly columns: ReadonlyArray<ViewColumn<Row>>
  /** A last column of as much room as is left behind it, where there is any. */
  readonly last?: { readonly title: string; readonly text: (row: Row) => string }
}

/** The columns that there is room for, as they stand. */
const fitting = <Row>(
  columns: ReadonlyArray<ViewColumn<Row>>,
  room: number,
  order: TopSort | undefined,
): ReadonlyArray<ViewColumn<Row>> => {
  const kept = new Set<ViewColumn<Row>>()
  let left = room
  const rankOf = ({ rank, sort }: ViewColumn<Row>): number => (sort !== undefined && sort === order ? 0 : rank)
  for (const column of [...columns].sort((one, other) => rankOf(one) - rankOf(other))) {
    left -= column.width + gap
    if (left < 0) break
    kept.add(column)
  }
  return columns.filter((column) => kept.has(column))
}

/** The least room in which a last column is worth it. */
const leastLast = 10

/** Numbers stand near what they are about, also where there is much room: behind the longest of the ids, if that is no longer. */
const widestFirst = 64

interface Widths<Row> {
  readonly first: number
  readonly columns: ReadonlyArray<ViewColumn<Row>>
  readonly last: number
}

const widthsOf = <Row>(
  { columns, first, last }: ViewTable<Row>,
  rows: ReadonlyArray<Row>,
  room: number,
  order: TopSort | undefined,
): Widths<Row> => {
  const shown = fitting(columns, room - marker - first.least, order)
  const left = room - marker - shown.reduce((sum, { width }) => sum + width + gap, 0)
  if (last === undefined) {
    const longest = rows.reduce((most, row) => Math.max(most, widthOf(first.text(row))), first.least)
    return { first: Math.max(0, Math.min(left, longest, widestFirst)), columns: shown, last: 0 }
  }
  const forLast = left - first.least - gap
  return forLast < leastLast
    ? { first: Math.max(0, left), columns: shown, last: 0 }
    : { first: first.least, columns: shown, last: forLast }
}

/** Titles; that of the order is marked. */
const titleLine = <Row>(table: ViewTable<Row>, widths: Widths<Row>, sort: TopSort | undefined): Line => [
  span(`${" ".repeat(marker)}${filled(table.first.title, widths.first, "left")}`, "bold"),
  ...widths.columns.map(({ side, sort: own, title, width }) =>
    span(`  ${filled(title, width, side)}`, own !== undefined && own === sort ? "cyan" : "bold"),
  ),
  ...(widths.last > 0 && table.last !== undefined
    ? [span(`  ${filled(table.last.title, widths.last, "left")}`, "bold")]
    : []),
]

const rowLine = <Row>(table: ViewTable<Row>, widths: Widths<Row>, row: Row, isSelected: boolean, look: Look): Line => {
  const spans = [
    span(`${isSelected ? "> " : "  "}${filled(table.first.text(row), widths.first, "left")}`, look),
    ...widths.columns.map((column) =>
      span(`  ${filled(column.text(row), column.width, column.side)}`, column.look?.(row) ?? "plain"),
    ),
    ...(widths.last > 0 && table.last !== undefined
      ? [span(`  ${filled(table.last.text(row), widths.last, "left")}`)]
      : []),
  ]
  return isSelected ? [span(spans.map(({ text }) => text).join(""), "inverse")] : spans
}

/** The lines of a table: its titles, and the page of rows that has the chosen one. */
const tableLines = <Row extends { readonly id: string }>(
  table: ViewTable<Row>,
  rows: ReadonlyArray<Row>,
  selected: string | undefined,
  {
    columns,
    height,
    lookOf,
    sort,
  }: {
    readonly columns: number
    readonly height: number
    readonly lookOf: (row: Row) => Look
    readonly sort: TopSort | undefined
  },
): ReadonlyArray<Line> => {
  const widths = widthsOf(table, rows, columns, sort)
  const body = Math.max(1, height - 1)
  const place = placeOf(rows, selected)
  const from = Math.floor(place / body) * body
  return [
    titleLine(table, widths, sort),
    ...rows.slice(from, from + body).map((row, at) => rowLine(table, widths, row, from + at === place, lookOf(row))),
  ]
}

/** Puts phrases beside each other, in as few lines as they fit in. */
const wrapped = (phrases: ReadonlyArray<Span>, columns: number): ReadonlyArray<Line> => {
  const lines: Array<Array<Span>> = []
  let left = -1
  for (const { look, text } of phrases) {
    const cut = clipped(text, columns)
    const width = widthOf(cut)
    const current = lines.at(-1)
    if (current === undefined || left < width + gap) {
      lines.push([span(cut, look)])
      left = columns - width
    } else {
      current.push(span("  "), span(cut, look))
      left -= width + gap
    }
  }
  return lines
}

const stoppingText = ({ draining, processes }: Totals): string =>
  draining < processes ? `${numberText(draining)} of them stopping` : "stopping"

const totalPhrases = (totals: Totals): ReadonlyArray<Span> => {
  const errors = `errors ${rateText(totals.errorsPerSecond)}/s`
  return [
    span(`ss-proxy ${totals.version}`, "bold"),
    span(countText(totals.processes, "process", "processes")),
    ...(totals.draining === 0 ? [] : [span(stoppingText(totals), "yellow")]),
    span(`up ${longSecondsText(totals.uptime)}`),
    span(`${rateText(totals.requestsPerSecond)} req/s`, "bold"),
    span(`p50 ${latencyText(totals.p50)} p99 ${latencyText(totals.p99)}`),
    span(`ws ${numberText(totals.websockets)}`),
    span(`streams ${numberText(totals.streams)}`),
    span(`in ${bytesText(totals.bytesInPerSecond)}/s out ${bytesText(totals.bytesOutPerSecond)}/s`),
    span(errors, redAbove0(totals.errorsPerSecond)),
  ]
}

/** What is shown, and by what order. */
const scopePhrases = (state: TopState, now: number): ReadonlyArray<Span> => {
  const { filter, isPaused, silence, snapshot } = state
  const table = tableOf(state)
  const missing = snapshot?.missing ?? []
  return [
    ...(isPaused ? [span("paused, p goes on", "yellow")] : []),
    ...(missing.length === 0 ? [] : [span(`no answer from ${missing.join(", ")}`, "yellow")]),
    ...(silence === undefined
      ? []
      : [span(`no answer for ${secondsText(Math.max(0, now - silence.since) / 1_000)}: ${silence.problem}`, "red")]),
    ...(table._tag === "Live"
      ? [span(`what is live on ${table.session}`, "cyan")]
      : [
          span(`by ${state.sort}`, "cyan"),
          ...(snapshot === undefined
            ? []
            : [
                span(
                  `${sessionsOf(state).length}${snapshot.hasMore ? "+" : ""} of ${countText(snapshot.totals.sessions, "session", "sessions")}`,
                ),
              ]),
          ...(filter === "" ? [] : [span(`with "${filter}"`, "yellow")]),
        ]),
  ]
}

const listKeys = ["s sort", "/ filter", "⏎ live things", "k kill", "d drain", "r resume", "p pause", "? help", "q quit"]
const liveKeys = ["esc back", "k end it", "p pause", "? help", "q quit"]

/** What keys do, or what is asked, or what came of the last key. */
const footer = (state: TopState): ReadonlyArray<Line> => {
  const { columns, mode, notice } = state
  if (mode._tag === "Filter") return [[span(clipped(`filter: ${mode.text}_`, columns), "bold")]]
  if (mode._tag === "Ask")
    return wrapped([span(mode.question, "yellow"), span("y yes, any other key no", "bold")], columns)
  const keys = tableOf(state)._tag === "Live" ? liveKeys : listKeys
  const said = notice === undefined ? [] : [[span(clipped(notice, columns), "yellow")]]
  return [
    ...said,
    ...wrapped(
      keys.map((key) => span(key, "dim")),
      columns,
    ),
  ]
}

/** What the keys do, for people who know htop. */
const help: ReadonlyArray<readonly [keys: string, meaning: string]> = [
  ["↑ ↓  ^P ^N", "choose a session; PgUp, PgDn, Home, End too"],
  ["s", "order: requests, p99, bytes, errors, ws, idle"],
  ["/", "only ids that have this; Esc shows all again"],
  ["Enter", "what is live on it; k ends one, Esc goes back"],
  ["k", "kill: end all that is live on it (asks)"],
  ["d", "drain: nothing new, 30 s for the rest (asks)"],
  ["r", "resume: it takes requests again after a drain"],
  ["p", "pause, and go on"],
  ["^L  ^Z", "draw anew; suspend (fg comes back)"],
  ["q  ^C", "quit"],
]

const helpLines = (columns: number): ReadonlyArray<Line> => [
  [span(clipped("Keys (k kills, as in htop: it does not move up)", columns), "bold")],
  ...help.map(([keys, meaning]) => [
    span(filled(`  ${keys}`, 14, "left"), "cyan"),
    span(clipped(meaning, columns - 14)),
  ]),
  ...["Numbers of several proxies are added up;", "of p50 and p99 the worst is shown.", "Any key goes back."].map(
    (text) => [span(clipped(text, columns), "dim")],
  ),
]

const middle = (state: TopState, height: number, now: number): ReadonlyArray<Line> => {
  const { columns, mode, sort } = state
  if (mode._tag === "Help") return helpLines(columns)
  const table = tableOf(state)
  if (table._tag === "Live") {
    if (table.rows === undefined) return [[span("looking …", "dim")]]
    if (table.rows.length === 0) return [[span("nothing is live on it", "dim")]]
    const view = {
      first: { title: "ID", least: 12, text: ({ id }: LiveRow) => id },
      columns: liveColumns,
      last: { title: "REQUEST", text: ({ request }: LiveRow) => request },
    }
    return tableLines(view, table.rows, table.selected, { columns, height, lookOf: () => "plain", sort: undefined })
  }
  if (state.snapshot === undefined) return [[span(state.silence === undefined ? "looking …" : "", "dim")]]
  const rows = sessionsOf(state)
  if (rows.length === 0) return [[span(state.filter === "" ? "there is no session yet" : "no session fits", "dim")]]
  const view = {
    first: { title: "SESSION", least: 16, text: ({ id }: SessionRow) => id },
    columns: sessionColumns(now),
  }
  const lookOf = ({ state }: SessionRow): Look => stateLooks[state]
  return tableLines(view, rows, state.selected, { columns, height, lookOf, sort })
}

/**
 * The lines of the screen: never more than it has, and none wider than it is. `now`: milliseconds since the epoch.
 */
export const screenOf = (state: TopState, now: number): ReadonlyArray<Line> => {
  const { columns, rows, snapshot } = state
  if (rows <= 0 || columns <= 0) return []
  if (columns < fewestColumns)
    return wrapped(
      [`top needs ${fewestColumns} columns`, `this terminal has ${columns}`, "q quits"].map((text) => span(text)),
      columns,
    ).slice(0, rows)
  const top = [
    ...wrapped(snapshot === undefined ? [span("ss-proxy top", "bold")] : totalPhrases(snapshot.totals), columns),
    ...wrapped(scopePhrases(state, now), columns),
  ]
  const bottom = footer(state)
  const height = Math.max(2, rows - top.length - bottom.length)
  const body = middle(state, height, now).slice(0, height)
  const filling = Array.from({ length: Math.max(0, height - body.length) }, (): Line => [])
  const lines = [...top, ...body, ...filling, ...bottom]
  // In a terminal of a few lines the question, or the keys, matter most.
  return lines.length <= rows ? lines : [...lines.slice(0, Math.max(0, rows - bottom.length)), ...bottom].slice(-rows)
}
