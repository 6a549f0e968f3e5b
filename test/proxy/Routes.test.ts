import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bareRequest, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { hello } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"
import { handshakeFields } from "../websocket/Tunnel.js"

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
    ["", "/app", "/"],
    ["", "/app?q", "/?q"],
    ["/base", "/app", "/base"],
    ["/base", "/app/", "/base/"],
    ["/base/", "/app", "/base/"],
    ["/base/", "/app?q", "/base/?q"],
    ["/base/", "/app/", "/base/"],
    ["/base/", "/app/x", "/base/x"],
    ["/base", "/app/x", "/base/x"],
    ["/base", "/app?q", "/base?q"],
    ["/a/b//", "/app/x", "/a/b//x"],
    ["/a%2Fb/../c", "/app//x", "/a%2Fb/../c//x"],
    ["/base", "/app/../../x", "/base/../../x"],
    ["/", "/app/x", "/x"],
  ] as const) {
    it.scopedLive(`${target} is joined to the stored path ${base} as ${seen}`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab({ base })
        assert.strictEqual((yield* ask(request(`GET ${target}`))).status, 200)
        assert.strictEqual((yield* origin.request()).target, seen)
      }),
    )
  }

  for (const [what, target] of [
    ["é as UTF-8", "/app/\xc3\xa9"],
    ["€ in the query, as UTF-8", "/app/x?\xe2\x82\xac"],
    ["🙂 beside what is encoded", "/app/\xf0\x9f\x99\x82/%F0%9F"],
    ["half of a UTF-8 sequence", "/app/\xe2\x82?\xc3"],
    ["an overlong slash", "/app/\xc0\xaf..\xc0\xaf"],
    ["in absolute-form", "http://h/app/\xc3\xa9?\xff"],
  ] as const) {
    it.scopedLive(`with bytes that no URI has arrives as it is: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        assert.strictEqual((yield* ask(request(`GET ${target}`))).status, 200)
        assert.strictEqual((yield* origin.request()).target, target.slice(target.indexOf("/app") + 4))
      }),
    )
  }

  it.scopedLive("with any byte beyond ASCII arrives as it is, in the path, in the query, and to a WebSocket", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      const bytes = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index))
      for (const byte of bytes) yield* client.ask(request(`GET /app/a${byte}b?c${byte}d`))
      yield* client.ask(request(`GET /app/${bytes.join("")}?${bytes.join("")}`, handshakeFields))
      assert.deepStrictEqual(
        origin.requests.map(({ target }) => target),
        [...bytes.map((byte) => `/a${byte}b?c${byte}d`), `/${bytes.join("")}?${bytes.join("")}`],
      )
    }),
  )

  it.scopedLive("may be in absolute-form, whose authority then stands for Host", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      assert.strictEqual((yield* ask(request("GET http://other.test:81/app/x?y"))).status, 200)
      const seen = yield* origin.request()
      assert.strictEqual(seen.target, "/x?y")
      assert.strictEqual(seen.value("x-forwarded-host"), "other.test:81")
    }),
  )

  for (const authority of [
    "user:pass@evil.test",
    "u@evil.test",
    "evil.test:99999",
    "evil.test:8a",
    'evil.test"<x>',
    "evil.test:80:80",
    "[::1",
    ":80",
  ])
    it.scopedLive(`is checked in absolute-form as Host is: ${authority} is 400`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        assert.strictEqual((yield* ask(request(`GET http://${authority}/app/x`))).status, 400)
        if (authority !== ":80")
          assert.strictEqual((yield* ask(bareRequest("GET /app/x", [`Host: ${authority}`]))).status, 400)
        assert.strictEqual(origin.text, "")
      }),
    )

  for (const line of ["OPTIONS *", "OPTIONS http://proxy.test"])
    it.scopedLive(`${line} is answered by the proxy itself`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        const got = yield* ask(request(line))
        assert.deepStrictEqual([got.status, got.value("content-length"), got.text], [204, undefined, ""])
        assert.include(got.value("allow") ?? "", "OPTIONS")
        assert.strictEqual(origin.text, "")
      }),
    )

  for (const [sent, arrives] of [
    ["Max-Forwards: 3", ["2"]],
    ["max-forwards: 1", ["0"]],
    ["Max-Forwards: 00010", ["9"]],
    [`Max-Forwards: ${"9".repeat(40)}`, [String(Number.MAX_SAFE_INTEGER - 1)]],
    ["Max-Forwards: x", ["x"]],
  ] as const)
    it.scopedLive(`OPTIONS with ${sent.slice(0, 30)} goes on once less`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        assert.strictEqual((yield* ask(request("OPTIONS /app/x", [sent]))).status, 200)
        assert.deepStrictEqual((yield* origin.request()).values("max-forwards"), arrives)
      }),
    )

  it.scopedLive("OPTIONS with Max-Forwards: 0 goes no further; Max-Forwards of another method is nothing", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      for (const path of ["/app/x", "/nobody"]) {
        const got = yield* ask(request(`OPTIONS ${path}`, ["Max-Forwards: 0"]))
        assert.deepStrictEqual([got.status, got.value("allow") === undefined], [204, false])
      }
      assert.strictEqual(origin.text, "")
      assert.strictEqual((yield* ask(request("GET /app/x", ["Max-Forwards: 0"]))).status, 200)
      assert.deepStrictEqual((yield* origin.request()).values("max-forwards"), ["0"])
    }),
  )

  for (const [target, fields] of [
    ["/app/x", []],
    ["/app/x", ["Max-Forwards: 3"]],
    ["/nobody", []],
    ["/health", []],
    ["/ws/app", []],
  ] as const)
    it.scopedLive(`TRACE ${target} reaches nobody: it would show what the proxy adds (${fields.join()})`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        const got = yield* ask(request(`TRACE ${target}`, fields))
        assert.strictEqual(got.status, 405)
        assert.include(got.text, `"code":"method_not_allowed"`)
        assert.notInclude(got.value("allow") ?? "TRACE", "TRACE")
        assert.strictEqual(origin.text, "")
      }),
    )

  for (const target of ["/ws/health", "/ws/health/x", "/ws/%68ealth", "/ws/ws", "/ws/ws/x"])
    it.scopedLive(`${target} names no session, for that id is reserved`, () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(answering(hello))
        const proxy = yield* startProxy({ sessions: { health: origin.url, ws: origin.url } })
        const client = yield* proxy.connect
        for (const fields of [[], handshakeFields]) {
          const got = yield* client.ask(request(`GET ${target}`, fields))
          assert.strictEqual(got.status, 404)
        }
        assert.strictEqual(origin.text, "")
      }),
    )

  for (const line of ["GET *", "GET app/x", "GET http://", "GET ftp://h/app", "GET /app/x#frag"]) {
    it.scopedLive(`${line} is 400`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        assert.strictEqual((yield* ask(request(line))).status, 400)
        assert.strictEqual(origin.text, "")
      }),
    )
  }

  for (const [what, rest] of [
    ["in authority-form", ""],
    ["in authority-form, with bytes for the tunnel behind it", request("GET /app/hidden")],
  ] as const) {
    it.scopedLive(`of CONNECT ${what} is 400, no tunnel is opened, and the connection is closed`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab()
        const client = yield* proxy.connect
        const line = `CONNECT ${origin.authority}`
        const reply = yield* client.ask(bareRequest(line, [`Host: ${origin.authority}`]) + rest)
        assert.deepStrictEqual([reply.status, reply.value("connection")], [400, "close"])
        assert.strictEqual(yield* client.gone, "finished")
        assert.strictEqual(client.unread, "")
        assert.strictEqual(origin.connections.length, 0)
      }),
    )
  }

  it.scopedLive("of CONNECT to a session is 400 too", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      assert.strictEqual((yield* ask(request("CONNECT /app/x", ["Content-Length: 2"], "hi"))).status, 400)
      assert.strictEqual(origin.connections.length, 0)
    }),
  )
})

