import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema, TestClock } from "effect"
import { SessionView } from "../../src/admin/api/SessionViews.js"
import { ProxyConfig, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import { Downstream } from "../../src/downstream/Downstream.js"
import { layerHealthChecks } from "../../src/downstream/HealthChecks.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionDirectory } from "../../src/sessions/SessionDirectory.js"
import { Traffic } from "../../src/traffic/Traffic.js"
import { startAdminLab } from "../admin/AdminLab.js"
import { answered } from "../http/RequestLab.js"
import { eventually } from "../support/Changes.js"
import { answer, request } from "../support/HttpText.js"
import { hello } from "../support/Lab.js"
import { valueIn } from "../support/Numbers.js"
import type { Script } from "../support/RawOrigin.js"

const sessionOf = Schema.decodeUnknownSync(SessionView)

/** Answers the requests of clients, and those of checks as it is told at the moment; `undefined`: not at all. */
const serverOf =
  (told: { up: string | undefined }): Script =>
  (connection) =>
    Effect.gen(function* () {
      for (;;) {
        const { target } = yield* connection.request
        const said = target.startsWith("/base/up") ? told.up : hello
        if (said === undefined) return
        yield* connection.send(said)
      }
    })

const settings = { healthCheck: "/up?full=1", healthCheckInterval: 20, healthCheckTimeout: 1_000 }

type Health = NonNullable<(typeof SessionView.Type)["health"]>

const startLab = (told: { up: string | undefined }) =>
  Effect.map(startAdminLab({ script: serverOf(told), base: "/base", settings }), (lab) => {
    const session = (id = "app") => Effect.map(lab.get(`/v1/sessions/${id}`), sessionOf)
    const healthThat = (fits: (health: Health) => boolean, id?: string) =>
      Effect.gen(function* () {
        const seen: Array<Health> = []
        const looked = Effect.map(session(id), ({ health }) => {
          if (health === null || !fits(health)) return false
          seen.push(health)
          return true
        })
        yield* eventually(looked, "another health")
        return seen[0]
      })
    return { ...lab, session, healthThat }
  })

describe("health checks", () => {
  it.scopedLive("ask each server in use for the path behind that of its URL, and note what comes", () =>
    Effect.gen(function* () {
      const told: { up: string | undefined } = { up: answer("503 Service Unavailable", "") }
      const lab = yield* startLab(told)
      yield* lab.proxy.repo.put({ id: "unused", url: lab.origin.url, status: "active" })
      assert.strictEqual((yield* lab.ask(request("GET /app/"))).status, 200)
      const failing = yield* lab.healthThat(({ last_error: last }) => last?.reason === "it answered 503")
      assert.deepInclude(failing, { state: "failing", checked: "active" })
      assert.strictEqual(failing?.last_error?.code, "health_check_failed")
      const sent = lab.origin.requests.find(({ target }) => target === "/base/up?full=1")
      assert.match(sent?.value("user-agent") ?? "", /^ss-proxy\/\S+ \(health check\)$/)

      // No request is refused for it, and an answer to a client is not what the check asks for.
      assert.strictEqual((yield* lab.ask(request("GET /app/"))).status, 200)
      assert.strictEqual((yield* lab.session()).health?.state, "failing")

      told.up = answer("302 Found", "")
      yield* lab.healthThat(({ state }) => state === "ok")
      told.up = undefined
      yield* lab.healthThat(({ last_error: last }) => last?.reason === "no answer within 1 s")
      const metrics = yield* lab.proxy.metrics
      for (const result of ["ok", "status", "timeout"])
        assert.isAbove(valueIn(metrics, `ss_proxy_health_checks_total{result="${result}"}`) ?? 0, 0, result)
    }),
  )

  it.scopedLive("ask behind the id where the server gets that, too", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ script: serverOf({ up: hello }), base: "/base", settings })
      yield* lab.proxy.repo.set("app", { policy: { path: "keep" } })
      yield* lab.ask(request("GET /app/"))
      yield* lab.origin.seen("GET /base/app/up?full=1 HTTP/1.1")
    }),
  )

  it.scopedLive("are no activity, no requests of clients, and leave the status alone", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ up: answer("500 Internal Server Error", "") })
      yield* lab.ask(request("GET /app/"))
      yield* lab.healthThat(({ failures }) => failures > 2)
      const after = yield* lab.session()
      assert.strictEqual(after.status, "active")
      assert.deepInclude(after.activity, { requests: 1, errors: 0, bytes_in: 0, bytes_out: 5 })
      assert.deepInclude(after.live, { requests: 0, streams: 0, websockets: 0 })
      const metrics = yield* lab.proxy.metrics
      assert.strictEqual(valueIn(metrics, 'ss_proxy_http_requests_total{method="GET",status="2xx",cause=""}'), 1)
      // Each has had a connection of its own, for which it was not kept.
      const checks = lab.origin.connections.filter(({ text }) => text.includes("GET /base/up"))
      for (const { text } of checks) {
        assert.strictEqual(text.split("GET ").length, 2)
        assert.include(text, "\r\nConnection: close\r\n")
      }
    }),
  )

  it.scopedLive("go to no address that requests may not go to, and to no session that is gone or paused", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ up: hello })
      yield* lab.ask(request("GET /app/"))
      yield* lab.proxy.repo.put({ id: "own", url: lab.proxy.url, status: "active" })
      assert.strictEqual((yield* lab.ask(request("GET /own/"))).status, 508)
      yield* lab.healthThat(({ checked, state }) => state === "failing" && checked === "active", "own")
      yield* lab.proxy.repo.remove("own")
      yield* lab.proxy.repo.put({ id: "app", url: `${lab.origin.url}/base`, status: "paused" })
      yield* lab.proxy.repo.put({ id: "other", url: `${lab.origin.url}/other`, status: "active" })
      yield* lab.ask(request("GET /other/"))
      const known = Effect.map(lab.proxy.metrics, (text) => valueIn(text, "ss_proxy_directory_entries"))
      yield* eventually(
        Effect.map(known, (entries) => entries === 2),
        "the session that is gone to be forgotten",
      )
      const asked = (path: string) => lab.origin.requests.filter(({ target }) => target.startsWith(path)).length
      const [before, others] = [asked("/base/up"), asked("/other/up")]
      yield* eventually(
        Effect.sync(() => asked("/other/up") > others + 5),
        "checks of the other session",
      )
      assert.strictEqual(asked("/base/up"), before)
    }),
  )
})

