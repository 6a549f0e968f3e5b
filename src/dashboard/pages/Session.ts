import { Problem, sessionPath, withQuery } from "../Api.js"
import { Chart } from "../Chart.js"
import { problemText } from "../Dialog.js"
import { button, element, fill, input, link, select, setText } from "../Element.js"
import { bytes, bytesPerSecond, duration, exact, milliseconds, moment, rate } from "../Format.js"
import { drainSession, editSession, killSession, policiesOf, removeSession, resumeSession } from "../SessionActions.js"
import type { Activity, Explanation, Failure, LiveCounts, LivePage, Session, SessionChange } from "../Shapes.js"
import { Loader, type Lifetime, type Shared, type View } from "../View.js"
import { errorTable } from "./ErrorTable.js"
import { liveTable } from "./LiveTable.js"
import { changedBy, stateOf } from "./SessionShown.js"
import { tailCard } from "./Tail.js"

const refreshEvery = 3_000
/** Seconds of the charts. */
const mostPoints = 900

interface Point {
  readonly time: string
  readonly live: LiveCounts
}

const chartsOf = (lifetime: Lifetime) => {
  const shared = { timeOf: ({ time }: Point) => time, group: "session" }
  return [
    new Chart<Point>(
      {
        ...shared,
        title: "Requests per second",
        format: rate,
        lines: [
          { label: "requests", colour: "--accent", read: ({ live }) => live.requests_per_second ?? null },
          { label: "errors", colour: "--bad", read: ({ live }) => live.errors_per_second ?? null },
        ],
      },
      lifetime,
    ),
    new Chart<Point>(
      {
        ...shared,
        title: "Time to answer",
        format: milliseconds,
        lines: [
          { label: "p50", colour: "--accent", read: ({ live }) => live.p50_ms ?? null },
          { label: "p99", colour: "--warn", read: ({ live }) => live.p99_ms ?? null },
        ],
      },
      lifetime,
    ),
  ]
}

const pairs = (list: ReadonlyArray<readonly [name: string, value: string]>): ReadonlyArray<HTMLElement> =>
  list.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { title: value }, value)])

const healthText = ({ health }: Session): string => {
  if (health === undefined || health === null) return "not known"
  const error = health.last_error
  const last = error === null ? "" : `, last ${error.code}${error.reason === null ? "" : ` (${error.reason})`}`
  return `${health.state}${health.failures > 0 ? `, ${exact(health.failures)} failures${last}` : ""}`
}

const rowFacts = (session: Session): ReadonlyArray<HTMLElement> =>
  pairs([
    ["Server", session.url],
    ["Status", session.status],
    ["Health", healthText(session)],
    ...policiesOf(session).map(
      ([name, value]) => [name, value === null ? "as the settings say" : String(value)] as const,
    ),
    ["Created", moment(session.created_at)],
    ["Changed", moment(session.updated_at)],
  ])

const liveFacts = ({ live }: Session): ReadonlyArray<HTMLElement> =>
  live === undefined
    ? []
    : pairs([
        ["Requests", exact(live.requests)],
        ["Streams", exact(live.streams)],
        ["WebSockets", exact(live.websockets)],
        ["In", bytesPerSecond(live.bytes_in_per_second)],
        ["Out", bytesPerSecond(live.bytes_out_per_second)],
        ["Last error", live.last_error ?? "–"],
      ])

/** What kept it alive, and who. */
const keptAlive = (activity: Activity): string => {
  const { idle_seconds: idle, last_client: client, last_kind: kind } = activity
  if (idle === null || kind === null) return "No activity is known."
  const by = client === null ? "" : ` from ${client}`
  return `Kept alive by a ${kind === "websocket" ? "WebSocket" : kind}${by}, ${duration(idle)} ago.`
}

