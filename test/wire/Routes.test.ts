import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bareRequest, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { hello } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"

describe("the proxy's own health", () => {
  it.scopedLive("answers GET /health with 200 and OK, without a session", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      const client = yield* proxy.connect
      const health = yield* client.ask(request("GET /health"))
      assert.deepStrictEqual([health.status, health.text], [200, "OK"])
      const withQuery = yield* client.ask(request("GET /health?verbose"))
      assert.deepStrictEqual([withQuery.status, withQuery.text], [200, "OK"])
    }),
  )

  it.scopedLive("answers HEAD /health with the same length and no body", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      const client = yield* proxy.connect
      const head = yield* client.ask(request("HEAD /health"))
      assert.deepStrictEqual([head.status, head.value("content-length")], [200, "2"])
      assert.strictEqual((yield* client.ask(request("GET /health"))).text, "OK")
    }),
  )

  it.scopedLive("stays the proxy's, even where somebody stored sessions named health and ws", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(hello))
      const proxy = yield* startProxy({ sessions: { health: origin.url, ws: origin.url } })
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(request("GET /health"))).text, "OK")
      assert.strictEqual((yield* client.ask(request("GET /ws"))).status, 404)
      assert.strictEqual((yield* client.ask(request("GET /health/x"))).status, 404)
      assert.strictEqual(origin.text, "")
    }),
  )
})

/** What the client asks for, and what the origin must have been asked for. */
const targets: ReadonlyArray<readonly [target: string, seen: string]> = [
  ["/app", "/"],
  ["/app/", "/"],
  ["/app/x", "/x"],
  ["/app/x/y/", "/x/y/"],
  ["/app?a=1", "/?a=1"],
  ["/app/?a=1", "/?a=1"],
  ["/app/x?a=1&b=2", "/x?a=1&b=2"],
  ["/app?", "/?"],
  ["/app/x?", "/x?"],
  ["/app/x??", "/x??"],
  ["/app/a%2Fb", "/a%2Fb"],
  ["/app/a%2fb%20c", "/a%2fb%20c"],
  ["/app/%41%7e", "/%41%7e"],
  ["/app//x", "//x"],
  ["/app///", "///"],
  ["/app/../x", "/../x"],
  ["/app/./x/..", "/./x/.."],
  ["/app/%2e%2e/x", "/%2e%2e/x"],
  ["/app/a;b=1;c", "/a;b=1;c"],
  ["/app/a+b?c+d", "/a+b?c+d"],
  ["/app/%zz", "/%zz"],
  ["/app/%", "/%"],
  ["/app/x?y=%zz&a=1;b=2", "/x?y=%zz&a=1;b=2"],
  ["/app/x?url=http://h/p?q", "/x?url=http://h/p?q"],
  ["/app/a|b{c}\"d'`^<>[]", "/a|b{c}\"d'`^<>[]"],
  ["/app/a\\b", "/a\\b"],
  ["/app/:80@x,y", "/:80@x,y"],
  ["/app/app/app", "/app/app"],
  ["/app/ws/app", "/ws/app"],
  ["/app/health", "/health"],
  [`/app/${"x".repeat(20_000)}`, `/${"x".repeat(20_000)}`],
]

describe("a request target", () => {
  for (const [target, seen] of targets) {
    it.scopedLive(`${target.slice(0, 60)} reaches the session's server as ${seen.slice(0, 60)}`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        assert.strictEqual((yield* ask(request(`GET ${target}`))).text, "hello")
        assert.strictEqual((yield* origin.request()).startLine, `GET ${seen} HTTP/1.1`)
      }),
    )
  }

  for (const [base, target, seen] of [
    ["/base", "/app", "/base/"],
    ["/base/", "/app/", "/base/"],
    ["/base/", "/app/x", "/base/x"],
    ["/base", "/app/x", "/base/x"],
    ["/base", "/app?q", "/base/?q"],
    ["/a/b//", "/app/x", "/a/b//x"],
    ["/a%2Fb/../c", "/app//x", "/a%2Fb/../c//x"],
    ["/base", "/app/../../x", "/base/../../x"],
    ["/", "/app/x", "/x"],
  ] as const) {
    it.scopedLive(`${target} is joined to the base path ${base} as ${seen}`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab({ base })
        assert.strictEqual((yield* ask(request(`GET ${target}`))).status, 200)
        assert.strictEqual((yield* origin.request()).target, seen)
      }),
    )
  }

  for (const target of ["/app/\xc3\xa9", "/app/x?\xe2\x82\xac", "/app/\xff"]) {
    it.scopedLive(`with bytes that no URI has arrives as it is, or is 400: ${encodeURI(target)}`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        const got = yield* ask(request(`GET ${target}`))
        if (got.status === 400) assert.strictEqual(origin.text, "")
        else assert.strictEqual((yield* origin.request()).target, target.slice("/app".length))
      }),
    )
  }

  it.scopedLive("may be in absolute-form, whose authority then stands for Host", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      assert.strictEqual((yield* ask(request("GET http://other.test:81/app/x?y"))).status, 200)
      const seen = yield* origin.request()
      assert.strictEqual(seen.target, "/x?y")
      assert.strictEqual(seen.value("x-forwarded-host"), "other.test:81")
    }),
  )

  for (const line of ["OPTIONS *", "GET *", "GET app/x", "GET http://", "GET ftp://h/app", "GET /app/x#frag"]) {
    it.scopedLive(`${line} is 400`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        assert.strictEqual((yield* ask(request(line))).status, 400)
        assert.strictEqual(origin.text, "")
      }),
    )
  }

  it.scopedLive("in authority-form is refused, and no tunnel is opened", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      yield* client.send(bareRequest(`CONNECT ${origin.authority}`, [`Host: ${origin.authority}`]))
      assert.isAtLeast((yield* client.head).status, 400)
      assert.strictEqual(origin.text, "")
    }),
  )
})

