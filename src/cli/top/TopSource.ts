import { Clock, Effect, Either, type Option } from "effect"
import type { LiveView } from "../../admin/api/LiveView.js"
import type { LiveCounts, SessionView } from "../../admin/api/SessionViews.js"
import type { AdminCalls } from "../admin/AdminClient.js"
import { nameOf } from "../admin/AdminPlace.js"
import { callFailed, callsAt, noProxy, runningPlaces } from "../admin/Proxies.js"
import type { Database } from "../Database.js"
import { CommandFailed } from "../Failure.js"
import { mergedAnswers, type ProxyAnswer } from "./Merge.js"
import type { LiveRow, Rates, SessionRow, SessionState, Snapshot, TopSort } from "./Snapshot.js"

/** What is to be shown. */
export interface Wanted {
  readonly sort: TopSort
  readonly filter: string
  /** The most sessions of each proxy. */
  readonly limit: number
  /** The session whose live things are wanted, too. */
  readonly live: string | undefined
}

/** What was found. */
export interface Looked {
  readonly snapshot: Snapshot
  readonly live: { readonly session: string; readonly rows: ReadonlyArray<LiveRow> } | undefined
}

/** A proxy, and how it is named. */
interface Proxy {
  readonly name: string
  readonly calls: AdminCalls
}

/** Live things of one session that are shown. */
const mostLive = 500

const stateOf = ({ draining_until, forwards, health }: typeof SessionView.Type): SessionState => {
  if (draining_until !== null) return "draining"
  if (!forwards) return "closed"
  return health?.state === "failing" ? "failing" : "ok"
}

/** The rates of an answer: of the whole process, or of a session. */
const ratesOf = (
  view: Pick<
    typeof LiveCounts.Type,
    "requests_per_second" | "errors_per_second" | "bytes_in_per_second" | "bytes_out_per_second" | "p50_ms" | "p99_ms"
  >,
): Rates => ({
  requestsPerSecond: view.requests_per_second ?? undefined,
  errorsPerSecond: view.errors_per_second ?? undefined,
  bytesInPerSecond: view.bytes_in_per_second ?? undefined,
  bytesOutPerSecond: view.bytes_out_per_second ?? undefined,
  p50: view.p50_ms ?? undefined,
  p99: view.p99_ms ?? undefined,
})

const liveRow = (view: typeof LiveView.Type): LiveRow => ({
  id: view.id,
  kind: view.kind,
  age: view.age_ms / 1_000,
  silent: view.silent_ms / 1_000,
  client: view.client,
  bytesIn: view.bytes_in,
  bytesOut: view.bytes_out,
  request: `${view.method} ${view.target}`,
})

/** Nothing is known: a row that no proxy was asked about. */
const noRates: Rates = {
  requestsPerSecond: undefined,
  errorsPerSecond: undefined,
  bytesInPerSecond: undefined,
  bytesOutPerSecond: undefined,
  p50: undefined,
  p99: undefined,
}

/** Its last failure: the code, and what its server did, if it was that. */
const lastFailureOf = ({ health, live }: typeof SessionView.Type): Pick<SessionRow, "lastError" | "lastReason"> => {
  const lastError = live?.last_error ?? undefined
  const ofServer = health?.last_error
  return { lastError, lastReason: ofServer?.code === lastError ? (ofServer?.reason ?? undefined) : undefined }
}

const sessionRow = (view: typeof SessionView.Type): SessionRow => {
  const { activity, draining_until: until, id, live, status } = view
  return {
    ...(live === undefined ? noRates : ratesOf(live)),
    id,
    status,
    state: stateOf(view),
    drainingUntil: until === null ? undefined : Date.parse(until),
    requests: live?.requests ?? 0,
    streams: live?.streams ?? 0,
    websockets: live?.websockets ?? 0,
    ...lastFailureOf(view),
    idle: activity?.idle_seconds ?? undefined,
  }
}

type Query = Parameters<AdminCalls["sessions"]["list"]>[0]["urlParams"]
type Head = Pick<Query, "sort" | "order">

const lately: Head = { sort: "activity" }

/**
 * The sessions that are asked for. Proxies order by what has been so far, and `top` by what is now: what goes on now is among those
 * that were active last, and what goes on all the time among those of the most.
 */
const headsOf: Readonly<Record<TopSort, ReadonlyArray<Head>>> = {
  requests: [lately, { sort: "requests" }],
  p99: [lately, { sort: "requests" }],
  bytes: [lately, { sort: "bytes" }],
  errors: [lately, { sort: "errors" }],
  websockets: [{ sort: "live" }, lately],
  idle: [{ sort: "activity", order: "asc" }],
}

