import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ExplainView } from "../../src/admin/api/ExplainView.js"
import { HealthView, SessionView } from "../../src/admin/api/SessionViews.js"
import { valueIn } from "../support/Numbers.js"
import { chunk, request, response } from "../support/HttpText.js"
import { answering, inTurn, saying, silent } from "../support/RawOrigin.js"
import { hello } from "../support/Lab.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"
import { startAdminLab } from "./AdminLab.js"

const sessionOf = Schema.decodeUnknownSync(SessionView)
const sessionsOf = Schema.decodeUnknownSync(Schema.Struct({ sessions: Schema.Array(SessionView) }))
const explanationOf = Schema.decodeUnknownSync(ExplainView)

type AdminLab = Effect.Effect.Success<ReturnType<typeof startAdminLab>>

const healthOf = ({ get }: AdminLab, id = "app"): Effect.Effect<typeof HealthView.Type, unknown> =>
  Effect.map(get(`/v1/sessions/${id}`), (found) => {
    const { health } = sessionOf(found)
    assert(health !== null, "nothing is known of its health")
    return health
  }).pipe(Effect.scoped)

const failingIn = ({ proxy }: AdminLab) =>
  Effect.map(proxy.metrics, (text) => valueIn(text, "ss_proxy_sessions_failing"))

describe("the health of a session's server", () => {
  it.scopedLive("is failing from a reset before the answer on, and ok again with the first answer", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({
        script: inTurn(saying("", "reset"), saying("HTTP/1.1 2", "reset"), answering(hello)),
      })
      assert.isNull(sessionOf(yield* lab.get("/v1/sessions/app")).health)
      const before = Date.now()
      for (let count = 0; count < 2; count++) assert.strictEqual((yield* lab.ask(request("GET /app/"))).status, 502)
      const failing = yield* healthOf(lab)
      assert.deepInclude(failing, { state: "failing", failures: 2, checked: "passive" })
      assert.isAtLeast(Date.parse(failing.since ?? ""), before)
      assert.deepInclude(failing.last_error, { code: "downstream_reset", reason: null })
      assert.strictEqual(yield* failingIn(lab), 1)
      const { health, steps } = explanationOf(yield* lab.get("/v1/explain?target=/app/"))
      assert.deepStrictEqual(health, failing)
      assert.include(
        steps,
        `its server has failed since ${failing.since}, 2 times in a row, last with downstream_reset`,
      )

      assert.strictEqual((yield* lab.ask(request("GET /app/"))).status, 200)
      const ok = yield* healthOf(lab)
      assert.deepInclude(ok, { state: "ok", failures: 0, last_error: failing.last_error })
      assert.strictEqual(yield* failingIn(lab), 0)
    }),
  )

  it.scopedLive("is failing where no connection comes to be, which no request is refused for", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ settings: { denyDownstream: ["127.0.0.2/32"] } })
      yield* lab.proxy.repo.put({ id: "denied", url: "http://127.0.0.2:9", status: "active" })
      for (let count = 0; count < 2; count++) assert.strictEqual((yield* lab.ask(request("GET /denied/"))).status, 502)
      const { sessions } = sessionsOf(yield* lab.get("/v1/sessions?include=live"))
      const [app, denied] = sessions
      assert.isNull(app?.health)
      assert.deepInclude(denied?.health?.last_error, { code: "downstream_unreachable", reason: "denied" })
      assert.strictEqual(denied?.health?.failures, 2)
      const plain = sessionsOf(yield* lab.get("/v1/sessions"))
      assert.isNull(plain.sessions[1]?.health)

      // Another server is another lifetime, of which nothing is known.
      yield* lab.proxy.repo.put({ id: "denied", url: lab.origin.url, status: "active" })
      assert.strictEqual((yield* lab.ask(request("GET /denied/"))).status, 200)
      assert.deepInclude(yield* healthOf(lab, "denied"), { state: "ok", failures: 0, last_error: null })
      assert.strictEqual(yield* failingIn(lab), 0)
    }),
  )

  it.scopedLive("is none the worse for clients that leave, slow answers, broken ones, and the ends of WebSockets", () =>
    Effect.gen(function* () {
      const broken = response("200 OK", ["Transfer-Encoding: chunked"], chunk("a part"))
      const lab = yield* startAdminLab({
        script: inTurn(agreeing(), silent, silent, saying(broken, "reset")),
        settings: { timeout: 50 },
      })
      const tunnel = yield* openThrough(lab)
      yield* tunnel.server.raw.reset
      yield* tunnel.client.raw.gone
      assert.deepInclude(yield* healthOf(lab), { state: "ok", failures: 0 })

      const client = yield* lab.proxy.connect
      yield* client.send(request("GET /app/"))
      yield* lab.origin.connection(1)
      yield* client.reset
      assert.strictEqual((yield* lab.ask(request("GET /app/"))).status, 504)
      const cut = yield* lab.proxy.connect
      yield* cut.send(request("GET /app/"))
      yield* cut.gone
      assert.deepInclude(yield* healthOf(lab), { state: "ok", failures: 0, last_error: null })
    }),
  )
})
