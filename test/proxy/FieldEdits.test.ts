import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SessionPolicy } from "../../src/domain/SessionPolicy.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile } from "../sessions/temporary.js"
import { answer, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab, type LabOptions } from "../support/Lab.js"
import { answering } from "../support/RawOrigin.js"
import { SqliteShell } from "../support/SqliteShell.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs } from "../support/WsPeer.js"

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)

/** A proxy whose session `own` has this policy. */
const labWith = (policy: Partial<SessionPolicy>, options: LabOptions = {}) =>
  Effect.gen(function* () {
    const lab = yield* startLab(options)
    const url = lab.origin.url.replace("//", "//user:password@")
    yield* lab.proxy.repo.add({ id: "own", url, status: "active", policy })
    return { ...lab, url }
  })

const secret = "Bearer secret"
const strangers = [
  "Authorization: Bearer client",
  "authorization: Basic client",
  "X-Team: client",
  "x_team: client",
  "Cookie: a=1",
  "X.Team: client",
  "Accept: */*",
]

describe("fields that a session's server gets", () => {
  const setFields = { Authorization: secret, "X-Team": ["one", "two"] }

  it.scopedLive(
    "are in place of the client's in any spelling, of those that it nominates, and of the URL's user info",
    () =>
      Effect.gen(function* () {
        const { ask, origin } = yield* labWith({ setFields, stripFields: ["Cookie"] })
        const nominates = "Connection: X-Team, authorization, close"
        assert.strictEqual((yield* ask(request("GET /own/x", [nominates, ...strangers]))).status, 200)
        const seen = yield* origin.request()
        assert.deepStrictEqual(seen.values("authorization"), [secret])
        assert.deepStrictEqual(seen.values("x-team"), ["one", "two"])
        assert.deepStrictEqual(seen.values("accept"), ["*/*"])
        for (const name of ["x_team", "x.team", "cookie"]) assert.deepStrictEqual(seen.values(name), [], name)
      }),
  )

  it.scopedLive("are not in trailers either, which lose what is stripped", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* labWith({ setFields, stripFields: ["X-Sum"] })
      const head = request("POST /own/x", ["Transfer-Encoding: chunked", "Connection: close"])
      const trailers = ["x_team: client", "X-Team: client", "x.sum: 1", "X-Kept: 1"]
      assert.strictEqual((yield* ask(head, chunk("abc"), lastChunk(trailers))).status, 200)
      assert.deepStrictEqual((yield* origin.request()).trailers, [["X-Kept", "1"]])
    }),
  )

  it.scopedLive("may strip what a client sent, so that the URL's user info counts", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* labWith({ stripFields: ["Authorization"] })
      assert.strictEqual((yield* ask(request("GET /own/x", [...strangers, "Connection: close"]))).status, 200)
      const basic = `Basic ${Buffer.from("user:password").toString("base64")}`
      assert.deepStrictEqual((yield* origin.request()).values("authorization"), [basic])
    }),
  )

  it.scopedLive("are in handshakes of WebSockets", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const { proxy } = yield* startLab()
      yield* proxy.repo.add({ id: "sock", url: origin.url, status: "active", policy: { setFields } })
      const peer = yield* openWs(`${proxy.url}/ws/sock`, { headers: { "X-TEAM": "client" } })
      const { headers } = origin.accepted[0]?.handshake ?? assert.fail("no handshake")
      assert.deepInclude(headers, { authorization: secret, "x-team": "one, two" })
      peer.socket.close(1000)
      yield* peer.closed
    }),
  )

  it.scopedLive("are those of the settings, unless the session has its own, which replace them whole", () =>
    Effect.gen(function* () {
      const settings = { setFields: { "X-Team": "all", "X-All": "1" }, stripFields: ["Cookie"] }
      const { ask, origin, proxy } = yield* labWith({ setFields: { "X-Team": "own" } }, { settings })
      const see = (id: string, target: string) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* ask(request(`GET /${id}${target}`, ["Cookie: a=1"]))).status, 200)
          const seen = origin.requests.find((one) => one.target === target)
          return ["x-team", "x-all", "cookie"].map((name) => seen?.value(name))
        })
      assert.deepStrictEqual(yield* see("app", "/1"), ["all", "1", undefined])
      assert.deepStrictEqual(yield* see("own", "/2"), ["own", undefined, undefined])
      yield* proxy.repo.set("own", { policy: { setFields: {}, stripFields: [] } })
      yield* inForce
      assert.deepStrictEqual(yield* see("own", "/3"), [undefined, undefined, "a=1"])
      yield* proxy.repo.set("own", { policy: { setFields: null, stripFields: null } })
      yield* inForce
      assert.deepStrictEqual(yield* see("own", "/4"), ["all", "1", undefined])
    }),
  )
})

