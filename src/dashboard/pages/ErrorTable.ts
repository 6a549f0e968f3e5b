import { link } from "../Element.js"
import { moment } from "../Format.js"
import type { Failure } from "../Shapes.js"
import { type Column, Table } from "../Table.js"
import { sessionRoute } from "./SessionShown.js"

const sessionColumn: Column<Failure> = {
  title: "Session",
  class: "mono",
  make: (current) => {
    const { session } = current()
    return session === null ? "–" : link(sessionRoute(session), session, { title: session })
  },
}

const columns: ReadonlyArray<Column<Failure>> = [
  {
    title: "Cause",
    class: "bad",
    text: ({ code, reason }) => (reason === null ? code : `${code} (${reason})`),
  },
  { title: "Status", class: "num", text: ({ status }) => (status === 0 ? "–" : String(status)) },
  { title: "Server", class: "mono", text: ({ server }) => server ?? "–" },
  { title: "Request", class: "mono wide", text: ({ method, target }) => `${method} ${target}` },
  { title: "Request id", class: "mono id", text: ({ request_id: id }) => id },
]

/** What went wrong lately. */
export const errorTable = (ofAll: boolean): Table<Failure> =>
  new Table(
    "What went wrong lately",
    [{ title: "Time", class: "time", text: ({ time }) => moment(time) }, ...(ofAll ? [sessionColumn] : []), ...columns],
    ({ code, request_id: id, time }) => `${time} ${id} ${code}`,
    "Nothing went wrong lately. What clients do wrong is not remembered.",
  )
