import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { FieldPair, HttpMessage } from "../support/HttpMessage.js"
import { answer, bareRequest, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { hello, type LabOptions, startLab } from "../support/Lab.js"
import { RawClient } from "../support/RawClient.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"

const setByProxy = /^(?:host|via|x-forwarded-.*|x-request-id|traceparent)$/i

/** Field lines as pairs. */
const pairs = (lines: ReadonlyArray<string>): ReadonlyArray<FieldPair> =>
  lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()])

/** What of the client's own fields the origin saw. */
const endToEnd = (seen: HttpMessage) => seen.fields.filter(([name]) => !setByProxy.test(name))

/** Sends these field lines; gives the request that the origin saw. */
const sent = (lines: ReadonlyArray<string>, options: LabOptions = {}) =>
  Effect.gen(function* () {
    const { origin, ask } = yield* startLab(options)
    assert.strictEqual((yield* ask(request("GET /app/x", lines))).status, 200)
    return yield* origin.request()
  })

/** Lets the origin answer with these field lines; gives what the client got, without what belongs to its own hop. */
const answered = (lines: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { ask } = yield* startLab({ script: answering(answer("200 OK", "hello", lines)) })
    const got = yield* ask(request("GET /app/x"))
    assert.deepStrictEqual([got.status, got.text, got.value("content-length")], [200, "hello", "5"])
    // A response that its server has not dated is dated by the proxy.
    const isDated = lines.some((line) => /^date:/i.test(line))
    const own = isDated
      ? /^(?:connection|keep-alive|content-length)$/i
      : /^(?:connection|keep-alive|content-length|date)$/i
    return got.fields.filter(([name]) => !own.test(name))
  })

/** Field lines, and those of them that may pass; what a proxy does in both directions. */
const hopByHop: ReadonlyArray<readonly [why: string, lines: ReadonlyArray<string>, kept: ReadonlyArray<string>]> = [
  ["fields of one hop", ["A: 1", "Keep-Alive: timeout=9", "Proxy-Connection: keep-alive", "B: 2"], ["A: 1", "B: 2"]],
  ["credentials for a proxy", ["Proxy-Authorization: Basic eA==", "Proxy-Authenticate: Basic", "A: 1"], ["A: 1"]],
  ["what Connection names", ["X-One: 1", "Connection: x-one, X-TWO", "x-two: 2", "X-Three: 3"], ["X-Three: 3"]],
  [
    "what several Connection lines name",
    ["Connection: a", "A: 1", "B: 2", "connection: keep-alive,b", "C: 3"],
    ["C: 3"],
  ],
  ["what stands after an empty Connection line", ["Connection:", "Connection: X-Some", "X-Some: 1", "B: 2"], ["B: 2"]],
  ["what stands between empty members", ["Connection: ,, X-Some ,\t,", "X-Some: 1", "X-Some: 2", "B: 2"], ["B: 2"]],
]

const endToEndLines = [
  "X-Multi: one",
  "accept: */*",
  "x-multi: two",
  "X-MULTI: one",
  "x-weird!#$%&'*+.^_`|~: !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
  "X-Bytes: \xe9\xff\x80\xc3\xa9",
  "X-Tab: a\tb",
  "X-Empty:",
  'Cookie: a=1; b="2"',
  "Cookie: c=3",
  "Trailers: not a trailer",
  "Referer: http://h/?a=1#f",
]

