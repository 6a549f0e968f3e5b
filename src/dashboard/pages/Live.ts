import { withQuery } from "../Api.js"
import { problemText } from "../Dialog.js"
import { element, fill, input, select, setText } from "../Element.js"
import { exact } from "../Format.js"
import type { LivePage } from "../Shapes.js"
import { Loader, type Lifetime, type Shared, type View } from "../View.js"
import { liveTable } from "./LiveTable.js"

/** Rows that are shown, and how often they are asked for, in milliseconds. */
const most = 200
const refreshEvery = 2_000

const times = (what: string) =>
  [
    ["", `Any ${what}`],
    ["10s", "over 10 s"],
    ["1m", "over a minute"],
    ["10m", "over 10 minutes"],
    ["1h", "over an hour"],
  ] as const

const makeFilters = () => {
  const named = <A extends HTMLElement>(name: string, node: A): A => {
    node.ariaLabel = name
    return node
  }
  return {
    session: named("Session", input("", { type: "search", placeholder: "Session" })),
    client: named("Client", input("", { type: "search", placeholder: "Client address" })),
    kind: named(
      "Kind",
      select([
        ["", "Any kind"],
        ["request", "Requests"],
        ["stream", "Streams"],
        ["websocket", "WebSockets"],
      ]),
    ),
    older_than: named("Age", select(times("age"))),
    silent_for: named("Silence", select(times("silence"))),
    sort: named(
      "Order",
      select([
        ["", "Oldest first"],
        ["bytes", "Most bytes first"],
      ]),
    ),
  }
}

/** Every request, stream and WebSocket that is under way. */
export const liveView = (shared: Shared, lifetime: Lifetime): View => {
  const problem = element("div", { class: "problem", is: { role: "alert" } })
  const total = element("span", {}, "loading…")
  const area = element("div", { class: "card grow" })
  const filters = makeFilters()
  const query = (): string =>
    withQuery("/v1/live", {
      limit: String(most),
      ...Object.fromEntries(Object.entries(filters).map(([name, { value }]) => [name, value])),
    })
  const loader = new Loader<LivePage>(
    area,
    lifetime,
    (signal) => shared.api.get(query(), signal),
    ({ live, next }) => {
      fill(problem)
      table.show(live)
      setText(total, `${exact(live.length)}${next === null ? "" : "+"} under way`)
    },
    (error) => fill(problem, problemText(error)),
  )
  const table = liveTable(shared, true, loader.restart)
  area.append(table.node)
  for (const filter of Object.values(filters)) filter.addEventListener("input", loader.restart)
  lifetime.every(refreshEvery, loader.refresh)
  loader.restart()
  return {
    title: "Live",
    node: element(
      "section",
      { class: "page" },
      element("div", { class: "bar" }, ...Object.values(filters)),
      problem,
      area,
      element("footer", { class: "dim" }, total),
    ),
    keys: { "/": () => filters.session.focus() },
    reload: loader.restart,
  }
}