/** Checks of many sessions by a `Downstream` of the test's. */
const startMany = (
  count: number,
  ask: Effect.Effect<ReturnType<typeof answered>>,
  settings: Partial<ProxySettings> = {},
) =>
  Effect.gen(function* () {
    const sessions = Array.from({ length: count }, (_, index) => ({
      id: `s${index}`,
      url: "http://h:1",
      status: "active",
    }))
    const parts = Layer.mergeAll(
      SessionDirectory.layer,
      Traffic.layer,
      Layer.succeed(Downstream, { request: () => ask, upgrade: () => Effect.die("not asked for") }),
    )
    const services = yield* Layer.build(
      Layer.provideMerge(
        parts,
        Layer.merge(layerMemory(sessions), ProxyConfig.layer({ healthCheck: "/", ...settings })),
      ),
    )
    const directory = Context.get(services, SessionDirectory)
    for (const { id } of sessions) yield* directory.lookup(id)
    yield* Effect.provide(Layer.build(layerHealthChecks), services)
  })

describe("health checks of many sessions", () => {
  it.scoped("are spread over the interval", () =>
    Effect.gen(function* () {
      let asked = 0
      yield* startMany(
        30,
        Effect.sync(() => (asked++, answered(""))),
      )
      yield* TestClock.adjust(0)
      assert.strictEqual(asked, 1)
      for (const expected of [11, 21, 31]) {
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(asked, expected)
      }
    }),
  )

  it.scopedLive("are 64 at a time at most; the next begins when one is over", () =>
    Effect.gen(function* () {
      let [now, most, asked] = [0, 0, 0]
      const answers: Array<() => void> = []
      const ask = Effect.async<ReturnType<typeof answered>>((resume) => {
        asked++
        most = Math.max(most, ++now)
        answers.push(() => (now--, resume(Effect.succeed(answered("")))))
      })
      yield* startMany(200, ask, { healthCheckInterval: 10 })
      for (let over = 0; over < 3; over++) {
        yield* eventually(
          Effect.sync(() => asked === 64 + over),
          `${64 + over} checks`,
        )
        answers[over]?.()
      }
      assert.strictEqual(most, 64)
    }),
  )
})
