import { liveInWords } from "../InWords.js"
import type { Key, NamedKey } from "./Keys.js"
import { type LiveRow, ordered, type SessionRow, type Snapshot, type TopSort, topSorts } from "./Snapshot.js"

/** What a key asks of the program that is no change of the screen alone. */
export type Action =
  | { readonly _tag: "Quit" }
  | { readonly _tag: "Suspend" }
  /** Draws all anew. */
  | { readonly _tag: "Redraw" }
  /** Asks the proxies now: what is shown has changed. */
  | { readonly _tag: "Look" }
  | { readonly _tag: "Kill" | "Drain" | "Resume"; readonly session: string }
  | { readonly _tag: "End"; readonly live: string }

/** The table of sessions. */
interface ListMode {
  readonly _tag: "List"
}

/** What is under way of one session. `rows`: `undefined` until a proxy has said. */
interface LiveMode {
  readonly _tag: "Live"
  readonly session: string
  readonly rows: ReadonlyArray<LiveRow> | undefined
  readonly selected: string | undefined
}

type TableMode = ListMode | LiveMode

/** What the keys mean now. `below`: the table that is shown meanwhile, or afterwards. */
export type Mode =
  | TableMode
  | { readonly _tag: "Filter"; readonly text: string; readonly below: ListMode }
  | { readonly _tag: "Ask"; readonly question: string; readonly action: Action; readonly below: TableMode }
  | { readonly _tag: "Help"; readonly below: TableMode }

/** All that the screen is made from. */
export interface TopState {
  readonly columns: number
  readonly rows: number
  readonly sort: TopSort
  readonly filter: string
  /** Nothing is asked meanwhile. */
  readonly isPaused: boolean
  readonly snapshot: Snapshot | undefined
  /** Why nobody has answered, and since when, in milliseconds since the epoch. */
  readonly silence: { readonly problem: string; readonly since: number } | undefined
  /** The session that keys are about; the first one until another is chosen. */
  readonly selected: string | undefined
  readonly mode: Mode
  /** What came of the last key. It stays until the next one. */
  readonly notice: string | undefined
}

/** The state before anything is known. */
export const initialState = (sort: TopSort, filter: string, columns: number, rows: number): TopState => ({
  columns,
  rows,
  sort,
  filter,
  isPaused: false,
  snapshot: undefined,
  silence: undefined,
  selected: undefined,
  mode: { _tag: "List" },
  notice: undefined,
})

/** The table that is on the screen, also below a question. */
export const tableOf = ({ mode }: TopState): TableMode => ("below" in mode ? mode.below : mode)

/** The sessions to show, in their order. */
export const sessionsOf = ({ filter, snapshot, sort }: TopState): ReadonlyArray<SessionRow> =>
  ordered(snapshot?.sessions ?? [], sort, filter)

/** The place of the chosen row; the first one if it is gone. */
export const placeOf = (rows: ReadonlyArray<{ readonly id: string }>, selected: string | undefined): number =>
  Math.max(
    0,
    rows.findIndex(({ id }) => id === selected),
  )

/** The most sessions that are asked for. */
const mostAsked = 1_000

/** What proxies are to be asked: as many sessions as can be seen, and some to scroll to. */
export const wantedOf = (state: TopState) => ({
  sort: state.sort,
  filter: state.filter,
  limit: Math.min(mostAsked, Math.max(100, placeOf(sessionsOf(state), state.selected) + 3 * state.rows)),
  live: ((table) => (table._tag === "Live" ? table.session : undefined))(tableOf(state)),
})

/** What a key comes to. */
export interface Step {
  readonly state: TopState
  readonly action?: Action
}

/** Lines that a page moves by: about as many as are seen. */
const pageOf = ({ rows }: TopState): number => Math.max(1, rows - 6)

