import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { answer, request } from "../support/HttpText.js"
import { hello, startLab } from "../support/Lab.js"
import { answering, RawOrigin, saying, type Script, silent } from "../support/RawOrigin.js"
import { startProxy, type TestProxyOptions } from "../support/TestProxy.js"

/** Checks everything that answers of the proxy's own have in common. */
const assertProblem = (reply: HttpMessage, status: number, code: string): void => {
  assert.strictEqual(reply.status, status)
  assert.strictEqual(reply.value("content-type"), "application/problem+json")
  assert.match(reply.value("proxy-status") ?? "", /^ss-proxy; error=[a-z_]+(;|$)/)
  const requestId = reply.value("x-request-id")
  assert.match(requestId ?? "", /^\S+$/)
  assert.isBelow(Math.abs(Date.parse(reply.value("date") ?? "") - Date.now()), 10_000)
  const { type, title, detail, ...known } = reply.json as Record<string, unknown> // an object, or the next lines fail
  assert.deepStrictEqual(known, { status, code, request_id: requestId })
  for (const text of [type, title, detail]) assert.match(String(text), /^\S.+/)
}

/** Checks that a reply shows nothing of what is behind the proxy. */
const assertNothingInternal = (reply: HttpMessage, secrets: ReadonlyArray<string>): void => {
  const shown = [reply.startLine, ...reply.fields.map((pair) => pair.join(": ")), reply.text].join("\n")
  for (const secret of [
    ...secrets,
    "127.0.0.1",
    "localhost",
    "node_modules",
    "/src/",
    ".js:",
    ".ts:",
    "ECONN",
    "    at ",
  ])
    assert.notInclude(shown, secret)
}

/** An address at which nobody listens any more. */
const deadOrigin = Effect.scoped(RawOrigin.start(silent))

const oneRequest = (options: TestProxyOptions, line = "GET /app/secret-path?token=t") =>
  Effect.gen(function* () {
    const proxy = yield* startProxy(options)
    const client = yield* proxy.connect
    const reply = yield* client.ask(request(line, ["X-Request-Id: req-17"]))
    return { proxy, client, reply }
  })

