import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ExplainView } from "../../src/admin/api/ExplainView.js"
import { LiveView } from "../../src/admin/api/LiveView.js"
import { ProcessView } from "../../src/admin/api/ProxyViews.js"
import { SessionView } from "../../src/admin/api/SessionViews.js"
import { StatsView } from "../../src/admin/api/StatsGroup.js"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { EventReader } from "../admin/EventReader.js"
import { TellingStore } from "../sessions/TellingStore.js"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { hello } from "../support/Lab.js"
import { valueIn } from "../support/Numbers.js"
import { answering, RawOrigin, type Script, silent } from "../support/RawOrigin.js"
import { type LabWorker, startFleetLab } from "./FleetLab.js"

const processesOf = Schema.decodeUnknownSync(
  Schema.Struct({ processes: Schema.Array(ProcessView), missing: Schema.Array(Schema.String) }),
)
const liveOf = Schema.decodeUnknownSync(
  Schema.Struct({ live: Schema.Array(LiveView), next: Schema.NullOr(Schema.String) }),
)
const sessionsOf = Schema.decodeUnknownSync(Schema.Struct({ sessions: Schema.Array(SessionView) }))
const pageOf = (page: unknown) => {
  const { sessions, ...rest } = readPage(page)
  return { ...rest, sessions: sessions.map(({ id }) => id) }
}
const readPage = Schema.decodeUnknownSync(
  Schema.Struct({
    sessions: Schema.Array(SessionView),
    truncated: Schema.Boolean,
    as_of: Schema.optionalWith(Schema.String, { exact: true }),
  }),
)
const sessionOf = Schema.decodeUnknownSync(SessionView)
const statsOf = Schema.decodeUnknownSync(StatsView)
const explanationOf = Schema.decodeUnknownSync(ExplainView)

const startLab = (script: Script = answering(hello), settings: Partial<ProxySettings> = {}) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(script)
    return yield* startFleetLab(origin.url, settings)
  })

/** The same over a database that may be away. */
const startTelling = Effect.gen(function* () {
  const origin = yield* RawOrigin.start(answering(hello))
  let telling: TellingStore | undefined
  const lab = yield* startFleetLab(origin.url, {}, (rows) => (telling = new TellingStore(rows)).repo)
  return telling === undefined ? yield* Effect.dieMessage("there is no store") : { lab, store: telling }
})

const answered = 'ss_proxy_http_requests_total{method="GET",status="2xx",cause=""}'
const ofApp = 'ss_proxy_session_requests_total{session="app",status="2xx"}'

