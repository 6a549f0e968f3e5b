import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { startRequestLab, TestRequest } from "../http/RequestLab.js"
import { bareRequest } from "../support/HttpText.js"
import { hello } from "../support/Lab.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs, refusedWs } from "../support/WsPeer.js"

/** Two sessions whose paths at the server tell them apart, below `apps.example.com`. */
const startNames = (settings: Partial<ProxySettings> = {}) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(answering(hello))
    const proxy = yield* startProxy({
      sessions: {
        alice: `${origin.url}/of-alice`,
        bob: `${origin.url}/of-bob/`,
        Carol: origin.url,
        health: origin.url,
      },
      settings: { sessionHosts: ["apps.example.com"], ...settings },
    })
    const ask = (line: string, host: string, lines: ReadonlyArray<string> = []) =>
      Effect.flatMap(proxy.connect, (client) => client.ask(bareRequest(line, [`Host: ${host}`, ...lines])))
    return { origin, proxy, ask, targets: () => origin.requests.map(({ target }) => target) }
  })

describe("a session's own name", () => {
  it.scopedLive("has every path, byte for byte, behind the stored one", () =>
    Effect.gen(function* () {
      const { ask, targets } = yield* startNames()
      const paths = [
        "/",
        "/?q",
        "/x?y=%20&z",
        "//x/../%2e%2F;p",
        "/health",
        "/ws",
        "/ws/bob",
        "/bob/",
        "/bob",
        "/%zz",
        "/a\\b",
      ]
      for (const path of paths)
        assert.strictEqual((yield* ask(`GET ${path}`, "alice.apps.example.com")).status, 200, path)
      yield* ask("GET /bob/x", "BOB.apps.example.com.:8080")
      assert.deepStrictEqual(targets(), [...paths.map((path) => `/of-alice${path}`), "/of-bob/bob/x"])
    }),
  )

  it.scopedLive("reaches the server as the client wrote it, with no prefix", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startNames()
      yield* ask("GET /x", "Alice.Apps.example.com:8443")
      const seen = yield* origin.request()
      assert.strictEqual(seen.value("host"), "Alice.Apps.example.com:8443")
      assert.strictEqual(seen.value("x-forwarded-host"), "Alice.Apps.example.com:8443")
      assert.isUndefined(seen.value("x-forwarded-prefix"))
    }),
  )

  it.scopedLive("may stand in a target of absolute-form, which goes before Host", () =>
    Effect.gen(function* () {
      const { ask, origin, targets } = yield* startNames()
      yield* ask("GET http://alice.apps.example.com:81/x?y", "bob.apps.example.com")
      yield* ask("GET http://alice.apps.example.com", "bob.apps.example.com")
      yield* ask("GET http://alice.apps.example.com?q", "bob.apps.example.com")
      yield* ask("GET http://other.test/alice/x", "bob.apps.example.com")
      assert.deepStrictEqual(targets(), ["/of-alice/x?y", "/of-alice/", "/of-alice/?q", "/of-alice/x"])
      assert.strictEqual((yield* origin.request()).value("host"), "alice.apps.example.com:81")
      assert.strictEqual((yield* origin.request(3)).value("host"), origin.authority)
    }),
  )

  it.scopedLive("leads to nobody where no session has it, whatever the path names", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startNames()
      const strange = [
        "nobody",
        "alice.bob",
        "",
        ".",
        "-",
        "carol",
        "%61lice",
        "alice%2e",
        "a".repeat(64),
        "health",
        "ws",
        "*",
      ]
      for (const label of strange)
        for (const path of ["/alice/x", "/", "/health"]) {
          const reply = yield* ask(`GET ${path}`, `${label}.apps.example.com`)
          assert.deepStrictEqual([reply.status, reply.text.includes('"session_not_found"')], [404, true], label + path)
        }
      for (const host of ["alice.apps.example.com..", "bob@alice.apps.example.com", "alice.apps.example.com:99999"])
        assert.include([400, 404], (yield* ask("GET /alice/x", host)).status, host)
      assert.strictEqual(origin.text, "")
    }),
  )

  it.scopedLive("is no other host: that routes by path", () =>
    Effect.gen(function* () {
      const { ask, proxy, targets } = yield* startNames()
      const others = [
        "apps.example.com",
        "evilapps.example.com",
        "alice.apps.example.com.evil.test",
        "alice.apps.example.org",
        "[::1]:80",
        "127.0.0.1",
        "",
      ]
      for (const host of others) assert.strictEqual((yield* ask("GET /bob/x", host)).status, 200, host)
      assert.strictEqual((yield* ask("GET /health", "apps.example.com")).text, "OK")
      const old = yield* proxy.connect
      assert.strictEqual((yield* old.ask("GET /bob/x HTTP/1.0\r\n\r\n")).status, 200)
      assert.deepStrictEqual(targets(), Array(others.length + 1).fill("/of-bob/x"))
    }),
  )

  it.scopedLive("is not what X-Forwarded-Host says, not even of a trusted proxy", () =>
    Effect.gen(function* () {
      const { ask, targets } = yield* startNames({ trustedProxies: ["127.0.0.1"] })
      const claims = ["X-Forwarded-Host: alice.apps.example.com", "Forwarded: host=alice.apps.example.com"]
      yield* ask("GET /bob/x", "front.test", claims)
      yield* ask("GET /x", "bob.apps.example.com", claims)
      assert.deepStrictEqual(targets(), ["/of-bob/x", "/of-bob/x"])
    }),
  )

  it.scopedLive("is not told from two Hosts: 400, and no session is named for it", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startNames()
      assert.strictEqual(
        (yield* ask("GET /bob/", "alice.apps.example.com", ["Host: bob.apps.example.com"])).status,
        400,
      )
      assert.strictEqual(origin.text, "")
      const { forwarder } = yield* startRequestLab({ settings: { sessionHosts: ["apps.example.com"] } })
      const twice = new TestRequest("/alice/", ["Host", "bob.apps.example.com"])
      yield* Effect.flip(forwarder.forward(twice))
      assert.isUndefined(twice.sessionId)
    }),
  )

  it.scopedLive("leaves the proxy as a whole to OPTIONS *, and TRACE to nobody", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startNames()
      assert.strictEqual((yield* ask("OPTIONS *", "alice.apps.example.com")).status, 204)
      assert.strictEqual((yield* ask("OPTIONS http://alice.apps.example.com", "x")).status, 204)
      assert.strictEqual((yield* ask("TRACE /", "alice.apps.example.com")).status, 405)
      assert.strictEqual((yield* ask("GET /x#y", "alice.apps.example.com")).status, 400)
      assert.strictEqual(origin.text, "")
      yield* ask("OPTIONS /", "alice.apps.example.com")
      assert.strictEqual((yield* origin.request()).startLine, "OPTIONS /of-alice/ HTTP/1.1")
    }),
  )

  it.scopedLive("can be changed on one connection from request to request, and each gets its own session", () =>
    Effect.gen(function* () {
      const { proxy, targets } = yield* startNames()
      const client = yield* proxy.connect
      const hosts = ["alice", "bob", "alice", "bob"]
      yield* client.send(hosts.map((id) => bareRequest("GET /x", [`Host: ${id}.apps.example.com`])).join(""))
      for (const _ of hosts) assert.strictEqual((yield* client.response()).status, 200)
      assert.deepStrictEqual(targets().toSorted(), ["/of-alice/x", "/of-alice/x", "/of-bob/x", "/of-bob/x"])
    }),
  )

  it.scopedLive("means nothing where the setting is off", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startNames({ sessionHosts: [] })
      yield* ask("GET /bob/x", "alice.apps.example.com")
      const seen = yield* origin.request()
      assert.deepStrictEqual([seen.target, seen.value("host")], ["/of-bob/x", origin.authority])
    }),
  )
})