/** How far a key moves among so many rows; `undefined` for keys that do not move. */
const movedBy = (name: NamedKey, state: TopState, count: number): number | undefined => {
  switch (name) {
    case "up":
      return -1
    case "down":
      return 1
    case "page-up":
      return -pageOf(state)
    case "page-down":
      return pageOf(state)
    case "home":
      return -count
    case "end":
      return count
    default:
      return undefined
  }
}

const moved = (state: TopState, name: NamedKey): TopState => {
  const table = tableOf(state)
  const rows = table._tag === "List" ? sessionsOf(state) : (table.rows ?? [])
  const distance = movedBy(name, state, rows.length)
  if (distance === undefined || rows.length === 0) return state
  const selectedBefore = table._tag === "List" ? state.selected : table.selected
  const place = placeOf(rows, selectedBefore) + distance
  const selected = rows[Math.min(rows.length - 1, Math.max(0, place))]?.id
  return table._tag === "List" ? { ...state, selected } : { ...state, mode: { ...table, selected } }
}

/** The session that keys are about. */
const chosen = (state: TopState): SessionRow | undefined => {
  const rows = sessionsOf(state)
  return rows[placeOf(rows, state.selected)]
}

const quit: Action = { _tag: "Quit" }
const list: ListMode = { _tag: "List" }
const unchanged = (state: TopState): Step => ({ state })

/** Asks before something is done to a session. */
const asked = (state: TopState, row: SessionRow, tag: "Kill" | "Drain"): Step => {
  const what = tag === "Kill" ? "End all that is live on" : "Take nothing new for, and end in 30 s what is live on"
  const question = `${what} ${row.id} (${liveInWords(row)})?`
  return { state: { ...state, mode: { _tag: "Ask", question, action: { _tag: tag, session: row.id }, below: list } } }
}

/** Keys of the table of sessions that are about the chosen one. */
const ofSession = (state: TopState, key: string): Step => {
  const row = chosen(state)
  if (row === undefined) return unchanged({ ...state, notice: "no session is shown" })
  if (key === "k") return asked(state, row, "Kill")
  if (key === "d") return asked(state, row, "Drain")
  if (row.state !== "draining") return unchanged({ ...state, notice: `${row.id} does not drain` })
  return { state, action: { _tag: "Resume", session: row.id } }
}

const nextSort = (sort: TopSort): TopSort => topSorts[(topSorts.indexOf(sort) + 1) % topSorts.length] ?? "requests"

const typedInList = (state: TopState, key: string): Step => {
  switch (key) {
    case "s":
      return { state: { ...state, sort: nextSort(state.sort), selected: undefined }, action: { _tag: "Look" } }
    case "/":
      return { state: { ...state, mode: { _tag: "Filter", text: state.filter, below: list } } }
    case "k":
    case "d":
    case "r":
      return ofSession(state, key)
    default:
      return unchanged(state)
  }
}

const typedInLive = (state: TopState, { rows = [], ...table }: LiveMode, key: string): Step => {
  const row = rows[placeOf(rows, table.selected)]
  if (key !== "k" || row === undefined) return unchanged(state)
  const question = `End the ${row.kind} ${row.id} of ${table.session}, from ${row.client}?`
  const mode = { _tag: "Ask", question, action: { _tag: "End", live: row.id }, below: { ...table, rows } } as const
  return { state: { ...state, mode } }
}

const typedInTable = (state: TopState, table: TableMode, key: string): Step => {
  switch (key) {
    case "q":
      return { state, action: quit }
    case "?":
    case "h":
      return { state: { ...state, mode: { _tag: "Help", below: table } } }
    case "p": {
      const isPaused = !state.isPaused
      return { state: { ...state, isPaused }, ...(!isPaused && { action: { _tag: "Look" } }) }
    }
    default:
      return table._tag === "List" ? typedInList(state, key) : typedInLive(state, table, key)
  }
}

