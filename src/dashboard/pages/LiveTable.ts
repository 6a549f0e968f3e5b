import { button, link } from "../Element.js"
import { bytes, exact, milliseconds } from "../Format.js"
import { cutLive } from "../SessionActions.js"
import type { Live } from "../Shapes.js"
import { type Column, Table } from "../Table.js"
import type { Shared } from "../View.js"
import { sessionRoute } from "./SessionShown.js"

const sessionColumn: Column<Live> = {
  title: "Session",
  class: "mono",
  make: (current) => link(sessionRoute(current().session), current().session, { title: current().session }),
}

const columns: ReadonlyArray<Column<Live>> = [
  { title: "Kind", text: ({ kind }) => (kind === "websocket" ? "WebSocket" : kind) },
  { title: "Client", class: "mono", text: ({ client }) => client },
  { title: "Target", class: "mono wide", text: ({ method, target }) => `${method} ${target}` },
  { title: "Status", class: "num", text: ({ status }) => (status === 0 ? "–" : String(status)) },
  { title: "Age", class: "num", text: ({ age_ms: age }) => milliseconds(age) },
  { title: "Silent", class: "num", text: ({ silent_ms: silent }) => milliseconds(silent) },
  { title: "In", class: "num", text: ({ bytes_in: size }) => bytes(size) },
  { title: "Out", class: "num", text: ({ bytes_out: size }) => bytes(size) },
  {
    title: "Messages",
    class: "num",
    text: ({ kind, messages_in: toServer, messages_out: toClient }) =>
      kind === "websocket" ? exact(toServer + toClient) : "–",
  },
]

/** What is under way, with a button that ends it where that is allowed. */
export const liveTable = (shared: Shared, ofAll: boolean, changed: () => void): Table<Live> => {
  const cut: Column<Live> = {
    title: "",
    class: "acts",
    make: (current) => button("Cut", () => cutLive(shared, current(), changed), { class: "quiet" }),
  }
  const all = [...(ofAll ? [sessionColumn] : []), ...columns, ...(shared.api.mayWrite ? [cut] : [])]
  return new Table("What is under way", all, ({ id }) => id, "Nothing is under way.")
}