describe("a WebSocket of a session's own name", () => {
  it.scopedLive("goes to any path, which --ws-path does not change, and an unknown name is 404", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* startProxy({
        sessions: { alice: `${origin.url}/base` },
        settings: { sessionHosts: ["apps.example.com"], wsPath: "full" },
      })
      const at = (host: string) => ({ headers: { Host: host } })
      for (const path of ["/", "/ws/bob?x", "/socket"]) {
        const peer = yield* openWs(`${proxy.url}${path}`, at("alice.apps.example.com:80"))
        peer.socket.send("one")
        assert.strictEqual(yield* (yield* origin.connection(origin.accepted.length - 1)).peer.message, "one")
        peer.socket.close(1000)
        yield* peer.closed
      }
      assert.deepStrictEqual(
        origin.accepted.map(({ handshake }) => [handshake.url, handshake.headers.host]),
        ["/base/", "/base/ws/bob?x", "/base/socket"].map((path) => [path, "alice.apps.example.com:80"]),
      )
      assert.strictEqual((yield* refusedWs(`${proxy.url}/ws/alice`, at("bob.apps.example.com"))).status, 404)
      assert.lengthOf(origin.handshakes, 3)
    }),
  )

  it.scopedLive("is a plain request without a handshake, also below /ws", () =>
    Effect.gen(function* () {
      const { ask, targets } = yield* startNames()
      assert.strictEqual((yield* ask("GET /ws/bob", "alice.apps.example.com")).status, 200)
      assert.deepStrictEqual(targets(), ["/of-alice/ws/bob"])
      assert.strictEqual((yield* ask("GET /ws/bob", "apps.example.com")).status, 426)
    }),
  )
})

describe("a server that is named as a session of the proxy", () => {
  it.scopedLive("is a loop, whether the name leads anywhere or not", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startNames()
      const url = `http://bob.apps.example.com:${proxy.port}/`
      yield* proxy.repo.add({ id: "dave", url, status: "active" })
      for (const [line, host] of [
        ["GET /dave/x", "front.test"],
        ["GET /x", "dave.apps.example.com"],
      ] as const)
        assert.strictEqual((yield* ask(line, host)).status, 508)
    }),
  )
})

describe("what is ignored of a session's activity", () => {
  it.scopedLive("is told by the whole path on its own name", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startNames({ activityIgnore: ["/api/status"] })
      yield* ask("GET /api/status", "alice.apps.example.com")
      yield* ask("GET /alice/api/status", "alice.apps.example.com")
      yield* ask("GET /alice/api/status", "apps.example.com")
      yield* proxy.quiet
      const { requests, uncounted } = yield* proxy.activity.report("alice")
      assert.deepStrictEqual([requests, uncounted.ignoredRequests], [3, 2])
    }),
  )
})
