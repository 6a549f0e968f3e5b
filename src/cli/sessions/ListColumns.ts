import { isForwarding, type Session } from "../../domain/Session.js"
import { drainOf } from "../../domain/SessionControl.js"
import { deadEnd } from "../../sessions/RowFault.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import { numberText, rateText } from "../Figures.js"
import { inWords } from "../InWords.js"
import type { Style } from "../Style.js"
import type { Column } from "../Table.js"
import type { LiveNow } from "./LiveNow.js"
import { policyWords } from "./SessionView.js"

/** A session of the list. */
export interface Listed {
  readonly session: Session
  /** Milliseconds that it has been idle; `undefined` where that was not asked. */
  readonly idle: number | undefined
  /** What is live on it; `undefined` where that was not asked. */
  readonly live: LiveNow | undefined
  /** What is printed of it as JSON. */
  readonly view: object
}

/** What sessions want otherwise than the proxy's settings say. */
const policyColumn = (sessions: ReadonlyArray<Session>, style: Style): Column => ({
  title: "POLICY",
  cells: sessions.map((session) => policyWords(session).join(", ")),
  colour: (cell) => (cell.includes("insecure") ? style.red : style.cyan),
})

const drainCell = ({ control }: Session, now: number): string => {
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

/** Why sessions lead nowhere, whatever their status. */
const problemColumn = (sessions: ReadonlyArray<Session>, style: Style): Column => ({
  title: "PROBLEM",
  cells: sessions.map((session) => deadEnd(session) ?? ""),
  colour: () => style.red,
})

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
export const columnsOf = (
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
    { title: "URL", cells: sessions.map(({ url }) => redactUrl(url)) },
    { title: "UPDATED", cells: sessions.map((session) => session.updatedAt ?? "-"), colour: () => style.dim },
    ...unlessEmpty(problemColumn(sessions, style), withAll),
  ]
}
