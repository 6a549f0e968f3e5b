import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"
import { jsonOf, readToken, startAdminLab } from "./AdminLab.js"

const longReason = "ü".repeat(50)
const wrongCloses = [{ code: 1000 }, { code: 5000 }, { code: "1001" }, { code: 4000.5 }, { reason: `${longReason}x` }]

describe("what is live on a session", () => {
  it.scopedLive("is killed by the API, with the close code that it names", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ script: agreeing() })
      const { client } = yield* openThrough(lab, "/app/socket")
      for (const body of [...wrongCloses, { cod: 4000 }, []]) {
        const { status, text } = yield* lab.askSocket("POST /v1/sessions/app/kill", JSON.stringify(body))
        assert.strictEqual(status, 400, JSON.stringify(body))
        assert.include(text, '"errors":[{')
      }
      const killed = yield* lab.askSocket(
        "POST /v1/sessions/app/kill",
        JSON.stringify({ code: 4001, reason: longReason }),
      )
      assert.strictEqual(killed.status, 202)
      assert.deepEqual(jsonOf(killed), { requests: 0, streams: 0, websockets: 1 })
      yield* eventually(
        Effect.sync(() => client.bytes.toString("utf8").includes(longReason)),
        "the client to be told",
      )
      assert.include(client.bytes.toString("latin1"), "\x0f\xa1")
      yield* client.raw.reset
      // Without a body, it is closed by 1001.
      const again = yield* openThrough(lab, "/app/socket")
      assert.strictEqual((yield* lab.askSocket("POST /v1/sessions/app/kill")).status, 202)
      yield* eventually(
        Effect.sync(() => again.client.bytes.toString("latin1").includes("\x03\xe9the session was killed")),
        "the client to be told",
      )
      yield* again.client.raw.reset
      assert.strictEqual((yield* lab.askSocket("POST /v1/sessions/none/kill")).status, 404)
    }),
  )

  it.scopedLive("is ended one by one, as the body says; its target is shown as --log-query says", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ script: agreeing(), settings: { logQuery: "drop" } })
      const { client } = yield* openThrough(lab, "/app/socket?plain=1")
      const { live } = (yield* lab.get("/v1/live")) as { live: ReadonlyArray<{ id: string; target: string }> }
      assert.strictEqual(live[0]?.target, "/app/socket")
      const call = `DELETE /v1/live/${live[0]?.id}`
      for (const body of wrongCloses) assert.strictEqual((yield* lab.askSocket(call, JSON.stringify(body))).status, 400)
      assert.strictEqual((yield* lab.askWith(readToken, call)).status, 403)
      assert.strictEqual((yield* lab.askSocket(call, '{"code":4999,"reason":"done"}')).status, 204)
      yield* eventually(
        Effect.sync(() => client.bytes.toString("latin1").includes("\x13\x87done")),
        "the client to be told",
      )
      yield* client.raw.reset
      yield* eventually(
        Effect.sync(() => lab.proxy.log.some((line) => line.includes("session=app") && line.includes(call))),
        "the line of the log",
      )
    }),
  )

  it.scopedLive("drains until its time is over or somebody ends that; the status stays", () =>
    Effect.gen(function* () {
      const { ask, askSocket, askWith, get } = yield* startAdminLab()
      const drained = yield* askSocket("POST /v1/sessions/app/drain", '{"grace":"10m"}')
      assert.strictEqual(drained.status, 202)
      const { draining_until: until } = jsonOf(drained) as { draining_until: string }
      assert.approximately(Date.parse(until), Date.now() + 600_000, 60_000)
      assert.deepInclude(yield* get("/v1/sessions/app"), { draining_until: until, status: "active", forwards: false })
      const { steps } = (yield* get("/v1/explain?target=/app/")) as { steps: ReadonlyArray<string> }
      assert.include(steps, `its status is active, and it drains until ${until}`)
      const refused = yield* ask(request("GET /app/"))
      assert.strictEqual(refused.status, 503)
      assert.isAbove(Number(refused.value("retry-after")), 500)
      assert.strictEqual((yield* askWith(readToken, "DELETE /v1/sessions/app/drain")).status, 403)
      assert.strictEqual((yield* askSocket("DELETE /v1/sessions/app/drain")).status, 204)
      assert.deepInclude(yield* get("/v1/sessions/app"), { draining_until: null, forwards: true })
      assert.strictEqual((yield* ask(request("GET /app/"))).status, 200)
      assert.strictEqual((yield* askSocket("POST /v1/sessions/app/drain")).status, 202)
      assert.strictEqual((yield* askSocket("POST /v1/sessions/app/drain", '{"grace":"soon"}')).status, 400)
      for (const call of ["POST /v1/sessions/none/drain", "DELETE /v1/sessions/none/drain"])
        assert.strictEqual((yield* askSocket(call)).status, 404)
    }),
  )
})
