import { assert, describe, it } from "@effect/vitest"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Context, Effect, Fiber, FiberRef, Option, Schema } from "effect"
import { LiveView } from "../../src/admin/api/LiveView.js"
import { ExplainView } from "../../src/admin/api/ExplainView.js"
import { SessionView } from "../../src/admin/api/SessionViews.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { eventually } from "../support/Changes.js"
import { chunk, request, response } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { saying, silent } from "../support/RawOrigin.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"
import { jsonOf, startAdminLab, writeToken } from "./AdminLab.js"

const sessionsOf = Schema.decodeUnknownSync(
  Schema.Struct({ sessions: Schema.Array(SessionView), next: Schema.NullOr(Schema.String) }),
)
const liveOf = Schema.decodeUnknownSync(
  Schema.Struct({ live: Schema.Array(LiveView), next: Schema.NullOr(Schema.String) }),
)
const explanationOf = Schema.decodeUnknownSync(ExplainView)

const put = (repo: typeof SessionRepo.Service, id: string, status = "active", url = "http://127.0.0.1:9") =>
  repo.put({ id, url, status })

describe("the admin API", () => {
  it.scopedLive("says what runs, since when, and with which settings, but no secret", () =>
    Effect.gen(function* () {
      const { askSocket, get } = yield* startAdminLab()
      assert.containsAllKeys(yield* get("/v1/version"), ["version", "node", "started_at"])
      assert.nestedProperty(yield* get("/v1/processes"), "processes[0].live.websockets")
      const { text } = yield* askSocket("GET /v1/config")
      assert.include(text, '{"name":"admin-port","value":"0","from":"program"}')
      assert.include(text, '{"name":"timeout","value":"30","from":"default"}')
      assert.include(text, '{"name":"adminToken","value":"set","from":"program"}')
      assert.notInclude(text, "of-the-laboratory")
    }),
  )

  it.scopedLive("lists sessions a page at a time, none twice, whoever adds and removes some meanwhile", () =>
    Effect.gen(function* () {
      const { get, proxy } = yield* startAdminLab()
      const ids = Array.from({ length: 250 }, (_, index) => `s-${String(index).padStart(3, "0")}`)
      for (const id of ids) yield* put(proxy.repo, id)
      const seen: Array<string> = []
      let after = ""
      for (;;) {
        const { next, sessions } = sessionsOf(yield* get(`/v1/sessions?limit=30&prefix=s-${after}`))
        seen.push(...sessions.map(({ id }) => id))
        if (next === null) break
        after = `&after=${next}`
        yield* proxy.repo.remove(seen.at(-1) ?? "")
        yield* put(proxy.repo, `s-000-${seen.length}`)
      }
      assert.deepStrictEqual(seen, ids)
      const part = sessionsOf(yield* get("/v1/sessions?q=-24"))
      assert.deepStrictEqual(
        part.sessions.map(({ id }) => id),
        ["s-000-240", ...ids.filter((id) => id.includes("-24"))],
      )
    }),
  )

  it.scopedLive("goes on where a page of a large table holds few that fit", () =>
    Effect.gen(function* () {
      const { get, proxy } = yield* startAdminLab()
      const many = Array.from({ length: 20_050 }, (_, index) => ({
        id: `many-${String(index).padStart(5, "0")}`,
        url: "http://127.0.0.1:9",
        status: index === 20_049 ? "paused" : "active",
      }))
      yield* proxy.repo.addAll(many, { replace: false })
      const first = sessionsOf(yield* get("/v1/sessions?status=paused"))
      assert.deepStrictEqual(first.sessions, [])
      const second = sessionsOf(yield* get(`/v1/sessions?status=paused&after=${first.next}`))
      assert.deepStrictEqual(
        second.sessions.map(({ id }) => id),
        ["many-20049"],
      )
      assert.isNull(second.next)
    }),
  )

  it.scopedLive("shows a session by any id that a path can name, with a tag that any change changes", () =>
    Effect.gen(function* () {
      const { askSocket, proxy } = yield* startAdminLab()
      const ids = [
        "a/b",
        "%",
        "ü",
        "a b",
        "A",
        "events",
        "<script>",
        "line\nbreak",
        "x".repeat(4_000),
        "a//b",
        "?",
        "#",
      ]
      for (const id of ids) {
        yield* put(proxy.repo, id)
        const answer = yield* askSocket(`GET /v1/sessions/${encodeURIComponent(id)}`)
        assert.nestedPropertyVal(jsonOf(answer), "id", id)
      }
      const tag = Effect.map(askSocket("GET /v1/sessions/A"), (found) => found.value("etag"))
      const before = yield* tag
      assert.match(before ?? "", /^"[0-9a-f]{16}"$/)
      assert.strictEqual(yield* tag, before)
      yield* proxy.repo.set("A", { status: "paused" })
      assert.notStrictEqual(yield* tag, before)
      assert.strictEqual((yield* askSocket("GET /v1/sessions/a")).status, 404)
    }),
  )

  it.scopedLive("shows a session as active from the moment that a request of it is over", () =>
    Effect.gen(function* () {
      const { ask, askSocket, get } = yield* startAdminLab()
      // What answers is loaded now, so that no second passes below, after which this would be known anyhow.
      yield* get("/v1/version")
      yield* ask(request("GET /app/"))
      assert.match((yield* askSocket("GET /v1/sessions/app")).text, /"last_request_at":"\d/)
    }),
  )

  it.scopedLive("shows activity, and takes note of a touch", () =>
    Effect.gen(function* () {
      const { ask, askSocket, get } = yield* startAdminLab()
      yield* ask(request("GET /app/"))
      assert.nestedPropertyVal(yield* get("/v1/sessions/app?include=live"), "activity.requests", 1)
      assert.nestedPropertyVal(yield* get("/v1/sessions/app/activity"), "last_kind", "request")
      assert.strictEqual((yield* askSocket("POST /v1/sessions/app/touch")).status, 204)
      assert.nestedPropertyVal(yield* get("/v1/sessions/app/activity"), "last_kind", "touch")
      assert.strictEqual((yield* askSocket("POST /v1/sessions/none/touch")).status, 404)
    }),
  )

  it.scopedLive("shows what is under way, and ends one thing of it: a WebSocket by 1001", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ script: agreeing() })
      const { askSocket, get } = lab
      const { client } = yield* openThrough(lab, "/app/socket?token=hunter2")
      const { live } = liveOf(yield* get("/v1/live?kind=websocket&session=app"))
      const [socket] = live
      assert.lengthOf(live, 1)
      assert.deepInclude(socket, {
        method: "GET",
        status: 101,
        target: "/app/socket?token=REDACTED",
        kind: "websocket",
      })
      assert.deepStrictEqual(liveOf(yield* get("/v1/live?older_than=1h")).live, [])
      assert.nestedPropertyVal(yield* get("/v1/sessions?include=live"), "sessions[0].live.websockets", 1)
      assert.nestedPropertyVal(yield* get(`/v1/live/${socket?.id}`), "id", socket?.id)
      // Numbers of another process name nothing here, whatever they are.
      const serial = socket?.id.split("-")[1]
      for (const id of [`zzzz-${serial}`, `-${serial}`, String(serial), `${socket?.id}-1`, "x".repeat(5_000)])
        assert.strictEqual((yield* askSocket(`DELETE /v1/live/${id}`)).status, 404)
      assert.strictEqual((yield* askSocket(`DELETE /v1/live/${socket?.id}`)).status, 204)
      yield* eventually(
        Effect.sync(() => client.story.some((frame) => frame.includes("ended by an operator"))),
        "the client to be told",
      )
      assert.include(client.bytes.toString("latin1"), "\x03\xe9ended by an operator")
      yield* client.raw.reset
      yield* eventually(
        Effect.map(askSocket(`GET /v1/live/${socket?.id}`), ({ status }) => status === 404),
        "the WebSocket to be over",
      )
    }),
  )

  it.scopedLive("ends a request that is not answered yet by 503, and an answer on its way by a reset", () =>
    Effect.gen(function* () {
      const waiting = yield* startAdminLab({ script: silent })
      const client = yield* waiting.proxy.connect
      yield* client.send(request("GET /app/"))
      const idOf = (lab: typeof waiting, kind: string) =>
        Effect.gen(function* () {
          const find = Effect.map(lab.get(`/v1/live?kind=${kind}`), (page) => liveOf(page).live[0]?.id)
          yield* eventually(
            Effect.map(find, (id) => id !== undefined),
            "it to be under way",
          )
          return yield* find
        })
      const id = yield* idOf(waiting, "request")
      assert.strictEqual((yield* waiting.askSocket(`DELETE /v1/live/${id}`)).status, 204)
      const answer = yield* client.response()
      assert.strictEqual(answer.status, 503)
      assert.include(answer.text, '"code":"session_unavailable"')

      const begun = saying(response("200 OK", ["Transfer-Encoding: chunked"], chunk("one")))
      const streaming = yield* startAdminLab({ script: begun })
      const reader = yield* streaming.proxy.connect
      yield* reader.send(request("GET /app/"))
      yield* reader.head
      const stream = yield* idOf(streaming, "stream")
      assert.strictEqual((yield* streaming.askSocket(`DELETE /v1/live/${stream}`)).status, 204)
      yield* reader.gone
    }),
  )

  it.scopedLive("pages through what is under way, oldest first", () =>
    Effect.gen(function* () {
      const { get, proxy } = yield* startAdminLab({ script: silent })
      for (let count = 1; count <= 5; count++) {
        const client = yield* proxy.connect
        yield* client.send(request(`GET /app/${count}`))
        yield* eventually(
          Effect.map(proxy.trafficCount, (open) => open === count),
          "the request to be under way",
        )
      }
      const first = liveOf(yield* get("/v1/live?limit=3"))
      const second = liveOf(yield* get(`/v1/live?limit=3&after=${first.next}`))
      const targets = [...first.live, ...second.live].map(({ target }) => target)
      assert.deepStrictEqual(targets, ["/app/1", "/app/2", "/app/3", "/app/4", "/app/5"])
      assert.isNull(second.next)
    }),
  )

  it.scopedLive("says what is wrong with a request as problem+json, with a method that fits or without", () =>
    Effect.gen(function* () {
      const { askSocket } = yield* startAdminLab()
      const cases: ReadonlyArray<readonly [line: string, body: string | undefined, status: number, code: string]> = [
        ["GET /v1/nothing", undefined, 404, "not_found"],
        ["PUT /v1/version", undefined, 405, "method_not_allowed"],
        ["DELETE /v1/sessions/app/touch", undefined, 405, "method_not_allowed"],
        ["GET /v1/sessions?limit=0", undefined, 400, "invalid_request"],
        ["GET /v1/sessions?after=nonsense", undefined, 400, "invalid_request"],
        ["GET /v1/live?silent_for=soon", undefined, 400, "invalid_request"],
        ["GET /v1/explain", undefined, 400, "invalid_request"],
        ["POST /v1/tokens", "{", 400, "invalid_request"],
        ["POST /v1/tokens", '{"for":"0s"}', 400, "invalid_request"],
        ["POST /v1/tokens", `"${"x".repeat(1_100_000)}"`, 413, "body_too_large"],
      ]
      for (const [line, body, status, code] of cases) {
        const answer = yield* askSocket(line, body)
        assert.strictEqual(answer.status, status, line)
        assert.strictEqual(answer.value("content-type"), "application/problem+json", line)
        assert.nestedPropertyVal(jsonOf(answer), "code", code)
      }
      const refused = yield* askSocket("PUT /v1/version")
      assert.strictEqual(refused.value("allow"), "GET, HEAD")
      const wrongType = yield* askSocket("POST /v1/tokens", "{}", ["Content-Type: text/plain"])
      assert.strictEqual(wrongType.status, 415)
    }),
  )

  it.scopedLive("remembers what went wrong, by session and by request, and not what clients did", () =>
    Effect.gen(function* () {
      const { ask, get, proxy } = yield* startAdminLab()
      yield* put(proxy.repo, "gone", "active", "http://127.0.0.1:1")
      const answer = yield* ask(request("GET /gone/?token=hunter2"))
      yield* ask(request("GET /none/"))
      const errors = yield* get("/v1/errors?session=gone")
      assert.nestedPropertyVal(errors, "errors.length", 1)
      assert.nestedPropertyVal(errors, "errors[0].code", "downstream_unreachable")
      assert.nestedPropertyVal(errors, "errors[0].target", "/gone/?token=REDACTED")
      const id = answer.value("x-request-id")
      assert.nestedPropertyVal(yield* get(`/v1/errors?request_id=${id}`), "errors[0].session", "gone")
      assert.nestedPropertyVal(yield* get("/v1/errors"), "errors.length", 1)
    }),
  )

  it.scopedLive("does not give back what does not fit, however deep it is", () =>
    Effect.gen(function* () {
      const { askSocket } = yield* startAdminLab()
      for (const body of ['[{"url":"http://user:hunter2@localhost"}]', "[".repeat(200_000) + "]".repeat(200_000)])
        for (const line of ["PUT /v1/sessions/app", "POST /v1/sessions/app/kill"]) {
          const answer = yield* askSocket(line, body)
          assert.strictEqual(answer.status, 400)
          assert.notInclude(answer.text, "hunter2")
          assert.isBelow(answer.text.length, 1_000)
        }
    }),
  )

  it.scopedLive("keeps nothing of a call whose answer nobody takes", () =>
    Effect.gen(function* () {
      const { adminPort, askSocket } = yield* startAdminLab()
      yield* askSocket("GET /v1/version")
      // The body is too large, and so is the last thing that is read of this connection.
      const head = request("PUT /v1/sessions/app", [
        `Authorization: Bearer ${writeToken}`,
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
      ])
      for (let count = 0; count < 3; count++) {
        const client = yield* RawClient.connect(adminPort)
        yield* client.send(head, "200000\r\n", "x".repeat(0x200000))
        yield* client.gone
      }
      const calls = Effect.map(Fiber.roots, (roots) =>
        Array.from(roots).filter((root) =>
          Option.isSome(Context.getOption(root.getFiberRef(FiberRef.currentContext), HttpServerRequest)),
        ),
      )
      yield* eventually(
        Effect.map(calls, (left) => left.length === 0),
        "the fibers of these calls to end",
      )
    }),
  )

  it.scopedLive("describes itself", () =>
    Effect.gen(function* () {
      const { askPort } = yield* startAdminLab()
      const description = jsonOf(yield* askPort("GET /openapi.json"))
      assert.nestedPropertyVal(description, "openapi", "3.1.0")
      assert.nestedProperty(description, "paths./v1/live/{live}.delete.responses.404")
    }),
  )
})