describe("what a client is told", () => {
  it.scopedLive("404 session_not_found: there is no such session; the connection stays", () =>
    Effect.gen(function* () {
      const { client, reply } = yield* oneRequest({})
      assertProblem(reply, 404, "session_not_found")
      assert.strictEqual((yield* client.ask(request("GET /health"))).status, 200)
    }),
  )

  for (const status of ["stopped", "", "Active", "active ", "starting"]) {
    it.scopedLive(`503 session_unavailable: the status is "${status}"`, () =>
      Effect.gen(function* () {
        const { reply } = yield* oneRequest({ sessions: { app: { url: "http://127.0.0.1:9", status } } })
        assertProblem(reply, 503, "session_unavailable")
        assertNothingInternal(reply, [":9"])
      }),
    )
  }

  for (const status of ["active", "online", "ready"]) {
    it.scopedLive(`nothing of its own: the status is "${status}"`, () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(answering(hello))
        const { reply } = yield* oneRequest({ sessions: { app: { url: origin.url, status } } })
        assert.deepStrictEqual([reply.status, reply.text], [200, "hello"])
      }),
    )
  }

  it.scopedLive("502 downstream_unreachable: refused; the log line with the same id has the address", () =>
    Effect.gen(function* () {
      const { authority, port, url } = yield* deadOrigin
      const { proxy, reply } = yield* oneRequest({ sessions: { app: url } })
      assertProblem(reply, 502, "downstream_unreachable")
      assert.strictEqual(reply.value("proxy-status"), "ss-proxy; error=connection_refused")
      assert.strictEqual(reply.value("x-request-id"), "req-17")
      assertNothingInternal(reply, [String(port), "secret-path"])
      assert.isTrue(
        proxy.log.some((line) => line.includes("req-17") && line.includes(authority)),
        proxy.log.join("\n"),
      )
    }),
  )

  it.scopedLive("502 downstream_unreachable: the server does not speak TLS", () =>
    Effect.gen(function* () {
      const plain: Script = (connection) => connection.send("HTTP/1.1 400 Bad Request\r\n\r\n")
      const origin = yield* RawOrigin.start(plain)
      const { reply } = yield* oneRequest({ sessions: { app: `https://${origin.authority}` } })
      assertProblem(reply, 502, "downstream_unreachable")
      assertNothingInternal(reply, [String(origin.port), "SSL", "wrong version"])
    }),
  )

  it.scopedLive("502 downstream_unreachable: connecting takes too long", () =>
    Effect.gen(function* () {
      // An address kept for documentation (RFC 5737): no answer, or no route; both are unreachable.
      const sessions = { app: "http://192.0.2.1:9" }
      const { reply } = yield* oneRequest({ sessions, settings: { connectTimeout: 150 } })
      assertProblem(reply, 502, "downstream_unreachable")
      assertNothingInternal(reply, ["192.0.2.1"])
    }),
  )

  it.scopedLive("502 downstream_reset: the server closes without a word", () =>
    Effect.gen(function* () {
      for (const then of ["finish", "reset"] as const) {
        const origin = yield* RawOrigin.start(saying("", then))
        const { reply } = yield* oneRequest({ sessions: { app: origin.url } })
        assertProblem(reply, 502, "downstream_reset")
        assertNothingInternal(reply, [String(origin.port)])
      }
    }),
  )

  it.scopedLive("502 downstream_reset: the server closes in the middle of its head", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(saying("HTTP/1.1 200 OK\r\nContent-Le", "finish"))
      const { reply } = yield* oneRequest({ sessions: { app: origin.url } })
      assertProblem(reply, 502, "downstream_reset")
    }),
  )

  it.scopedLive("502 downstream_protocol: the server does not speak HTTP", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(saying("SSH-2.0-OpenSSH_9.2\r\n"))
      const { reply } = yield* oneRequest({ sessions: { app: origin.url } })
      assertProblem(reply, 502, "downstream_protocol")
      assertNothingInternal(reply, ["SSH", "OpenSSH"])
    }),
  )

  for (const url of [
    "ftp://h/",
    "",
    "http://",
    "http://h:99999",
    "http://u:secret@h/?q",
    "http://h/#f",
    "a b",
    "http:///x",
  ]) {
    it.scopedLive(`502 downstream_url_invalid: the stored URL is "${url}"`, () =>
      Effect.gen(function* () {
        const { reply } = yield* oneRequest({ sessions: { app: url } })
        assertProblem(reply, 502, "downstream_url_invalid")
        assertNothingInternal(reply, ["secret", "99999", "ftp"])
      }),
    )
  }

  it.scopedLive("503 store_unavailable, never 404: the store cannot be read; it works again when the store does", () =>
    Effect.gen(function* () {
      let broken = true
      const failure = new StoreUnavailable({ problem: "cannot read /var/lib/x.db", hint: "look at it" })
      const origin = yield* RawOrigin.start(answering(hello))
      const failing = Layer.effect(
        SessionRepo,
        Effect.map(SessionRepo, (whole) => ({
          ...whole,
          find: (id: string) => (broken ? Effect.fail(failure) : whole.find(id)),
        })),
      ).pipe(Layer.provide(layerMemory([{ id: "app", url: origin.url, status: "active" }])))
      const { client, reply } = yield* oneRequest({ repo: failing })
      assertProblem(reply, 503, "store_unavailable")
      assertNothingInternal(reply, ["/var/lib", "look at it"])
      broken = false
      assert.strictEqual((yield* client.ask(request("GET /app/"))).text, "hello")
    }),
  )

  it.scopedLive("504 downstream_timeout: connected, and no head within the time allowed", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(silent)
      const { reply } = yield* oneRequest({ sessions: { app: origin.url }, settings: { timeout: 120 } })
      assertProblem(reply, 504, "downstream_timeout")
      assertNothingInternal(reply, [String(origin.port)])
      yield* origin.deserted
    }),
  )

  it.scopedLive("426 upgrade_required: a plain request on the WebSocket route", () =>
    Effect.gen(function* () {
      const { reply } = yield* oneRequest({ sessions: { app: "http://127.0.0.1:9" } }, "GET /ws/app")
      assertProblem(reply, 426, "upgrade_required")
    }),
  )

  it.scopedLive("400 bad_request: the session id cannot be decoded", () =>
    Effect.gen(function* () {
      const { reply } = yield* oneRequest({}, "GET /%zz/")
      assertProblem(reply, 400, "bad_request")
    }),
  )

  it.scopedLive("431 headers_too_large: the header block is over its limit", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      const reply = yield* ask(request("GET /app/", [`X-Big: ${"x".repeat(33_000)}`]))
      assertProblem(reply, 431, "headers_too_large")
      assert.strictEqual(origin.text, "")
    }),
  )

  it.scopedLive("408 request_timeout: the head of the request stays incomplete", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { headTimeout: 300 } })
      const client = yield* proxy.connect
      yield* client.send("GET /app/ HTTP/1.1\r\nHost: x\r\n")
      assertProblem(yield* client.response(), 408, "request_timeout")
      yield* client.gone
    }),
  )

  it.scopedLive("no body after HEAD, and everything else the same", () =>
    Effect.gen(function* () {
      const { client, reply } = yield* oneRequest({}, "HEAD /app/")
      assert.strictEqual(reply.status, 404)
      assert.isAbove(Number(reply.value("content-length")), 0)
      assert.strictEqual((yield* client.ask(request("GET /health"))).text, "OK")
    }),
  )

  it.scopedLive("a request id of its own each time, where the client brings none or one that cannot be logged", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      const client = yield* proxy.connect
      const ids = new Set<string | undefined>()
      for (const lines of [
        [],
        [],
        ["X-Request-Id: "],
        ["X-Request-Id: a\xe9b"],
        [`X-Request-Id: ${"x".repeat(5_000)}`],
      ])
        ids.add((yield* client.ask(request("GET /nope", lines))).value("x-request-id"))
      assert.strictEqual(ids.size, 5)
      for (const id of ids) assert.match(id ?? "", /^[!-~]{8,200}$/)
    }),
  )
})

