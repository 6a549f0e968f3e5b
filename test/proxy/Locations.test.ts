import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { BodyStages } from "../../src/http/BodyStages.js"
import { request } from "../support/HttpText.js"
import { type LabOptions, startLab } from "../support/Lab.js"
import { refusedWs } from "../support/WsPeer.js"
import { obliging } from "./ObligingOrigin.js"

const start = (options: LabOptions = {}) =>
  Effect.map(startLab({ script: obliging, settings: { location: "rewrite" }, ...options }), (lab) => {
    const ask = (line: string, say: string, ...more: ReadonlyArray<string>) =>
      lab.ask(request(line, [`X-Say: ${say}`, ...more]))
    const locationOf = (say: string, line = "GET /app/x", ...more: ReadonlyArray<string>) =>
      Effect.map(ask(line, `Location: ${say}`, ...more), (reply) => reply.value("location"))
    return { ...lab, ask, locationOf }
  })

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)

describe("redirects of an app that knows no prefix", () => {
  it.scopedLive("come back under the path of its session, in interim answers too; other fields are as they were", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* start()
      const say = "Location: /a?b=%2F|Content-Location: http://ORIGIN/c|refresh: 1; url='/d'|X-Other: /e|Link: </f>"
      const reply = yield* ask("POST /app/x", say, "Content-Length: 0")
      const names = ["location", "content-location", "refresh", "x-other", "link"]
      const expected = ["/app/a?b=%2F", "/app/c", "1; url='/app/d'", "/e", "</f>"]
      for (const head of [reply, reply.interim[0]])
        assert.deepStrictEqual(
          names.map((name) => head?.value(name)),
          expected,
        )
      assert.strictEqual(reply.status, 302)
      assert.strictEqual(origin.requests[0]?.target, "/x")
    }),
  )

  it.scopedLive("have the id as the client wrote it", () =>
    Effect.gen(function* () {
      const { locationOf } = yield* start()
      assert.strictEqual(yield* locationOf("/a", "GET /%61pp"), "/%61pp/a")
      assert.strictEqual(yield* locationOf("/app/a", "GET /app"), "/app/a")
    }),
  )

  it.scopedLive("lose the base path of the session's URL, and are left alone outside of it", () =>
    Effect.gen(function* () {
      const { locationOf } = yield* start({ base: "/base/" })
      assert.strictEqual(yield* locationOf("/base/a"), "/app/a")
      assert.strictEqual(yield* locationOf("http://ORIGIN/base/a"), "/app/a")
      assert.strictEqual(yield* locationOf("/a"), "/a")
    }),
  )

  it.scopedLive(
    "to the server's own address by https are left alone where its URL has http: they would come back for ever",
    () =>
      Effect.gen(function* () {
        const { locationOf } = yield* start()
        assert.strictEqual(yield* locationOf("http://ORIGIN/a"), "/app/a")
        assert.match((yield* locationOf("https://ORIGIN/a")) ?? "", /^https:\/\/(127\.0\.0\.1|localhost):\d+\/a$/)
      }),
  )

  it.scopedLive("may name the server as it was told that it is called, by https where the client uses that", () =>
    Effect.gen(function* () {
      const { locationOf } = yield* start({ settings: { location: "rewrite", trustedProxies: ["127.0.0.1"] } })
      const told = ["X-Told: app.example", "X-Forwarded-Host: app.example"]
      assert.strictEqual(yield* locationOf("http://ORIGIN/a", "GET /app", ...told), "/app/a")
      assert.strictEqual(yield* locationOf("https://ORIGIN/a", "GET /app", ...told), "https://app.example/a")
      const secure = [...told, "X-Forwarded-Proto: https"]
      assert.strictEqual(yield* locationOf("https://ORIGIN/a", "GET /app", ...secure), "/app/a")
      const behind = [...secure, "X-Forwarded-Prefix: /outer"]
      assert.strictEqual(yield* locationOf("/a", "GET /app", ...behind), "/outer/app/a")
      assert.strictEqual(yield* locationOf("/outer/app/a", "GET /app", ...behind), "/outer/app/a")
      const hostile = [...secure, "X-Forwarded-Prefix: //evil.example"]
      assert.strictEqual(yield* locationOf("/a", "GET /app", ...hostile), "/app/a")
    }),
  )

  it.scopedLive("come with a refused WebSocket, under the path without /ws", () =>
    Effect.gen(function* () {
      const { proxy } = yield* start()
      for (const path of ["/ws/app/chat", "/app/chat"]) {
        const refused = yield* refusedWs(`${proxy.url}${path}`, {
          headers: { "X-Say": "Location: /login", "X-Refuse": "1" },
        })
        assert.strictEqual(refused.headers.location, "/app/login")
      }
    }),
  )

  it.scopedLive(
    "come back under no prefix where the host names the session, and only by address where the server gets the path",
    () =>
      Effect.gen(function* () {
        const { locationOf, proxy } = yield* start({ settings: { location: "rewrite", sessionHosts: ["apps.test"] } })
        const named = "GET http://app.apps.test/x"
        assert.strictEqual(yield* locationOf("/a", named), "/a")
        assert.strictEqual(yield* locationOf("http://ORIGIN/a", named), "/a")
        yield* proxy.repo.set("app", { policy: { path: "keep" } })
        yield* inForce
        assert.strictEqual(yield* locationOf("/a"), "/a")
        assert.strictEqual(yield* locationOf("/app/a"), "/app/a")
        assert.strictEqual(yield* locationOf("http://ORIGIN/app/a"), "/app/a")
      }),
  )

  it.scopedLive("go the other way in the Destination of a copy, and only there", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* start({ base: "/dav" })
      const destination = "Destination: http://proxy.test/app/b.txt"
      yield* ask("MOVE /app/a.txt", "X-A: b", destination)
      yield* ask("COPY /app/a.txt", "X-A: b", "Destination: /app/b.txt")
      yield* ask("PUT /app/a.txt", "X-A: b", destination, "Content-Length: 0")
      const names = [`${origin.url}/dav/b.txt`, "/dav/b.txt", "http://proxy.test/app/b.txt"]
      assert.deepStrictEqual(
        origin.requests.map((asked) => asked.value("destination")),
        names,
      )
    }),
  )

  it.scopedLive("are seen by stages as the server has sent them, and what stages set is changed too", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      const hooks = BodyStages.layer({
        download: (_, { fields }) => {
          seen.push(fields)
          return { stages: [], set: ["Refresh", "0; url=/set"] }
        },
      })
      const { ask } = yield* start({ hooks: Layer.orDie(hooks) })
      const reply = yield* ask("GET /app", "Location: /a")
      assert.deepStrictEqual([reply.value("location"), reply.value("refresh")], ["/app/a", "0; url=/app/set"])
      assert.include(seen[0] ?? [], "/a")
    }),
  )

  it.scopedLive(
    "are relayed where nobody asks for more, for one session or all; a change counts for the next request",
    () =>
      Effect.gen(function* () {
        const { locationOf, proxy } = yield* start({ settings: {} })
        assert.strictEqual(yield* locationOf("/a"), "/a")
        yield* proxy.repo.set("app", { policy: { location: "rewrite" } })
        yield* inForce
        assert.strictEqual(yield* locationOf("/a"), "/app/a")
        yield* proxy.repo.set("app", { policy: { location: "relay" } })
        yield* inForce
        assert.strictEqual(yield* locationOf("/a"), "/a")
      }),
  )
})