describe("on the way to the session's server", () => {
  for (const [why, lines, kept] of hopByHop) {
    it.scopedLive(`are left out: ${why}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(endToEnd(yield* sent(lines)), pairs(kept))
      }),
    )
  }

  it.scopedLive("end-to-end fields keep order, duplicates, case and bytes", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(endToEnd(yield* sent(endToEndLines)), pairs(endToEndLines))
    }),
  )

  it.scopedLive("Connection cannot take away what is not one hop's", () =>
    Effect.gen(function* () {
      const lines = ["Authorization: Bearer t", "Cookie: a=1", "X-Request-Id: r1", "Via: 1.0 fred"]
      const nominate = "Connection: host, content-length, authorization, cookie, x-forwarded-for, x-request-id, via"
      const seen = yield* sent([nominate, ...lines])
      assert.deepStrictEqual(endToEnd(seen), pairs(lines.slice(0, 2)))
      assert.isDefined(seen.value("host"))
      assert.strictEqual(seen.value("x-forwarded-for"), "127.0.0.1")
      assert.strictEqual(seen.value("x-request-id"), "r1")
      assert.match(seen.value("via") ?? "", /^1\.0 fred, /)
    }),
  )

  for (const [lines, te] of [
    [["TE: trailers"], ["trailers"]],
    [["TE: gzip, trailers;q=0.5", "Connection: TE"], ["trailers"]],
    [["Te: foo", "Te: bar, trailers", "Connection: close, TE"], ["trailers"]],
    [["TE: gzip"], []],
    [["TE: x-trailers"], []],
    [[], []],
  ] as const) {
    it.scopedLive(`of "${lines.join(" | ")}" only trailers may go on as TE`, () =>
      Effect.gen(function* () {
        const seen = yield* sent(lines)
        assert.deepStrictEqual(seen.values("te"), te)
      }),
    )
  }

  it.scopedLive("nothing is invented: no User-Agent, no Accept, no framing", () =>
    Effect.gen(function* () {
      const seen = yield* sent([])
      assert.deepStrictEqual(endToEnd(seen), [])
      assert.strictEqual(seen.framing, "none")
    }),
  )

  it.scopedLive("Host is the session's server's; the client's own goes into X-Forwarded-Host", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      yield* ask(bareRequest("GET /app/x", ["hOST: Shop.example:8443"]))
      const seen = yield* origin.request()
      assert.deepStrictEqual(seen.values("host"), [origin.authority])
      assert.strictEqual(seen.value("x-forwarded-host"), "Shop.example:8443")
      assert.strictEqual(seen.value("x-forwarded-proto"), "http")
      assert.strictEqual(seen.value("x-forwarded-for"), "127.0.0.1")
      assert.strictEqual(seen.value("x-forwarded-prefix"), "/app")
    }),
  )

  const forged = [
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-For: 7.7.7.7",
    "x-forwarded-host: evil.test",
    "X-FORWARDED-PROTO: https",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Port: 666",
  ]

  it.scopedLive("what an untrusted client says in X-Forwarded-* is replaced", () =>
    Effect.gen(function* () {
      const seen = yield* sent(forged, { settings: { trustedProxies: ["10.0.0.0/8", "::1", "127.0.0.2"] } })
      const forwarded = seen.fields.filter(([name]) => /^x-forwarded-/i.test(name))
      assert.deepStrictEqual(Object.fromEntries(forwarded.map(([name, value]) => [name.toLowerCase(), value])), {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "proxy.test",
        "x-forwarded-proto": "http",
        "x-forwarded-prefix": "/app",
      })
      assert.strictEqual(forwarded.length, 4)
    }),
  )

  for (const [host, connectTo, trusted, address] of [
    ["127.0.0.1", "127.0.0.1", "127.0.0.0/8", "127.0.0.1"],
    ["127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["::1", "::1", "::/64", "::1"],
    ["::1", "::1", "::1", "::1"],
    ["::", "127.0.0.1", "127.0.0.0/8", "127.0.0.1"],
  ] as const) {
    it.scopedLive(`what a trusted proxy (${trusted}) says is kept and appended to; listening on ${host}`, () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(answering(hello))
        const settings = { host, trustedProxies: ["192.0.2.0/24", trusted] }
        const proxy = yield* startProxy({ sessions: { app: origin.url }, settings })
        const client = yield* RawClient.connect(proxy.port, connectTo)
        assert.strictEqual((yield* client.ask(request("GET /app/x", forged))).status, 200)
        const seen = yield* origin.request()
        assert.strictEqual(seen.values("x-forwarded-for").join(", "), `6.6.6.6, 7.7.7.7, ${address}`)
        assert.strictEqual(seen.value("x-forwarded-host"), "evil.test")
        assert.strictEqual(seen.value("x-forwarded-proto"), "https")
        assert.strictEqual(seen.value("x-forwarded-prefix"), "/evil/app")
      }),
    )
  }

  it.scopedLive("names that CGI, WSGI or PHP would read as one of the proxy's fields are dropped", () =>
    Effect.gen(function* () {
      const imitations = [
        "X_Forwarded_For: 6.6.6.6",
        "x_forwarded-for: 6.6.6.6",
        "X-Forwarded_Prefix: /evil",
        "X.Forwarded.Host: evil.test",
        "X_FORWARDED_PORT: 1",
        "X_Request_Id: forged",
        "Transfer_Encoding: chunked",
        "Content_Length: 5",
        "Proxy_Authorization: Basic eA==",
        "Keep_Alive: 1",
        "Max_Forwards: 0",
      ]
      const harmless = ["X_Real_Name: a", "X_Forwarded: b", "under_score: c"]
      for (const trustedProxies of [[], ["127.0.0.1"]]) {
        const seen = yield* sent([...imitations, ...harmless], { settings: { trustedProxies } })
        assert.deepStrictEqual(endToEnd(seen), pairs(harmless))
        assert.deepStrictEqual(seen.values("x-forwarded-for"), ["127.0.0.1"])
      }
    }),
  )

  it.scopedLive("Via is appended to", () =>
    Effect.gen(function* () {
      const seen = yield* sent(["Via: 1.0 fred", "via: 1.1 barney (Apache)"])
      assert.match(seen.values("via").join(", "), /^1\.0 fred, 1\.1 barney \(Apache\), 1\.1 [\w.-]+$/)
    }),
  )

  it.scopedLive("X-Request-Id and traceparent are kept where present, and made where absent", () =>
    Effect.gen(function* () {
      const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
      const kept = yield* sent(["X-Request-Id: abc-1", `Traceparent: ${trace}`, "tracestate: a=1"])
      assert.deepStrictEqual([kept.value("x-request-id"), kept.value("traceparent")], ["abc-1", trace])
      assert.strictEqual(kept.value("tracestate"), "a=1")
      const made = yield* sent([])
      assert.match(made.value("x-request-id") ?? "", /^[!-~]{8,}$/)
      assert.match(made.value("traceparent") ?? "", /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/)
    }),
  )

  it.scopedLive("user info of the session's URL becomes Basic authorization, where the client sent none", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(hello))
      const proxy = yield* startProxy({ sessions: { app: `http://user:p%40ss@${origin.authority}` } })
      const client = yield* proxy.connect
      yield* client.ask(request("GET /app/1"))
      yield* client.ask(request("GET /app/2", ["Authorization: Bearer mine"]))
      const basic = `Basic ${Buffer.from("user:p@ss").toString("base64")}`
      assert.strictEqual((yield* origin.request(0)).value("authorization"), basic)
      assert.strictEqual((yield* origin.request(1)).value("authorization"), "Bearer mine")
      assert.strictEqual((yield* origin.request(0)).value("host"), origin.authority)
    }),
  )

  it.scopedLive("a thousand and more fields arrive whole, or are refused whole", () =>
    Effect.gen(function* () {
      const lines = Array.from({ length: 2_100 }, (_, index) => `x-${index}: 1`)
      const { origin, ask } = yield* startLab()
      const got = yield* ask(request("GET /app/x", lines))
      if (got.status === 431) return assert.strictEqual(origin.text, "")
      assert.strictEqual(got.status, 200)
      assert.deepStrictEqual(endToEnd(yield* origin.request()), pairs(lines))
    }),
  )
})