describe("a method", () => {
  it.scopedLive("reaches the session's server as it is, known or not, and its body with it", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      const methods = ["GET", "QUERY", "PURGE", "BREW", "get", "X", "UPDATEREDIRECTREF", "!#$%&'*+-.^_`|~09azAZ", "PRI"]
      for (const method of methods) {
        assert.strictEqual((yield* client.ask(request(`${method} /app/x`))).text, "hello")
        assert.strictEqual((yield* client.ask(request(`${method} /app/x`, ["Content-Length: 2"], "hi"))).text, "hello")
      }
      assert.deepStrictEqual(
        origin.requests.map(({ startLine, text }) => [startLine, text]),
        methods.flatMap((method) => ["", "hi"].map((text) => [`${method} /x HTTP/1.1`, text])),
      )
    }),
  )

  it.scopedLive("that no server knows is the proxy's to answer only where the answer is its own", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      const client = yield* proxy.connect
      const reply = yield* client.ask(request("BREW /health"))
      assert.deepStrictEqual([reply.status, reply.value("allow")], [405, "GET, HEAD"])
      assert.strictEqual((yield* client.ask(request("BREW /nobody/x"))).status, 404)
      assert.strictEqual((yield* client.ask(request("GET /health"))).text, "OK")
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
    ["\u00e9", "\xc3\xa9"],
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