describe("the URL of a session", () => {
  for (const [what, host, url] of [
    ["http", "127.0.0.1", (port: number) => `http://127.0.0.1:${port}`],
    ["HTTP in capitals", "127.0.0.1", (port: number) => `HTTP://127.0.0.1:${port}`],
    ["ws", "127.0.0.1", (port: number) => `ws://127.0.0.1:${port}`],
    ["no scheme", "127.0.0.1", (port: number) => `127.0.0.1:${port}`],
    ["no scheme and a name", "127.0.0.1", (port: number) => `localhost:${port}`],
    ["no scheme and a path", "127.0.0.1", (port: number) => `localhost:${port}/`],
    ["an address of IPv6", "::1", (port: number) => `http://[::1]:${port}`],
  ] as const) {
    it.scopedLive(`may be of ${what}, and Host follows it`, () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(answering(hello), host)
        const stored = url(origin.port)
        const proxy = yield* startProxy({ sessions: { app: stored } })
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(request("GET /app/x"))).text, "hello")
        const seen = yield* origin.request()
        assert.strictEqual(seen.target, "/x")
        assert.strictEqual(seen.value("host"), stored.replace(/^\w+:\/\//, "").replace(/\/$/, ""))
      }),
    )
  }
})

describe("a session id", () => {
  for (const [id, segment] of [
    ["b@r", "b@r"],
    ["b@r", "b%40r"],
    ["b r", "b%20r"],
    ["a/b", "a%2Fb"],
    ["app", "%61p%70"],
    ["\u00e9", "%C3%A9"],
    ["%61pp", "%2561pp"],
    ["a+b", "a+b"],
    ["..", "%2e%2e"],
    ["__proto__", "__proto__"],
    ["x".repeat(500), "x".repeat(500)],
  ] as const) {
    it.scopedLive(`is decoded once: ${segment.slice(0, 20)}`, () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(answering(hello))
        const proxy = yield* startProxy({ sessions: { [id]: origin.url } })
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(request(`GET /${segment}/p%20q`))).status, 200)
        const seen = yield* origin.request()
        assert.strictEqual(seen.target, "/p%20q")
        assert.strictEqual(seen.value("x-forwarded-prefix"), `/${segment}`)
      }),
    )
  }

  for (const segment of ["%zz", "%", "app%", "%C3", "%ff", "\xe9", "ws/%zz"]) {
    it.scopedLive(`that cannot be decoded is 400: ${segment}`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        const refused = yield* ask(request(`GET /${segment}/x`))
        assert.strictEqual(refused.status, 400)
        assert.include(refused.text, `"code":"bad_request"`)
        assert.strictEqual(origin.text, "")
      }),
    )
  }

  for (const target of ["/", "//x", "/?a", "/apple/x", "/ap", "/APP", "/%2561pp", "/app%20"]) {
    it.scopedLive(`is matched whole: ${target} is no session's`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        assert.strictEqual((yield* ask(request(`GET ${target}`))).status, 404)
        assert.strictEqual(origin.text, "")
      }),
    )
  }
})

describe("the WebSocket route", () => {
  for (const target of ["/ws/app", "/ws/app/", "/ws/app/x?y"]) {
    it.scopedLive(`answers a plain GET ${target} with 426 and says what to upgrade to`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        const refused = yield* ask(request(`GET ${target}`))
        assert.strictEqual(refused.status, 426)
        assert.strictEqual(refused.value("upgrade")?.toLowerCase(), "websocket")
        assert.strictEqual(origin.text, "")
      }),
    )
  }

  it.scopedLive(
    "answers an Upgrade to another protocol with 426 on /ws, and forwards it as a plain request elsewhere",
    () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        const h2c = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
        assert.strictEqual((yield* ask(request("GET /ws/app", h2c))).status, 426)
        assert.strictEqual((yield* ask(request("GET /app/x", h2c))).text, "hello")
        const seen = yield* origin.request()
        assert.deepStrictEqual([seen.value("upgrade"), seen.value("http2-settings")], [undefined, undefined])
      }),
  )
})