describe("several workers, as the admin listener of their supervisor shows them", () => {
  it.scopedLive("tell of sessions that are served while the database is away, and when that was heard of last", () =>
    Effect.gen(function* () {
      const { lab, store } = yield* startTelling
      const [one] = [yield* lab.startWorker(1), yield* lab.startWorker(2)]
      yield* one.ask(request("GET /app/"))
      const before = sessionOf(yield* lab.get("/v1/sessions/app"))
      assert.isUndefined(before.as_of)

      store.leave(new StoreUnavailable({ problem: "the database is away", hint: "Wait." }), 5_000)
      assert.include((yield* one.ask(request("GET /app/"))).startLine, "200")
      const { activity, as_of: heardAt = "", live, ...row } = sessionOf(yield* lab.get("/v1/sessions/app"))
      assert.deepInclude(before, row)
      assert.strictEqual(activity?.requests, 2)
      assert.isDefined(live)
      assert.isAtLeast(Date.now() - Date.parse(heardAt), 5_000)
      assert.include((yield* lab.askAdmin("GET /v1/sessions/other")).startLine, "503")

      // What `top` asks for; nobody knows what else there is.
      const asked = yield* lab.get("/v1/sessions?sort=requests&include=live,activity&q=a")
      assert.deepStrictEqual(pageOf(asked), { sessions: ["app"], truncated: true, as_of: heardAt })
      assert.deepInclude(statsOf(yield* lab.get("/v1/stats")).store, { state: "failing", last_ok_at: heardAt })

      const known = explanationOf(yield* lab.get("/v1/explain?url=/app/x"))
      assert.deepInclude(known, { as_of: heardAt, worker: one.link.name })
      assert.isTrue(known.verdict.forwards)
      assert.include(known.steps.join(), `the database is away; it was last heard of at ${heardAt}`)
      const unknown = explanationOf(yield* lab.get("/v1/explain?url=/other/x"))
      assert.deepInclude(unknown.verdict, { status: 503, code: "store_unavailable" })
      assert.include(unknown.steps.join(), "does not know the session")

      store.comeBack()
      assert.isUndefined(sessionOf(yield* lab.get("/v1/sessions/app")).as_of)
    }),
  )

  it.scopedLive("count together, and what is gone goes on counting, however it went", () =>
    Effect.gen(function* () {
      const lab = yield* startLab(answering(hello), { metricsSessions: 10 })
      const [one, two] = [yield* lab.startWorker(1), yield* lab.startWorker(2)]
      const ask = (worker: LabWorker, times: number) =>
        Effect.forEach(Array.from({ length: times }), () => worker.ask(request("GET /app/")), { discard: true })
      yield* ask(one, 2)
      yield* ask(two, 3)
      const both = yield* lab.metrics
      assert.deepStrictEqual([valueIn(both, answered), valueIn(both, ofApp)], [5, 5])
      assert.isDefined(valueIn(both, 'process_resident_memory_bytes{worker="1.1"}'))
      assert.isDefined(valueIn(both, 'process_resident_memory_bytes{worker="supervisor"}'))
      assert.strictEqual(valueIn(both, "ss_proxy_client_connections_total"), 5)

      yield* one.kill
      const without = yield* lab.metrics
      assert.deepStrictEqual([valueIn(without, answered), valueIn(without, ofApp)], [5, 5])
      assert.isUndefined(valueIn(without, 'process_resident_memory_bytes{worker="1.1"}'))
      assert.strictEqual(valueIn(without, "ss_proxy_directory_entries"), 1)

      const third = yield* lab.startWorker(1, 2)
      yield* ask(third, 1)
      yield* ask(two, 1)
      yield* two.end
      const after = yield* lab.metrics
      assert.deepStrictEqual([valueIn(after, answered), valueIn(after, ofApp)], [7, 7])
    }),
  )

  it.scopedLive("are listed, with their supervisor; who does not answer is missing, and its numbers stay", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const [one, two] = [yield* lab.startWorker(1), yield* lab.startWorker(2)]
      yield* two.ask(request("GET /app/"))
      const all = processesOf(yield* lab.get("/v1/processes"))
      assert.deepStrictEqual(
        all.processes.map(({ generation, role, worker }) => [role, worker, generation]),
        [
          ["supervisor", null, null],
          ["worker", "1.1", 1],
          ["worker", "2.1", 1],
        ],
      )
      assert.strictEqual(valueIn(yield* lab.metrics, answered), 1)
      two.stick()
      const { missing, processes } = processesOf(yield* lab.get("/v1/processes"))
      assert.deepStrictEqual([missing, processes.length], [["2.1"], 2])
      assert.strictEqual(valueIn(yield* lab.metrics, answered), 1)
      assert.strictEqual((yield* lab.askAdmin("GET /readyz")).status, 200)
      yield* one.kill
      assert.strictEqual((yield* lab.askAdmin("GET /readyz")).status, 503)
    }),
  )

  it.scopedLive("show what is under way page by page, and each thing is ended where it is", () =>
    Effect.gen(function* () {
      const lab = yield* startLab(silent)
      const [one, two] = [yield* lab.startWorker(1), yield* lab.startWorker(2)]
      for (const [at, worker] of [one, two, one, two, one].entries())
        yield* Effect.flatMap(worker.connect, (client) => client.send(request(`GET /app/${at}`)))
      const first = yield* eventually(
        Effect.map(lab.get("/v1/live"), (page) => liveOf(page).live.length === 5),
        "all",
      ).pipe(Effect.zipRight(lab.get("/v1/live?limit=2")), Effect.map(liveOf))
      const second = liveOf(yield* lab.get(`/v1/live?limit=2&after=${first.next}`))
      const third = liveOf(yield* lab.get(`/v1/live?limit=2&after=${second.next}`))
      const all = [...first.live, ...second.live, ...third.live]
      assert.deepStrictEqual(all.map(({ target, worker }) => `${target} ${worker}`).toSorted(), [
        "/app/0 1.1",
        "/app/1 2.1",
        "/app/2 1.1",
        "/app/3 2.1",
        "/app/4 1.1",
      ])
      assert.isNull(third.next)
      const [chosen = ""] = all.filter(({ worker }) => worker === "2.1").map(({ id }) => id)
      assert.strictEqual((yield* lab.askAdmin(`GET /v1/live/${chosen}`)).status, 200)
      assert.strictEqual((yield* lab.askAdmin(`DELETE /v1/live/${chosen}`)).status, 204)
      assert.strictEqual((yield* lab.askAdmin(`DELETE /v1/live/${chosen}`)).status, 404)
      assert.strictEqual(liveOf(yield* lab.get("/v1/live")).live.length, 4)
      const { live } = sessionOf(yield* lab.get("/v1/sessions/app"))
      assert.strictEqual(live?.requests, 4)
      const { limits, worker } = explanationOf(yield* lab.get("/v1/explain?target=/app/"))
      assert.deepStrictEqual([limits[0]?.now, worker], [4, "1.1"])
    }),
  )

  it.scopedLive("know of sessions together: what was done, how much comes, and what failed", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const [one, two] = [yield* lab.startWorker(1), yield* lab.startWorker(2)]
      yield* lab.repo.put({ id: "gone", url: "http://127.0.0.1:9/", status: "active" })
      yield* one.ask(request("GET /other/"))
      for (const worker of [one, two, two]) yield* worker.ask(request("GET /app/"))
      yield* two.ask(request("GET /gone/"))
      const { sessions } = sessionsOf(yield* lab.get("/v1/sessions?sort=requests&include=activity"))
      assert.deepStrictEqual(
        sessions.map(({ activity, id }) => [id, activity?.requests]),
        [
          ["app", 3],
          ["gone", 1],
          ["other", 1],
        ],
      )
      const errors = yield* lab.get("/v1/errors")
      assert.deepInclude(errors, { missing: [] })
      assert.include(JSON.stringify(errors), '"session":"gone"')
      assert.include(JSON.stringify(errors), '"worker":"2.1"')
      assert.strictEqual(sessionOf(yield* lab.get("/v1/sessions/gone")).health?.state, "failing")
      const busy = Effect.gen(function* () {
        yield* one.ask(request("GET /app/"))
        yield* two.ask(request("GET /app/"))
        const { sample } = statsOf(yield* lab.get("/v1/stats"))
        const { live } = sessionOf(yield* lab.get("/v1/sessions/app"))

        return sample.requests_per_second > 0 && (live?.requests_per_second ?? 0) > 0
      })
      yield* eventually(busy, "rates of the proxy and of the session")
    }),
  )

  it.scopedLive("are followed together, those that come later too; with its reader a tail ends", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const one = yield* lab.startWorker(1)
      const last = yield* Effect.scoped(
        Effect.gen(function* () {
          const reader = yield* EventReader.open(lab.adminSocket, "/v1/tail?session=app")
          yield* reader.until("its head", ({ client }) => client.unread.includes("retry: 2000"))
          const seen = (text: string) => reader.until(text, (now) => JSON.stringify(now.named("record")).includes(text))
          const follows = (worker: LabWorker, target: string) => {
            const asking = Effect.zipRight(Effect.scoped(worker.ask(request(`GET ${target}`))), Effect.sleep(20))
            return Effect.raceFirst(seen(target), Effect.forever(asking))
          }
          yield* follows(one, "/app/first")
          yield* one.kill
          const two = yield* lab.startWorker(2)
          yield* follows(two, "/app/second")
          return two
        }),
      )
      const handed = yield* last.taps.join([])
      yield* eventually(
        Effect.sync(() => handed.length === 0),
        "that nobody is handed records",
      )
    }),
  )
})
