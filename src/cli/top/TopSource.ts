import { Clock, Effect, Either, type Option } from "effect"
import type { LiveView } from "../../admin/api/LiveGroup.js"
import type { SessionView } from "../../admin/api/SessionGroup.js"
import { version } from "../../domain/Version.js"
import type { AdminCalls, AdminPlace } from "../admin/AdminClient.js"
import { callFailed, callsAt, noProxy, runningPlaces } from "../admin/Proxies.js"
import type { Database } from "../Database.js"
import { CommandFailed } from "../Failure.js"
import { mergedAnswers, type ProxyAnswer } from "./Merge.js"
import { RateMemory } from "./RateMemory.js"
import type { LiveRow, SessionRow, SessionState, Snapshot, TopSort } from "./Snapshot.js"

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
  readonly memory: RateMemory
}

const nameOf = (place: AdminPlace): string => ("path" in place ? place.path : place.url)

/** Live things of one session that are shown. */
const mostLive = 500

const stateOf = ({ draining_until, forwards }: typeof SessionView.Type): SessionState =>
  typeof draining_until === "string" ? "draining" : forwards ? "ok" : "closed"

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

const sessionRow = (view: typeof SessionView.Type, memory: RateMemory, now: number): SessionRow => {
  const { activity, draining_until: until, id, live, status } = view
  return {
    ...memory.ratesOf(id, activity, now),
    id,
    status,
    state: stateOf(view),
    drainingUntil: typeof until === "string" ? Date.parse(until) : undefined,
    requests: live?.requests ?? 0,
    streams: live?.streams ?? 0,
    websockets: live?.websockets ?? 0,
    lastError: undefined,
    idle: activity?.idle_seconds ?? undefined,
  }
}

/** Asks one proxy for all that is wanted. */
const ask = ({ calls, memory }: Proxy, { filter, limit, live }: Wanted): Effect.Effect<ProxyAnswer, CommandFailed> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const query = { limit, include: ["live", "activity"] as const, ...(filter !== "" && { q: filter }) }
    const [{ missing, processes }, page, things] = yield* Effect.all(
      [
        calls.processes({}),
        calls.sessions.list({ urlParams: query }),
        live === undefined
          ? Effect.succeed([])
          : Effect.map(calls.live.list({ urlParams: { session: live, limit: mostLive } }), ({ live }) => live),
      ],
      { concurrency: 3 },
    )
    const sessions = page.sessions.map((view) => sessionRow(view, memory, now))
    const rates = memory.endLook()
    const sumOf = (count: (process: (typeof processes)[number]) => number) =>
      processes.reduce((sum, process) => sum + count(process), 0)
    return {
      totals: {
        ...rates,
        version,
        processes: processes.length,
        uptime: Math.max(0, ...processes.map(({ uptime_seconds }) => uptime_seconds)),
        streams: sumOf(({ live }) => live.streams),
        websockets: sumOf(({ live }) => live.websockets),
        sessions: sessions.length,
      },
      sessions,
      hasMore: page.next !== null,
      live: things.map(liveRow),
      missing: [...missing, ...page.missing],
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

  /** Does the same at every proxy, and says how many it did something at. */
  everywhere<A, E>(use: (calls: AdminCalls) => Effect.Effect<A, E>): Effect.Effect<ReadonlyArray<Either.Either<A, E>>> {
    return Effect.suspend(() => Effect.forEach(this.proxies, ({ calls }) => Effect.either(use(calls))))
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
        return [this.proxies.find((known) => known.name === name) ?? { name, calls: own, memory: new RateMemory() }]
      })
    })
  }
}

/** So many looks, and other proxies are looked for again. */
const looksBetweenSearches = 5

const firstFailure = (answers: ReadonlyArray<Either.Either<ProxyAnswer, CommandFailed>>): CommandFailed =>
  answers.flatMap((answer) => (Either.isLeft(answer) ? [answer.left] : []))[0] ??
  new CommandFailed({ problem: "no proxy answers", hint: "see whether one runs" })