describe("explain", () => {
  it.scopedLive("says where a request would go, and sends nothing", () =>
    Effect.gen(function* () {
      const { get, origin, proxy } = yield* startAdminLab()
      const explained = explanationOf(yield* get(`/v1/explain?url=${encodeURIComponent("http://x/app/a?token=t&b=1")}`))
      assert.isTrue(explained.verdict.forwards)
      assert.strictEqual(explained.target, `http://127.0.0.1:${origin.port}/a?token=REDACTED&b=1`)
      assert.deepInclude(explained.fields, { name: "X-Forwarded-Prefix", value: "/app" })
      assert.lengthOf(origin.connections, 0)
      assert.strictEqual(yield* proxy.trafficCount, 0)
    }),
  )

  it.scopedLive("says what becomes of redirects and cookies of the server", () =>
    Effect.gen(function* () {
      const { get, proxy } = yield* startAdminLab()
      const steps = Effect.map(get("/v1/explain?target=/app/a?b"), (found) => explanationOf(found).steps.join("\n"))
      assert.notInclude(yield* steps, "comes back")
      yield* proxy.repo.set("app", { policy: { location: "rewrite", cookies: "confine" } })
      yield* Effect.sleep(10)
      assert.include(yield* steps, "a redirect to /a comes back as one to /app/a")
      assert.include(yield* steps, "a cookie for / comes back with Path=/app")
    }),
  )

  it.scopedLive("says what is wrong with what is stored for a session, which clients are not told", () =>
    Effect.gen(function* () {
      const { get, proxy } = yield* startAdminLab({ settings: { idCase: "fold" } })
      yield* put(proxy.repo, "AA", "active")
      yield* put(proxy.repo, "aa", "active")
      yield* put(proxy.repo, "moved", "active")
      yield* proxy.repo.set("moved", { policy: { setFields: { "X-Key": "hunter2" } } })
      yield* proxy.repo.set("moved", { url: "http://127.0.0.1:8" })
      const steps = (id: string) =>
        Effect.map(get(`/v1/explain?target=/${id}/`), (found) => explanationOf(found).steps.join("\n"))
      assert.match(yield* steps("moved"), /cannot be used: its set_fields were set for another URL/)
      const twins = yield* steps("Aa")
      assert.match(twins, /cannot be used: .*"a+" is the same id where case does not count/i)
      assert.notInclude(twins, "no session with this id")
      assert.include(yield* steps("none"), "there is no session with this id")
    }),
  )

  it.scopedLive("says the same as what a client is answered", () =>
    Effect.gen(function* () {
      const { adminPort, ask, get, proxy } = yield* startAdminLab({ settings: { maxTargetBytes: 50 } })
      yield* put(proxy.repo, "paused", "paused")
      yield* put(proxy.repo, "broken", "active", "http://127.0.0.1:9")
      yield* put(proxy.repo, "loop", "active", `http://127.0.0.1:${adminPort}/`)
      yield* put(proxy.repo, "metadata", "active", "http://169.254.169.254/")
      const cases: ReadonlyArray<readonly [method: string, target: string]> = [
        ["GET", "/none/"],
        ["GET", "/paused/x"],
        ["GET", "/loop/v1/config"],
        ["GET", "/metadata/"],
        ["GET", "/ws/app"],
        ["GET", "/%zz/"],
        ["TRACE", "/app/"],
        ["GET", "/health"],
        ["POST", "/health"],
        ["OPTIONS", "*"],
        ["GET", `/app/${"x".repeat(100)}`],
      ]
      for (const [method, target] of cases) {
        const answer = yield* ask(request(`${method} ${target}`))
        const query = `method=${method}&target=${encodeURIComponent(target)}`
        const { verdict } = explanationOf(yield* get(`/v1/explain?${query}`))
        assert.isFalse(verdict.forwards, target)
        assert.strictEqual(verdict.status, answer.status, target)
        if (verdict.code !== null) assert.include(answer.text, `"code":"${verdict.code}"`)
      }
    }),
  )

  it.scopedLive("knows names of sessions, and who is sent to a path with a slash", () =>
    Effect.gen(function* () {
      const { get, origin, proxy } = yield* startAdminLab({ settings: { sessionHosts: ["apps.test"] } })
      const explain = (url: string) => Effect.map(get(`/v1/explain?url=${encodeURIComponent(url)}`), explanationOf)
      const named = yield* explain("https://user:pw@App.apps.test:8443/ws/x?b=1")
      assert.deepInclude(named.route, { session: "app", rest: "/ws/x?b=1", by_host: true })
      assert.strictEqual(named.target, `http://127.0.0.1:${origin.port}/ws/x?b=1`)
      assert.deepInclude(named.fields, { name: "Host", value: "App.apps.test:8443" })
      assert.include(named.steps[0], "the host names the session app")
      assert.deepInclude((yield* explain("http://none.apps.test/app/x")).verdict, { status: 404, forwards: false })
      const redirected = /a browser, which asks for HTML, gets 308/
      assert.match((yield* explain("http://x/app?q")).steps.join("\n"), redirected)
      yield* proxy.repo.set("app", { policy: { slash: "off" } })
      yield* Effect.sleep(10)
      assert.notMatch((yield* explain("http://x/app?q")).steps.join("\n"), redirected)
    }),
  )

  it.scopedLive("shows whether the server sees which extensions a client offers", () =>
    Effect.gen(function* () {
      const { get, proxy } = yield* startAdminLab()
      const url = encodeURIComponent("ws://x/ws/app")
      const offers = Effect.map(get(`/v1/explain?url=${url}`), (found) =>
        explanationOf(found).fields.some(({ name }) => name === "Sec-WebSocket-Extensions"),
      )
      assert.isTrue(yield* offers)
      yield* proxy.repo.set("app", { policy: { wsExtensions: "hide" } })
      yield* Effect.sleep(10)
      assert.isFalse(yield* offers)
    }),
  )

  it.scopedLive("counts what is open against limits, and takes no place itself", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ script: agreeing(), settings: { maxWebSocketsPerSession: 1 } })
      const verdict = Effect.map(
        lab.get(`/v1/explain?url=${encodeURIComponent("ws://x/ws/app")}`),
        (found) => explanationOf(found).verdict,
      )
      for (let times = 0; times < 3; times++) assert.isTrue((yield* verdict).forwards)
      const { client, server } = yield* openThrough(lab)
      assert.include(yield* verdict, { forwards: false, status: 429 })
      yield* client.raw.reset
      yield* server.raw.gone
    }),
  )
})