describe("a secret that is set for a session's server", () => {
  it.scopedLive("does not follow the id to another server, whoever names that, until it is set again", () =>
    Effect.gen(function* () {
      const file = yield* temporaryFile("sessions.db")
      const { ask, origin, proxy, url } = yield* labWith(
        { setFields: { Authorization: secret } },
        { repo: layerSqlite({ filename: file }) },
      )
      const shell = yield* SqliteShell.open(file)
      const status = ask(request("GET /own/x", ["Connection: close"]))
      assert.strictEqual((yield* status).status, 200)
      const other = origin.url.replace("127.0.0.1", "localhost")
      yield* shell.run(`UPDATE sessions SET downstream_server_url = '${other}' WHERE session_id = 'own'`)
      yield* inForce
      const refused = yield* status
      assert.deepStrictEqual([refused.status, JSON.parse(refused.text).code], [502, "session_policy_invalid"])
      assert.isTrue(proxy.log.some((line) => line.includes("set_fields_url") && line.includes("set them again")))
      assert.notInclude(proxy.log.join("\n") + refused.text, "secret")
      yield* shell.run(`UPDATE sessions SET downstream_server_url = '${url}' WHERE session_id = 'own'`)
      yield* inForce
      assert.strictEqual((yield* status).status, 200)
      yield* proxy.repo.set("own", { url: other })
      yield* inForce
      assert.strictEqual((yield* status).status, 502)
      yield* proxy.repo.set("own", { policy: { setFields: { Authorization: secret } } })
      yield* inForce
      assert.strictEqual((yield* status).status, 200)
      for (const value of ["NULL", "''", `'${other}/'`]) {
        yield* shell.run(`UPDATE session_policies SET set_fields_url = ${value} WHERE session_id = 'own'`)
        yield* inForce
        assert.strictEqual((yield* status).status, 502, value)
      }
    }),
  )
})

