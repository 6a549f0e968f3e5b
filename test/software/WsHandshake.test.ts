import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { WsPath } from "../../src/domain/ProxyConfig.js"
import { answer } from "../support/HttpText.js"
import { unusedPort } from "../support/Listening.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin, type WsOriginOptions } from "../support/WsOrigin.js"
import { openWs, refusedWs } from "../support/WsPeer.js"

const lab = (options: WsOriginOptions = {}, wsPath: WsPath = "append", base = "") =>
  Effect.gen(function* () {
    const origin = yield* WsOrigin.start(options)
    const proxy = yield* startProxy({ sessions: { app: origin.url + base }, settings: { wsPath } })
    return { origin, proxy }
  })

/** Of `ws`'s servers, those that do not take the first subprotocol that is offered. */
const takesSecond: WsOriginOptions = { handleProtocols: (offered) => [...offered][1] ?? false }

interface PathCase {
  readonly rule: WsPath
  readonly asked: string
  readonly base?: string
  readonly seen: string
}

const paths: ReadonlyArray<PathCase> = [
  { rule: "append", asked: "/ws/app", seen: "/app" },
  { rule: "append", asked: "/ws/app/", seen: "/app/" },
  { rule: "append", asked: "/ws/app/rest/of%2Fit?q=1&q=%20", seen: "/app/rest/of%2Fit?q=1&q=%20" },
  { rule: "append", asked: "/ws/app?token=a%2Bb", seen: "/app?token=a%2Bb" },
  { rule: "append", asked: "/ws/app/rest", base: "/base/", seen: "/base/app/rest" },
  { rule: "append", asked: "/app/api/kernels?id=7", seen: "/api/kernels?id=7" },
  { rule: "append", asked: "/app/api", base: "/base", seen: "/base/api" },
  { rule: "full", asked: "/ws/app", seen: "/ws/app" },
  { rule: "full", asked: "/ws/app/rest?q", seen: "/ws/app/rest?q" },
  { rule: "full", asked: "/app/api", seen: "/api" },
  { rule: "strip", asked: "/ws/app", seen: "/" },
  { rule: "strip", asked: "/ws/app/rest?q", seen: "/rest?q" },
  { rule: "strip", asked: "/ws/app/rest", base: "/base", seen: "/base/rest" },
]

describe("a handshake of the package ws", () => {
  for (const { rule, asked, base, seen } of paths)
    it.scopedLive(
      `for ${asked} is ${seen} at the server, by the rule ${rule}${base ? ` and the base ${base}` : ""}`,
      () =>
        Effect.gen(function* () {
          const { origin, proxy } = yield* lab({}, rule, base)
          const client = yield* openWs(proxy.url + asked)
          const { handshake, peer } = yield* origin.connection()
          assert.strictEqual(handshake.url, seen)
          client.socket.send("hello")
          assert.strictEqual(yield* peer.message, "hello")
        }),
    )

  it.scopedLive("carries the client's fields, cookies, credentials and origin to the server", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* lab()
      yield* openWs(`${proxy.url}/ws/app`, {
        origin: "https://app.example",
        headers: { Cookie: "a=1; b=2", Authorization: "Bearer secret", "X-Custom": "value", "User-Agent": "tester/1" },
      })
      const { handshake } = yield* origin.connection()
      assert.deepInclude(handshake.headers, {
        origin: "https://app.example",
        cookie: "a=1; b=2",
        authorization: "Bearer secret",
        "x-custom": "value",
        "user-agent": "tester/1",
        host: origin.url.replace("http://", ""),
        "x-forwarded-host": proxy.url.replace("http://", ""),
        "x-forwarded-proto": "http",
        "x-forwarded-for": "127.0.0.1",
      })
    }),
  )

  it.scopedLive("that offers several subprotocols gets the one that the server picks", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* lab(takesSecond)
      const client = yield* openWs(`${proxy.url}/ws/app`, { protocols: ["v1.example", "v2.example", "v3.example"] })
      const { peer, handshake } = yield* origin.connection()
      assert.strictEqual(client.socket.protocol, "v2.example")
      assert.strictEqual(peer.socket.protocol, "v2.example")
      assert.strictEqual(handshake.headers["sec-websocket-protocol"], "v1.example,v2.example,v3.example")
    }),
  )

  it.scopedLive("that the server refuses gets the server's status, fields and body", () =>
    Effect.gen(function* () {
      const body = JSON.stringify({ error: "who are you?" })
      const fields = ["Content-Type: application/json", 'WWW-Authenticate: Bearer realm="app"', "Connection: close"]
      const { proxy, origin } = yield* lab({ refuse: () => answer("401 Unauthorized", body, fields) })
      const refusal = yield* refusedWs(`${proxy.url}/ws/app`)
      assert.deepInclude(refusal, { status: 401, body, opened: false })
      assert.strictEqual(refusal.headers["www-authenticate"], 'Bearer realm="app"')
      assert.strictEqual(origin.handshakes.length, 1)
    }),
  )

  it.scopedLive("gets a redirect as it is; a client that follows it arrives", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* lab({
        refuse: ({ url }) => (url === "/old" ? answer("302 Found", "", ["Location: /app/new"]) : undefined),
      })
      const refusal = yield* refusedWs(`${proxy.url}/app/old`)
      assert.deepInclude(refusal, { status: 302, opened: false })
      assert.strictEqual(refusal.headers.location, "/app/new")
      const client = yield* openWs(`${proxy.url}/app/old`, { followRedirects: true })
      const { peer, handshake } = yield* origin.connection()
      assert.strictEqual(handshake.url, "/new")
      client.socket.send("arrived")
      assert.strictEqual(yield* peer.message, "arrived")
    }),
  )

  it.scopedLive("is answered 502 where nobody listens, and never opens", () =>
    Effect.gen(function* () {
      const port = yield* unusedPort
      const proxy = yield* startProxy({ sessions: { app: `http://127.0.0.1:${port}` } })
      for (const path of ["/ws/app", "/app/socket"]) {
        const refusal = yield* refusedWs(proxy.url + path)
        assert.deepInclude(refusal, { status: 502, opened: false })
        assert.include(refusal.body, "downstream_unreachable")
        assert.notInclude(refusal.body, String(port))
      }
    }),
  )

  it.scopedLive("is answered 404 for an unknown session, 503 for one that is not forwarding", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({ sessions: { sleeping: { url: "http://127.0.0.1:9", status: "stopped" } } })
      assert.strictEqual((yield* refusedWs(`${proxy.url}/ws/nobody`)).status, 404)
      assert.strictEqual((yield* refusedWs(`${proxy.url}/ws/sleeping`)).status, 503)
    }),
  )

  it.scopedLive("is needed on the WebSocket route: a plain GET is answered 426", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* lab()
      const plain = yield* Effect.promise(() => fetch(`${proxy.url}/ws/app`))
      assert.strictEqual(plain.status, 426)
      assert.strictEqual(plain.headers.get("upgrade"), "websocket")
      assert.include(yield* Effect.promise(() => plain.text()), "upgrade_required")
      assert.deepStrictEqual(origin.http.exchanges, [])
    }),
  )
})
