import { withQuery } from "../Api.js"
import { problemText } from "../Dialog.js"
import { button, element, fill, input, select, setClass, setText } from "../Element.js"
import { bytesPerSecond, count, duration, exact, milliseconds, rate } from "../Format.js"
import { addSession, drainSession, editSession, killSession, removeSession, resumeSession } from "../SessionActions.js"
import type { Session, SessionPage } from "../Shapes.js"
import type { Lifetime, Shared, View } from "../View.js"
import { type ListRow, VirtualList } from "../VirtualList.js"
import { changedBy, sessionRoute, stateOf } from "./SessionShown.js"

/** Sessions of a page; and how often those on the screen are asked for again, in milliseconds. */
const pageSize = "200"
const refreshEvery = 10_000
/** Between the last letter of a search and the search, in milliseconds. */
const typingPause = 200

interface Column {
  readonly title: string
  readonly class: string
  /** What the list can be sorted by. */
  readonly sort?: string
  readonly text: (session: Session) => string
}

const columns: ReadonlyArray<Column> = [
  { title: "Session", class: "id mono", sort: "id", text: ({ id }) => id },
  { title: "Status", class: "state", text: (session) => stateOf(session).text },
  { title: "Server", class: "url mono", text: ({ url }) => url },
  { title: "Req/s", class: "num rate", sort: "requests", text: ({ live }) => rate(live?.requests_per_second) },
  { title: "p99", class: "num p99", text: ({ live }) => milliseconds(live?.p99_ms) },
  {
    title: "Open",
    class: "num open",
    sort: "live",
    text: ({ live }) => (live === undefined ? "–" : count(live.requests + live.streams)),
  },
  { title: "WS", class: "num ws", text: ({ live }) => count(live?.websockets) },
  { title: "Err/s", class: "num errors", sort: "errors", text: ({ live }) => rate(live?.errors_per_second) },
  { title: "Out", class: "num out", sort: "bytes", text: ({ live }) => bytesPerSecond(live?.bytes_out_per_second) },
  { title: "Idle", class: "num idle", sort: "activity", text: ({ activity }) => duration(activity?.idle_seconds) },
]

/** What may be done with a session from the list, by key and by button. */
interface Acts {
  readonly open: (session: Session) => void
  readonly edit: (session: Session) => void
  readonly drain: (session: Session) => void
  readonly resume: (session: Session) => void
  readonly kill: (session: Session) => void
}

const isDraining = ({ draining_until: until }: Session): boolean => until !== undefined && until !== null

const makeRow = (list: VirtualList<Session>, acts: Acts): ListRow<Session> => {
  let shown: Session | undefined
  const does = (label: string, act: (session: Session) => void): HTMLButtonElement =>
    button(label, () => shown && act(shown), { class: "quiet", is: { tabindex: "-1" } })
  const drain = does("Drain", (session) => (isDraining(session) ? acts.resume : acts.drain)(session))
  const cells = columns.map(({ class: name }) => element("div", { class: name, is: { role: "gridcell" } }))
  const buttons = element(
    "div",
    { class: "acts", is: { role: "gridcell" } },
    drain,
    does("Kill", acts.kill),
    does("Edit", acts.edit),
  )
  const node = element("div", { class: "line", is: { role: "row" } }, ...cells, buttons)
  node.addEventListener("click", (event) => {
    list.selectNode(node)
    if (shown !== undefined && !(event.target instanceof HTMLButtonElement)) acts.open(shown)
  })
  const show = (session: Session | undefined): void => {
    shown = session
    for (const [at, { text }] of columns.entries()) {
      const cell = cells[at]
      if (cell === undefined) continue
      const value = session === undefined ? (at === 0 ? "…" : "") : text(session)
      setText(cell, value)
      cell.classList.toggle("zero", value === "0" || value === "0 B/s" || value === "–")
    }
    if (session === undefined) return setClass(node, "line empty")
    setText(drain, isDraining(session) ? "Resume" : "Drain")
    setClass(node, `line ${stateOf(session).tone}`)
    node.title = `${session.id}\n${session.url}`
  }
  return { node, show }
}

/** What is asked for. */
interface Filter {
  q: string
  status: string
  idle: string
  sort: string
  order: "asc" | "desc"
}

const idleChoices = [
  ["", "Any activity"],
  ["5m", "Idle 5 minutes"],
  ["1h", "Idle an hour"],
  ["24h", "Idle a day"],
  ["7d", "Idle a week"],
] as const

const statusChoices = [
  ["", "Any status"],
  ["active", "active"],
  ["online", "online"],
  ["ready", "ready"],
  ["paused", "paused"],
  ["offline", "offline"],
] as const

/** The heads of the columns, which sort. */
const makeHead = (filter: Filter, changed: () => void): HTMLElement => {
  const heads = columns.map(({ class: name, sort, title }) => {
    const head = element("div", { class: name, is: { role: "columnheader" } })
    if (sort === undefined) setText(head, title)
    else
      fill(
        head,
        button(
          title,
          () => {
            const isSame = filter.sort === sort
            filter.order = isSame ? (filter.order === "asc" ? "desc" : "asc") : sort === "id" ? "asc" : "desc"
            filter.sort = sort
            draw()
            changed()
          },
          { class: "sort" },
        ),
      )
    return { head, sort }
  })
  const draw = (): void => {
    for (const { head, sort } of heads)
      if (sort !== undefined)
        head.ariaSort = sort !== filter.sort ? "none" : filter.order === "asc" ? "ascending" : "descending"
  }
  draw()
  const acts = element("div", { class: "acts", is: { role: "columnheader", "aria-label": "Actions" } })
  return element("div", { class: "line heads", is: { role: "row" } }, ...heads.map(({ head }) => head), acts)
}

