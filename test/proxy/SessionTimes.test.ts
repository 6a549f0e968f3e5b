import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ExplainView } from "../../src/admin/api/ExplainView.js"
import { startAdminLab } from "../admin/AdminLab.js"
import { answer, chunk, request, response } from "../support/HttpText.js"
import { RawOrigin, silent } from "../support/RawOrigin.js"
import { startLab } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"
import { refusedWs } from "../support/WsPeer.js"

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)
const long = 3_600_000
const patch = "Content-Type: application/merge-patch+json"

describe("the time of a session for the head of a response", () => {
  it.scopedLive("lets a model think for longer than the proxy waits for others, and is changed while it runs", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { timeout: 100 }, script: silent })
      yield* proxy.repo.add({ id: "model", url: origin.url, status: "active", policy: { timeout: long } })
      const client = yield* proxy.connect
      yield* client.send(request("GET /model/x"))
      const connection = yield* origin.connection(0)
      yield* connection.head
      const other = yield* proxy.connect
      assert.strictEqual((yield* other.ask(request("GET /app/x"))).status, 504)
      yield* connection.send(answer("200 OK", "thought"))
      assert.strictEqual((yield* client.response()).text, "thought")
      yield* proxy.repo.set("model", { policy: { timeout: 50 } })
      yield* inForce
      assert.strictEqual((yield* client.ask(request("GET /model/x"))).status, 504)
      yield* proxy.repo.set("model", { policy: { timeout: null } })
      yield* inForce
      const again = yield* proxy.connect
      assert.strictEqual((yield* again.ask(request("GET /model/x"))).status, 504)
    }),
  )

  it.scopedLive("holds for handshakes, too", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      yield* proxy.repo.add({ id: "brief", url: origin.url, status: "active", policy: { timeout: 50 } })
      const refused = yield* refusedWs(`${proxy.url}/ws/brief`)
      assert.strictEqual(refused.status, 504)
    }),
  )
})

describe("the time of a session for silence", () => {
  it.scopedLive("cuts its responses where those of others may be silent, and is taken back", () =>
    Effect.gen(function* () {
      const streaming = response("200 OK", ["Transfer-Encoding: chunked"], chunk("begun"))
      const origin = yield* RawOrigin.start((connection) =>
        Effect.zipRight(connection.head, connection.send(streaming)),
      )
      const proxy = yield* startProxy({ sessions: { calm: origin.url } })
      yield* proxy.repo.add({ id: "app", url: origin.url, status: "active", policy: { idleTimeout: 50 } })
      const calm = yield* proxy.connect
      yield* calm.send(request("GET /calm/x"))
      yield* calm.seen("begun")
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      yield* client.gone
      assert.isTrue(calm.isOpen)
      yield* proxy.repo.set("app", { policy: { idleTimeout: 0 } })
      yield* inForce
      const patient = yield* proxy.connect
      yield* patient.send(request("GET /app/x"))
      yield* patient.seen("begun")
      assert.isTrue(patient.isOpen)
    }),
  )
})

describe("the time of a session for a connection", () => {
  it.scopedLive("is in place of that of the proxy, TLS included", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      const url = `https://${origin.authority}`
      yield* proxy.repo.add({ id: "deaf", url, status: "active", policy: { connectTimeout: 50 } })
      const reply = yield* Effect.flatMap(proxy.connect, (client) => client.ask(request("GET /deaf/x")))
      assert.deepStrictEqual([reply.status, reply.value("proxy-status")], [502, "ss-proxy; error=connection_timeout"])
      assert.strictEqual((yield* refusedWs(`${proxy.url}/ws/deaf`)).status, 502)
    }),
  )
})

describe("times of a session in the admin API", () => {
  it.scopedLive("are numbers or texts of seconds, and explained with whose word they are", () =>
    Effect.gen(function* () {
      const { askSocket, get, proxy } = yield* startAdminLab({ settings: { connectTimeout: 7_000, wsMaxMessage: 0 } })
      const change = (body: unknown) => askSocket("PATCH /v1/sessions/app", JSON.stringify(body), [patch])
      assert.strictEqual((yield* change({ timeout: 600, hold: "2.5", idle_timeout: 0 })).status, 200)
      const found = yield* Effect.flatten(proxy.repo.find("app"))
      assert.deepInclude(found.session.policy, { timeout: 600_000, hold: 2_500, idleTimeout: 0 })
      const { policies, steps } = Schema.decodeUnknownSync(ExplainView)(yield* get("/v1/explain?target=/app/x"))
      for (const policy of [
        { name: "timeout", value: "600", from: "session" },
        { name: "hold", value: "2.5", from: "session" },
        { name: "connect_timeout", value: "7", from: "proxy" },
        { name: "ws_max_message", value: "0", from: "proxy" },
      ])
        assert.deepInclude(policies, policy)
      assert.include(steps.join("\n"), "timeout 600")
      const refused = yield* change({ timeout: 0 })
      assert.strictEqual(refused.status, 400)
      assert.include(refused.text, "seconds")
      assert.strictEqual((yield* change({ timeout: true })).status, 400)
      assert.strictEqual((yield* change({ timeout: null })).status, 200)
    }),
  )
})