describe("fields of answers", () => {
  const policy = {
    setResponseFields: { "X-Frame-Options": "DENY", "Set-Cookie": ["a=1", "b=2"] },
    stripResponseFields: ["Server", "X-Sum"],
  }
  const lines = ["Server: old/1", "server: old/2", "x_frame_options: ALLOW", "X-Frame-Options: ALLOW", "X-Kept: 1"]
  const nominates = "Connection: x-frame-options, set-cookie"

  it.scopedLive("are set and stripped, whatever the server nominates, its 103 and trailers only stripped", () =>
    Effect.gen(function* () {
      const hints = response("103 Early Hints", ["Link: </a>", ...lines])
      const head = response("200 OK", ["Transfer-Encoding: chunked", "Set-Cookie: c=3", nominates, ...lines])
      const end = lastChunk(["x.sum: 1", "X_Frame-Options: ALLOW", "X-End: 1"])
      const { ask } = yield* labWith(policy, { script: answering(hints + head + chunk("hello") + end) })
      const got = yield* ask(request("GET /own/x", ["Connection: close"]))
      assert.deepStrictEqual(
        got.interim.map(({ fields }) => fields),
        [
          [
            ["Link", "</a>"],
            ["X-Kept", "1"],
          ],
        ],
      )
      assert.deepStrictEqual(got.values("x-frame-options"), ["DENY"])
      assert.deepStrictEqual(got.values("set-cookie"), ["a=1", "b=2"])
      assert.deepStrictEqual([got.values("server"), got.values("x_frame_options")], [[], []])
      assert.deepStrictEqual([got.value("x-kept"), got.text], ["1", "hello"])
      assert.deepStrictEqual(got.trailers, [["X-End", "1"]])
    }),
  )

  it.scopedLive("are set on a 101, and on the proxy's own answers, which say what their content is", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const setResponseFields = { "X-Frame-Options": "DENY", "Content-Type": "text/css", "Retry-After": "7" }
      const { ask, proxy } = yield* labWith(policy, { settings: { setResponseFields, maxRequestsPerSession: 1 } })
      yield* proxy.repo.add({ id: "sock", url: origin.url, status: "active", policy })
      yield* proxy.repo.add({ id: "gone", url: "http://127.0.0.1:9", status: "active", policy })
      const client = yield* proxy.connect
      const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
      const lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key]
      yield* client.send(request("GET /ws/sock", lines))
      const switched = yield* client.head
      assert.deepStrictEqual([switched.status, switched.values("x-frame-options")], [101, ["DENY"]])
      assert.strictEqual(switched.value("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
      const refused = yield* ask(request("GET /gone/x"))
      assert.deepStrictEqual([refused.status, refused.value("x-frame-options")], [502, "DENY"])
      assert.deepStrictEqual(refused.values("set-cookie"), ["a=1", "b=2"])
      const unknown = yield* ask(request("GET /unknown/x"))
      assert.deepStrictEqual(
        ["x-frame-options", "content-type", "retry-after"].map((name) => unknown.values(name)),
        [["DENY"], ["application/problem+json"], ["7"]],
      )
      assert.isUndefined((yield* ask(request("GET /health"))).value("x-frame-options"))
    }),
  )

  it.scopedLive("are set on answers to requests that are not let in to their session, by its policy", () =>
    Effect.gen(function* () {
      const settings = { setResponseFields: { "X-All": "1" } }
      const { ask, proxy } = yield* labWith({}, { settings })
      const status = "paused"
      yield* proxy.repo.add({ id: "paused", url: "http://127.0.0.1:9", status, policy })
      const see = (line: string) =>
        Effect.map(ask(request(line)), (got) => [got.status, got.value("x-frame-options"), got.value("x-all")])
      // A policy is known once its session was looked up.
      assert.deepStrictEqual(yield* see("GET /paused/x"), [503, "DENY", undefined])
      assert.deepStrictEqual(yield* see("GET /ws/paused"), [426, "DENY", undefined])
      assert.deepStrictEqual(yield* see("GET /ws/unknown"), [426, undefined, "1"])
      yield* proxy.repo.set("paused", { policy: { setResponseFields: {}, stripResponseFields: null } })
      yield* inForce
      assert.deepStrictEqual(yield* see("GET /paused/x"), [503, undefined, undefined])
      yield* proxy.repo.set("paused", { policy: { setResponseFields: null } })
      yield* inForce
      assert.deepStrictEqual(yield* see("GET /paused/x"), [503, undefined, "1"])
    }),
  )

  it.scopedLive("are the server's own where nothing is set", () =>
    Effect.gen(function* () {
      const { ask } = yield* labWith({}, { script: answering(answer("200 OK", "hello", lines)) })
      const got = yield* ask(request("GET /own/x"))
      assert.deepStrictEqual(got.values("server"), ["old/1", "old/2"])
      assert.deepStrictEqual(got.values("x-frame-options"), ["ALLOW"])
    }),
  )
})