/** The sessions at the head of some orders, each once, and whether there are more. */
const headsAt = (calls: AdminCalls, { filter, limit, sort }: Wanted) =>
  Effect.gen(function* () {
    const query: Query = { limit, include: ["live", "activity"], ...(filter !== "" && { q: filter }) }
    const pages = yield* Effect.forEach(
      headsOf[sort],
      (head) => calls.sessions.list({ urlParams: { ...query, ...head } }),
      { concurrency: 2 },
    )
    const views = new Map(pages.flatMap(({ sessions }) => sessions.map((view) => [view.id, view] as const)))
    return {
      sessions: Array.from(views.values(), sessionRow),
      hasMore: pages.some(({ next }) => next !== null),
      missing: pages.flatMap(({ missing }) => missing),
      asOf: pages.flatMap(({ as_of }) => (as_of === undefined ? [] : [Date.parse(as_of)]))[0],
    }
  })

/** Asks one proxy for all that is wanted. */
const ask = ({ calls }: Proxy, wanted: Wanted): Effect.Effect<ProxyAnswer, CommandFailed> =>
  Effect.gen(function* () {
    const { live } = wanted
    const things =
      live === undefined
        ? Effect.succeed({ live: [] })
        : calls.live.list({ urlParams: { session: live, limit: mostLive } })
    const [{ version }, running, stats, page, under] = yield* Effect.all(
      [calls.version({}), calls.processes({}), calls.stats.latest({}), headsAt(calls, wanted), things],
      { concurrency: 5 },
    )
    const { forwarding, known, others } = stats.sessions
    const serving = running.processes.filter(({ role }) => role !== "supervisor")
    return {
      totals: {
        ...ratesOf(stats.sample),
        version,
        processes: serving.length,
        draining: serving.filter(({ draining }) => draining).length,
        uptime: Math.max(0, ...running.processes.map(({ uptime_seconds }) => uptime_seconds)),
        streams: stats.sample.streams,
        websockets: stats.sample.websockets,
        sessions: forwarding === null || others === null ? known : forwarding + others,
      },
      sessions: page.sessions,
      hasMore: page.hasMore,
      live: under.live.map(liveRow),
      missing: [...new Set([...running.missing, ...page.missing])],
      asOf: page.asOf,
    }
  }).pipe(Effect.mapError(callFailed))

/**
 * Asks the proxies that run on a database, again and again, and puts together what they say. One that is gone is looked for
 * again, so that one that was restarted is found.
 */
export class TopSource {
  private proxies: ReadonlyArray<Proxy> = []
  private looks = 0

  constructor(
    private readonly admin: Option.Option<string>,
    private readonly database: Database,
  ) {}

  /** Fails where nobody answers. */
  look(wanted: Wanted): Effect.Effect<Looked, CommandFailed> {
    return Effect.gen(this, function* () {
      // A proxy may start beside the others.
      if (this.proxies.length === 0 || this.looks++ % looksBetweenSearches === 0) yield* this.search
      const proxies = this.proxies
      if (proxies.length === 0) return yield* noProxy(this.database)
      const answers = yield* Effect.forEach(proxies, (proxy) => Effect.either(ask(proxy, wanted)), { concurrency: 8 })
      const good = answers.flatMap((answer) => (Either.isRight(answer) ? [answer.right] : []))
      const silent = proxies.flatMap(({ name }, at) => {
        const answer = answers[at]
        return answer !== undefined && Either.isLeft(answer) ? [name] : []
      })
      if (silent.length > 0) this.proxies = []
      const [first, ...others] = good
      if (first === undefined) return yield* firstFailure(answers)
      const snapshot = mergedAnswers([first, ...others], silent, yield* Clock.currentTimeMillis)
      const rows = good.flatMap(({ live }) => live)
      return { snapshot, live: wanted.live === undefined ? undefined : { session: wanted.live, rows } }
    })
  }

  /** The calls of the proxies that answered last. */
  get calls(): ReadonlyArray<AdminCalls> {
    return this.proxies.map(({ calls }) => calls)
  }

  /** Those that are known already keep what is known of them. */
  private get search() {
    return Effect.gen(this, function* () {
      const places = yield* runningPlaces(this.admin, this.database)
      const calls = yield* callsAt(places)
      this.proxies = places.flatMap((place, at) => {
        const own = calls[at]
        const name = nameOf(place)
        if (own === undefined) return []
        return [this.proxies.find((known) => known.name === name) ?? { name, calls: own }]
      })
    })
  }
}

/** So many looks, and other proxies are looked for again. */
const looksBetweenSearches = 5

const firstFailure = (answers: ReadonlyArray<Either.Either<ProxyAnswer, CommandFailed>>): CommandFailed =>
  answers.flatMap((answer) => (Either.isLeft(answer) ? [answer.left] : []))[0] ??
  new CommandFailed({ code: "no_proxy", problem: "no proxy answers", hint: "see whether one runs" })