/** What is said in place of rows. */
const emptyText = (filter: Filter): HTMLElement =>
  filter.q === "" && filter.status === "" && filter.idle === ""
    ? element(
        "div",
        {},
        element("h2", {}, "No sessions yet"),
        element("p", {}, "Add one here (key a), or on the machine of the proxy:"),
        element("code", {}, "ss-proxy sessions add my-session http://localhost:9000"),
      )
    : element("div", {}, element("h2", {}, "Nothing found"), element("p", {}, "No session fits this search."))

export const sessionsView = (shared: Shared, lifetime: Lifetime): View => {
  const { api, feed, go, say } = shared
  const filter: Filter = { q: "", status: "", idle: "", sort: "id", order: "asc" }
  const total = element("span", {}, "loading…")
  const problem = element("div", { class: "problem", is: { role: "alert" } })
  const none = element("div", { class: "nothing" })
  none.hidden = true
  const failed = (error: unknown): void => fill(problem, problemText(error))
  const whileWriting =
    (act: (session: Session) => void | Promise<void>) =>
    (session: Session): void => {
      if (!api.mayWrite) return say("This token may only read.", true)
      void Promise.resolve(act(session)).catch(failed)
    }
  const acts: Acts = {
    open: ({ id }) => go(sessionRoute(id)),
    edit: whileWriting(({ id }) => editSession(shared, id, reload)),
    drain: whileWriting(({ id }) => drainSession(shared, id, reload)),
    resume: whileWriting(({ id }) => resumeSession(shared, id, reload)),
    kill: whileWriting(({ id }) => killSession(shared, id, reload)),
  }
  const remove = whileWriting(({ id }) => removeSession(shared, id, () => list.reset()))
  const list = new VirtualList<Session>({
    label: "Sessions",
    columns: columns.length + 1,
    idOf: ({ id }) => id,
    makeRow: (list) => makeRow(list, acts),
    load: async (after) => {
      const { idle, order, q, sort, status } = filter
      const query = { limit: pageSize, include: "live,activity", after, q, status, idle_for: idle }
      const isSorted = sort !== "id" || order !== "asc"
      const path = withQuery("/v1/sessions", { ...query, ...(isSorted && { sort, order }) })
      const { next, sessions } = await api.get<SessionPage>(path, lifetime.signal)
      fill(problem)
      return { items: sessions, next }
    },
    seen: (sessions) => feed.watch(sessions.map(({ id }) => id)),
    counted: (count, isAll) => {
      setText(total, `${exact(count)}${isAll ? "" : "+"} session${count === 1 && isAll ? "" : "s"}`)
      none.hidden = count > 0 || !isAll
      if (!none.hidden) fill(none, emptyText(filter))
    },
    failed: (error) => {
      if (!lifetime.signal.aborted) failed(error)
    },
  })
  const reload = (): void => list.refresh()
  const add = (): void => {
    if (!api.mayWrite) return say("This token may only read.", true)
    addSession(shared, () => list.reset())
  }

  feed.onSessions.add(
    (changes) => list.update(new Map(changes.map((change) => [change.id, changedBy(change)]))),
    lifetime.signal,
  )
  lifetime.every(refreshEvery, reload)
  lifetime.atEnd(() => {
    list.close()
    feed.watch([])
  })

  const { bar, search } = makeBar(
    filter,
    () => list.reset(),
    api.mayWrite ? button("Add session", add, { class: "primary" }) : undefined,
  )
  const selected = (act: (session: Session) => void) => () => {
    if (list.selectedItem !== undefined) act(list.selectedItem)
  }
  const scroller = element(
    "div",
    { class: "scroller" },
    makeHead(filter, () => list.reset()),
    list.node,
    none,
  )
  return {
    title: "Sessions",
    node: element(
      "section",
      { class: `page sessions${api.mayWrite ? "" : " read-only"}` },
      bar,
      problem,
      element("div", { class: "card grow" }, scroller),
      element(
        "footer",
        { class: "dim" },
        total,
        element("span", { class: "keys-hint" }, "j k to move, Enter to open, ? for all keys"),
      ),
    ),
    keys: {
      "/": () => search.focus(),
      j: () => list.move(1),
      k: () => list.move(-1),
      ArrowDown: () => list.move(1),
      ArrowUp: () => list.move(-1),
      Enter: selected(acts.open),
      a: add,
      e: selected(acts.edit),
      d: selected(acts.drain),
      r: selected((session) => (isDraining(session) ? acts.resume(session) : say(`${session.id} does not drain.`))),
      x: selected(acts.kill),
      Delete: selected(remove),
    },
    reload: () => list.refresh(),
  }
}

/** Search, filters, and the button that adds. */
const makeBar = (filter: Filter, changed: () => void, add: HTMLButtonElement | undefined) => {
  const search = input("", { type: "search", placeholder: "Search ids", "aria-label": "Search ids" })
  const status = select(statusChoices)
  const idle = select(idleChoices)
  status.ariaLabel = "Status"
  idle.ariaLabel = "Activity"
  let typing: ReturnType<typeof setTimeout> | undefined
  search.addEventListener("input", () => {
    clearTimeout(typing)
    typing = setTimeout(() => {
      filter.q = search.value
      changed()
    }, typingPause)
  })
  status.addEventListener("change", () => {
    filter.status = status.value
    changed()
  })
  idle.addEventListener("change", () => {
    filter.idle = idle.value
    changed()
  })
  return { bar: element("div", { class: "bar" }, search, status, idle, element("span", { class: "gap" }), add), search }
}