const activityFacts = (activity: Activity): ReadonlyArray<HTMLElement> => [
  element("p", {}, keptAlive(activity)),
  element(
    "dl",
    { class: "facts" },
    ...pairs([
      ["Last request", moment(activity.last_request_at)],
      ["Last from a client", moment(activity.last_client_at)],
      ["Last from its server", moment(activity.last_server_at)],
      ["Requests", exact(activity.requests)],
      ["Errors", exact(activity.errors)],
      ["Bytes in", bytes(activity.bytes_in)],
      ["Bytes out", bytes(activity.bytes_out)],
      [
        "Does not count",
        `${exact(activity.uncounted.pings)} pings, ${exact(activity.uncounted.ignored_requests)} requests`,
      ],
    ]),
  ),
]

/** What would become of a request for it. */
const explainCard = ({ api }: Shared, id: string): HTMLElement => {
  const encoded = encodeURIComponent(id)
  const target = input(`/${encoded}/`, { "aria-label": "Path of the request" })
  const kind = select([
    ["", "Request"],
    ["websocket", "WebSocket"],
  ])
  kind.ariaLabel = "Kind"
  const result = element("div", { class: "steps", is: { "aria-live": "polite" } })
  const show = ({ steps, target, verdict }: Explanation): void => {
    const end = verdict.forwards
      ? `Forwards to ${target ?? "its server"}`
      : `${[verdict.status, verdict.code].filter((part) => part !== null).join(" ")}: ${verdict.detail}`
    const lines = steps.slice(0, -1).map((step) => element("li", {}, step))
    fill(result, element("ol", {}, ...lines), element("p", { class: verdict.forwards ? "good" : "bad" }, end))
  }
  const explain = (event: Event): void => {
    event.preventDefault()
    api
      .get<Explanation>(withQuery("/v1/explain", { target: target.value, upgrade: kind.value }))
      .then(show, (error: unknown) => fill(result, element("p", { class: "bad" }, problemText(error))))
  }
  kind.addEventListener("change", () => {
    if (target.value === `/${encoded}/`) target.value = `/ws/${encoded}`
    else if (target.value === `/ws/${encoded}`) target.value = `/${encoded}/`
  })
  const go = element("button", { is: { type: "submit" } }, "Explain")
  return element(
    "section",
    { class: "card pad" },
    element("h2", {}, "What would become of a request?"),
    element("form", { class: "row", on: { submit: explain } }, kind, target, go),
    result,
  )
}

/** The parts of the page that show the session itself. */
const makeHead = (shared: Shared, lifetime: Lifetime, id: string, reload: () => void) => {
  const state = element("span", { class: "chip" })
  const facts = element("dl", { class: "facts mono" })
  const live = element("dl", { class: "facts" })
  const problem = element("div", { class: "problem", is: { role: "alert" } })
  const failed = (error: unknown): void => fill(problem, problemText(error))
  let session: Session | undefined
  const isDraining = (): boolean => session?.draining_until !== undefined && session.draining_until !== null
  const act = (does: () => void | Promise<void>) => (): void => {
    if (!shared.api.mayWrite) return shared.say("This token may only read.", true)
    void Promise.resolve(does()).catch(failed)
  }
  const acts = {
    edit: act(() => editSession(shared, id, reload)),
    drain: act(() => (isDraining() ? resumeSession(shared, id, reload) : drainSession(shared, id, reload))),
    resume: act(() => resumeSession(shared, id, reload)),
    kill: act(() => killSession(shared, id, reload)),
    remove: act(() => removeSession(shared, id, () => shared.go("#/sessions"))),
  }
  const drain = button("Drain", acts.drain)
  const buttons = shared.api.mayWrite
    ? [button("Edit", acts.edit), drain, button("Kill", acts.kill), button("Remove", acts.remove)]
    : []
  const draw = (): void => {
    if (session === undefined) return
    const { text, tone } = stateOf(session)
    setText(state, text)
    state.className = `chip ${tone}`
    setText(drain, isDraining() ? "Resume" : "Drain")
    fill(facts, ...rowFacts(session))
    fill(live, ...liveFacts(session))
  }
  lifetime.every(1_000, () => {
    if (isDraining()) draw()
  })
  return {
    acts,
    failed,
    node: element(
      "header",
      { class: "session-head" },
      element("div", { class: "row" }, link("#/sessions", "← Sessions", { class: "dim" })),
      element(
        "div",
        { class: "row" },
        element("h1", { class: "mono", title: id }, id),
        state,
        element("span", { class: "gap" }),
        ...buttons,
      ),
      problem,
    ),
    cards: [
      element("section", { class: "card pad" }, element("h2", {}, "Row"), facts),
      element("section", { class: "card pad" }, element("h2", {}, "Under way"), live),
    ],
    show: (shown: Session): void => {
      fill(problem)
      session = shown
      draw()
    },
    change: (change: SessionChange): void => {
      if (session === undefined) return
      session = changedBy(change)(session)
      draw()
    },
  }
}