describe("on the way back to the client", () => {
  for (const [why, lines, kept] of hopByHop) {
    it.scopedLive(`are left out: ${why}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* answered(lines), pairs(kept))
      }),
    )
  }

  it.scopedLive("Upgrade of a plain answer is left out", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answered(["Upgrade: h2c", "Connection: Upgrade", "A: 1"]), pairs(["A: 1"]))
    }),
  )

  it.scopedLive("end-to-end fields keep order, duplicates, case and bytes; nothing is invented", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answered(endToEndLines), pairs(endToEndLines))
      assert.deepStrictEqual(yield* answered([]), [])
    }),
  )

  it.scopedLive("each Set-Cookie stays one of its own", () =>
    Effect.gen(function* () {
      const cookies = Array.from(
        { length: 30 },
        (_, index) => `${index % 2 ? "Set-Cookie" : "set-cookie"}: c${index}=a, b; Path=/`,
      )
      assert.deepStrictEqual(yield* answered(cookies), pairs(cookies))
    }),
  )

  it.scopedLive("Date, Server and Content-Encoding are the session's server's", () =>
    Effect.gen(function* () {
      const lines = ["Date: Thu, 01 Jan 1970 00:00:00 GMT", "Server: own/1", "Content-Encoding: br", "Vary: *"]
      assert.deepStrictEqual(yield* answered(lines), pairs(lines))
    }),
  )

  it.scopedLive("Connection cannot take away Content-Length or Set-Cookie", () =>
    Effect.gen(function* () {
      const lines = ["Set-Cookie: a=1", "Content-Type: text/plain"]
      const nominate = "Connection: content-length, set-cookie, content-type, close"
      assert.deepStrictEqual(yield* answered([nominate, ...lines]), pairs(lines))
    }),
  )

  it.scopedLive("a chunked answer loses only its framing of that hop", () =>
    Effect.gen(function* () {
      const lines = ["A: 1", "tRANSFER-encoding: Chunked", "Trailer: T", "B: 2"]
      const script = answering(response("200 OK", lines, chunk("hello") + lastChunk(["T: 1"])))
      const { ask } = yield* startLab({ script })
      const got = yield* ask(request("GET /app/x", ["TE: trailers"]))
      const own = /^(?:connection|keep-alive|transfer-encoding|date)$/i
      assert.deepStrictEqual(
        got.fields.filter(([name]) => !own.test(name)),
        pairs(["A: 1", "Trailer: T", "B: 2"]),
      )
      assert.deepStrictEqual([got.framing, got.text, got.trailers], ["chunked", "hello", [["T", "1"]]])
    }),
  )
})

/** What may not stand behind a body, and what may. */
const forbiddenTrailers = [
  "X-Forwarded-For: 6.6.6.6",
  "x_forwarded_host: evil.test",
  "X-Forwarded-Anything: 1",
  "Forwarded: for=6.6.6.6",
  "Via: 1.1 evil",
  "X-Request-Id: forged",
  "X_Request_Id: forged",
  "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
  "Cookie: a=1",
  "Set-Cookie: a=1",
  "Authorization: Basic eA==",
  "WWW-Authenticate: Basic",
  "Proxy-Authorization: Basic eA==",
  "Expect: 100-continue",
  "Range: bytes=0-1",
  "If-Match: *",
  "Max-Forwards: 0",
  "Host: evil.test",
  "Connection: close",
  "TE: trailers",
  "Trailer: X-Sum",
  "Upgrade: h2c",
  "Content_Length: 5",
  "Transfer_Encoding: chunked",
  "Content-Type: text/html",
  "Content-Encoding: gzip",
  "content-range: bytes 0-1/2",
  "Cache-Control: public",
  "X-Named: 1",
]
const kindTrailers = [
  "X-Sum: 1",
  "Content-Digest: sha-256=:x:",
  "Repr-Digest: sha-256=:x:",
  "Server-Timing: db;dur=1",
  "x-sum: 2",
]

describe("behind a body", () => {
  it.scopedLive("a request has no field that may not stand there", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      const lines = ["Transfer-Encoding: chunked", "Connection: X-Named, Content-Digest-Not"]
      yield* ask(request("POST /app/x", lines, chunk("hello") + lastChunk([...forbiddenTrailers, ...kindTrailers])))
      const seen = yield* origin.request()
      assert.strictEqual(seen.text, "hello")
      assert.deepStrictEqual(seen.trailers, pairs(kindTrailers))
    }),
  )

  for (const [what, first] of [
    ["that is there at once", ""],
    ["in motion", "a".repeat(100_000)],
  ] as const)
    it.scopedLive(`nor has a response, ${what}`, () =>
      Effect.gen(function* () {
        const body = (first === "" ? "" : chunk(first)) + chunk("hello")
        const trailers = lastChunk([...forbiddenTrailers, "Proxy-Status: ss-proxy; error=x", ...kindTrailers])
        const lines = ["Transfer-Encoding: chunked", "Connection: X-Named"]
        const { ask } = yield* startLab({ script: answering(response("200 OK", lines, body + trailers)) })
        const got = yield* ask(request("GET /app/x"))
        assert.strictEqual(got.text, `${first}hello`)
        assert.deepStrictEqual(got.trailers, pairs(kindTrailers))
      }),
    )
})

describe("Proxy-Status of a session's server", () => {
  for (const [said, kept] of [
    ["ss-proxy; error=dns_error", []],
    ["SS-Proxy", []],
    ['"ss-proxy"; error=dns_error', []],
    ["nginx; error=dns_error", ["nginx; error=dns_error"]],
    ['nginx, ss-proxy; details="a, b", cdn; received-status=200', ["nginx, cdn; received-status=200"]],
    ['nginx; details="by ss-proxy, ss-proxy"', ['nginx; details="by ss-proxy, ss-proxy"']],
    ['nginx; details="\\", ss-proxy"', ['nginx; details="\\", ss-proxy"']],
    ['nginx; details="a, ss-proxy; error=dns_error', []],
    ["nginx; a=:YWI=:;b=?1;c=-1.5;d;e=tok/en:x", ["nginx; a=:YWI=:;b=?1;c=-1.5;d;e=tok/en:x"]],
    ["nginx,", []],
    ["(nginx ss-proxy)", []],
    ["", []],
  ] as const)
    it.scopedLive(`has no member that names this proxy: ${said}`, () =>
      Effect.gen(function* () {
        const got = yield* answered([`Proxy-Status: ${said}`, "A: 1"])
        assert.deepStrictEqual(got, [...kept.map((value) => ["Proxy-Status", value] as const), ["A", "1"]])
      }),
    )

  it.scopedLive("has none in an interim response either", () =>
    Effect.gen(function* () {
      const early = response("103 Early Hints", ["Proxy-Status: ss-proxy", "Proxy-Status: cdn", "Link: </a>"])
      const { proxy } = yield* startLab({ script: answering(early + hello) })
      const client = yield* proxy.connect
      yield* client.ask(request("GET /app/x"))
      assert.include(client.text, "HTTP/1.1 103 Early Hints\r\nProxy-Status: cdn\r\nLink: </a>\r\n\r\n")
    }),
  )
})