describe("a loop", () => {
  it.scopedLive("of a session that points at the proxy itself is 508, at once", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      yield* proxy.repo.add({ id: "loop", url: `${proxy.url}/loop`, status: "active" })
      const client = yield* proxy.connect
      const reply = yield* client.ask(request("GET /loop/x"))
      assertProblem(reply, 508, "loop_detected")
      assertNothingInternal(reply, [String(proxy.port)])
    }),
  )

  it.scopedLive("over two proxies is 508 too", () =>
    Effect.gen(function* () {
      const one = yield* startProxy({})
      const two = yield* startProxy({ sessions: { b: `${one.url}/a` } })
      yield* one.repo.add({ id: "a", url: `${two.url}/b`, status: "active" })
      const client = yield* one.connect
      assert.strictEqual((yield* client.ask(request("GET /a/x"))).status, 508)
    }),
  )

  it.scopedLive("is not what two proxies in a row are", () =>
    Effect.gen(function* () {
      const { origin, proxy: inner } = yield* startLab()
      const outer = yield* startProxy({ sessions: { far: `${inner.url}/app` } })
      const client = yield* outer.connect
      assert.strictEqual((yield* client.ask(request("GET /far/x"))).text, "hello")
      assert.strictEqual((yield* origin.request()).target, "/x")
    }),
  )
})

describe("an offer to upgrade", () => {
  it.scopedLive("is named in Connection, as whoever sends Upgrade must", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      const client = yield* proxy.connect
      const reply = yield* client.ask(request("GET /ws/app"))
      assert.strictEqual(reply.status, 426)
      assert.strictEqual(reply.value("upgrade"), "websocket")
      assert.strictEqual(reply.value("connection"), "Upgrade")
      assert.strictEqual((yield* client.ask(request("GET /health"))).text, "OK")
    }),
  )

  it.scopedLive("of a server's 426 reaches the client, and is named in Connection, too", () =>
    Effect.gen(function* () {
      const fields = ["Connection: Upgrade", "Upgrade: websocket, h2c", "Sec-WebSocket-Version: 13"]
      const { proxy } = yield* startLab({ script: answering(answer("426 Upgrade Required", "upgrade", fields)) })
      const client = yield* proxy.connect
      const reply = yield* client.ask(request("GET /app/x"))
      assert.deepStrictEqual([reply.status, reply.text], [426, "upgrade"])
      assert.strictEqual(reply.value("upgrade"), "websocket, h2c")
      assert.strictEqual(reply.value("connection"), "Upgrade")
      assert.strictEqual(reply.value("sec-websocket-version"), "13")
      const last = yield* client.ask(request("GET /app/x", ["Connection: close"]))
      assert.strictEqual(last.value("connection"), "close, Upgrade")
    }),
  )
})