interface Loaded {
  readonly session: Session
  readonly live: LivePage
  readonly activity: Activity
  readonly errors: ReadonlyArray<Failure>
}

const load = async ({ api }: Shared, id: string, signal: AbortSignal): Promise<Loaded> => {
  const [session, live, activity, { errors }] = await Promise.all([
    api.get<Session>(sessionPath(id), signal),
    api.get<LivePage>(withQuery("/v1/live", { session: id, limit: "100" }), signal),
    api.get<Activity>(sessionPath(id, "/activity"), signal),
    api.get<{ readonly errors: ReadonlyArray<Failure> }>(withQuery("/v1/errors", { session: id, limit: "20" }), signal),
  ])
  return { session, live, activity, errors }
}

/** All about one session. */
export const sessionView = (shared: Shared, lifetime: Lifetime, id: string): View => {
  const charts = chartsOf(lifetime)
  const head = makeHead(shared, lifetime, id, () => loader.restart())
  const activity = element("div")
  let isKnown = false
  const area = element("div", { class: "columns" })
  const loader = new Loader<Loaded>(
    area,
    lifetime,
    (signal) => load(shared, id, signal),
    (loaded) => {
      isKnown = true
      page.classList.remove("absent")
      head.show(loaded.session)
      live.show(loaded.live.live)
      errors.show(loaded.errors)
      fill(activity, ...activityFacts(loaded.activity))
    },
    (error) => {
      // What was seen of a session that is removed now stays.
      const isAbsent = !isKnown && error instanceof Problem && error.code === "session_not_found"
      page.classList.toggle("absent", isAbsent)
      head.failed(error)
    },
  )
  const live = liveTable(shared, false, loader.restart)
  const errors = errorTable(false)
  const titled = (title: string, node: HTMLElement): HTMLElement =>
    element("section", { class: "card" }, element("header", {}, element("h2", {}, title)), node)
  fill(area, ...head.cards, element("section", { class: "card pad" }, element("h2", {}, "Activity"), activity))
  shared.feed.watch([id])
  shared.feed.onSessions.add(([change]) => {
    if (change?.id === id) head.change(change)
    if (change?.live !== undefined) latest = change.live
  }, lifetime.signal)
  let latest: LiveCounts | undefined
  let points: ReadonlyArray<Point> = []
  shared.feed.onSample.add(({ time }) => {
    if (latest === undefined) return
    points = [...points.slice(1 - mostPoints), { time, live: latest }]
    for (const chart of charts) chart.show(points)
  }, lifetime.signal)
  const page = element(
    "section",
    { class: "page scrolls" },
    head.node,
    area,
    element("div", { class: "charts" }, ...charts.map(({ node }) => node)),
    titled("Under way", live.node),
    tailCard(shared, lifetime, id),
    titled("Errors", errors.node),
    explainCard(shared, id),
  )
  lifetime.every(refreshEvery, loader.refresh)
  loader.restart()
  return {
    title: id,
    node: page,
    keys: {
      Escape: () => shared.go("#/sessions"),
      e: head.acts.edit,
      d: head.acts.drain,
      r: head.acts.resume,
      x: head.acts.kill,
      Delete: head.acts.remove,
    },
    reload: loader.restart,
  }
}
