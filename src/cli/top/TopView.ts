import { bytesText, millisecondsText, numberText, rateText, secondsText } from "../Figures.js"
import { countInWords } from "../InWords.js"
import { clipped, filled } from "../TextWidth.js"
import { awayText, redAbove0, totalPhrases } from "./Headline.js"
import { type Line, type Look, type Span, span, wrapped } from "./Line.js"
import type { LiveRow, SessionRow } from "./Snapshot.js"
import { sessionsOf, tableOf, type TopState } from "./TopState.js"
import { numberColumn, tableLines, type ViewColumn } from "./ViewTable.js"

/** The fewest columns for a table that can be read. */
export const fewestColumns = 60

const stateText = ({ drainingUntil, state, status }: SessionRow, now: number): string => {
  if (state !== "draining" || drainingUntil === undefined) return state === "failing" ? "failing" : status
  return drainingUntil > now ? `drains ${secondsText((drainingUntil - now) / 1_000)}` : "drained"
}

const stateLooks = { ok: "plain", failing: "red", draining: "yellow", closed: "dim" } as const

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
  numberColumn("REQ/S", 7, 1, (row) => rateText(row.requestsPerSecond), { sort: "requests" }),
  numberColumn("P50", 6, 7, (row) => millisecondsText(row.p50)),
  numberColumn("P99", 6, 5, (row) => millisecondsText(row.p99), { sort: "p99" }),
  numberColumn("STREAMS", 7, 8, (row) => numberText(row.streams)),
  numberColumn("WS", 6, 3, (row) => numberText(row.websockets), { sort: "websockets" }),
  numberColumn("IN/S", 7, 10, (row) => bytesText(row.bytesInPerSecond)),
  numberColumn("OUT/S", 7, 9, (row) => bytesText(row.bytesOutPerSecond), { sort: "bytes" }),
  numberColumn("ERR/S", 6, 4, (row) => rateText(row.errorsPerSecond), {
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
  numberColumn("IDLE", 5, 6, (row) => secondsText(row.idle), { sort: "idle" }),
]

const liveColumns: ReadonlyArray<ViewColumn<LiveRow>> = [
  { title: "KIND", width: 9, side: "left", rank: 1, text: ({ kind }) => kind },
  numberColumn("AGE", 5, 2, ({ age }) => secondsText(age)),
  numberColumn("SILENT", 6, 3, ({ silent }) => secondsText(silent)),
  numberColumn("IN", 7, 5, ({ bytesIn }) => bytesText(bytesIn)),
  numberColumn("OUT", 7, 4, ({ bytesOut }) => bytesText(bytesOut)),
  { title: "CLIENT", width: 15, side: "left", rank: 6, text: ({ client }) => client },
]

/** What is shown, and by what order. */
const scopePhrases = (state: TopState, now: number): ReadonlyArray<Span> => {
  const { filter, isPaused, silence, snapshot } = state
  const table = tableOf(state)
  const missing = snapshot?.missing ?? []
  const away = snapshot === undefined ? undefined : awayText(snapshot, now)
  return [
    ...(isPaused ? [span("paused, p goes on", "yellow")] : []),
    ...(away === undefined ? [] : [span(away, "red")]),
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
                  `${sessionsOf(state).length}${snapshot.hasMore ? "+" : ""} of ${countInWords(snapshot.totals.sessions, "session")}`,
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