const openLive = (state: TopState): Step => {
  const row = chosen(state)
  if (row === undefined) return unchanged(state)
  const mode = { _tag: "Live", session: row.id, rows: undefined, selected: undefined } as const
  return { state: { ...state, selected: row.id, mode }, action: { _tag: "Look" } }
}

const inTable = (state: TopState, table: TableMode, key: Key): Step => {
  // What is pasted is meant for somebody else: its letters kill nothing.
  if (key._tag === "Pasted") return unchanged(state)
  if (key._tag === "Typed") return typedInTable(state, table, key.character)
  if (key.name === "enter") return table._tag === "List" ? openLive(state) : unchanged(state)
  if (key.name !== "escape" && key.name !== "backspace") return unchanged(moved(state, key.name))
  if (table._tag === "Live") return unchanged({ ...state, mode: list })
  return state.filter === "" ? unchanged(state) : { state: { ...state, filter: "" }, action: { _tag: "Look" } }
}

/** The filter is in force as it is typed. */
const withFilter = (state: TopState, text: string): Step => ({
  state: { ...state, filter: text, mode: { _tag: "Filter", text, below: list } },
  action: { _tag: "Look" },
})

const longestFilter = 200

const inFilter = (state: TopState, text: string, key: Key): Step => {
  if (key._tag !== "Named") {
    const more = key._tag === "Typed" ? key.character : key.text.replaceAll(/[\r\n]/g, "")
    return text.length + more.length > longestFilter ? unchanged(state) : withFilter(state, text + more)
  }
  switch (key.name) {
    case "enter":
      return unchanged({ ...state, mode: list })
    case "backspace":
      return withFilter(state, [...text].slice(0, -1).join(""))
    case "escape":
      return { state: { ...state, filter: "", mode: list }, action: { _tag: "Look" } }
    default:
      return unchanged(moved(state, key.name))
  }
}

const inMode = (state: TopState, key: Key): Step => {
  const { mode } = state
  switch (mode._tag) {
    case "Filter":
      return inFilter(state, mode.text, key)
    case "Ask": {
      const isYes = key._tag === "Typed" && /^y$/i.test(key.character)
      const below = { ...state, mode: mode.below }
      return isYes ? { state: below, action: mode.action } : unchanged({ ...below, notice: "nothing was done" })
    }
    case "Help":
      return key._tag === "Typed" && key.character === "q"
        ? { state, action: quit }
        : unchanged({ ...state, mode: mode.below })
    default:
      return inTable(state, mode, key)
  }
}

/** What a key comes to: the state after it, and what else is to be done. */
export const pressed = (state: TopState, key: Key): Step => {
  const heard = { ...state, notice: undefined }
  if (key._tag === "Named" && key.name === "interrupt") return { state: heard, action: quit }
  if (key._tag === "Named" && key.name === "suspend") return { state: heard, action: { _tag: "Suspend" } }
  if (key._tag === "Named" && key.name === "redraw") return { state: heard, action: { _tag: "Redraw" } }
  return inMode(heard, key)
}

/** The terminal has another size. */
export const resized = (state: TopState, columns: number, rows: number): TopState => ({ ...state, columns, rows })

/** Proxies have answered. What comes for a question that is none any more is passed over. */
export const seen = (
  state: TopState,
  snapshot: Snapshot,
  live: { readonly session: string; readonly rows: ReadonlyArray<LiveRow> } | undefined,
): TopState => {
  const known = { ...state, snapshot, silence: undefined }
  const table = tableOf(state)
  if (live === undefined || table._tag !== "Live" || table.session !== live.session) return known
  const updated = { ...table, rows: live.rows }
  const { mode } = state
  return { ...known, mode: mode._tag === "Ask" || mode._tag === "Help" ? { ...mode, below: updated } : updated }
}

/** Nobody answers. What was seen last stays, and its age is told. `now`: milliseconds since the epoch. */
export const unanswered = (state: TopState, problem: string, now: number): TopState => ({
  ...state,
  silence: { problem, since: state.silence?.since ?? now },
})
