import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, bareRequest, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { answering, saying, type Script, silent } from "../support/RawOrigin.js"

const get = request("GET /app/x")
const chunked = "Transfer-Encoding: chunked"

/** The same request as a client of HTTP/1.0 says it. */
const old = (text: string): string => text.replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n")
const keeping = old(request("GET /app/x", ["Connection: keep-alive"]))

/** Says head and content in two steps, so that the proxy cannot know where the content ends. */
const slowly =
  (head: string, ...rest: ReadonlyArray<string>): Script =>
  (connection) =>
    Effect.gen(function* () {
      yield* connection.request
      yield* connection.send(head)
      for (const piece of rest) yield* Effect.delay(connection.send(piece), 30)
    })

describe("a connection of HTTP/1.1", () => {
  it.scopedLive("stays open behind every answer, and says so and for how long", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { keepAliveTimeout: 7_000 } })
      const client = yield* proxy.connect
      for (const line of ["GET /app/x", "GET /health", "GET /nobody/x", "HEAD /app/x", "POST /app/x", "GET /app/x"]) {
        const reply = yield* client.ask(request(line))
        assert.deepStrictEqual(
          [reply.value("connection"), reply.value("keep-alive")],
          ["keep-alive", "timeout=7"],
          line,
        )
      }
    }),
  )

  it.scopedLive("says nothing of a time where there is none", () =>
    Effect.gen(function* () {
      const { ask } = yield* startLab({ settings: { keepAliveTimeout: 0 } })
      const reply = yield* ask(get)
      assert.deepStrictEqual([reply.value("connection"), reply.value("keep-alive")], ["keep-alive", undefined])
    }),
  )

  for (const lines of [
    ["Connection: close"],
    ["Connection: Close"],
    ["CONNECTION: CLOSE"],
    ["Connection: keep-alive, close"],
    ["Connection: close , x-a"],
    ["Connection: ,,\tcLoSe\t,"],
    ["Connection: keep-alive", "connection: close"],
  ]) {
    for (const [what, line] of [
      ["an answer of the session's server", "GET /app/x"],
      ["an answer of the proxy's own", "GET /nobody/x"],
    ] as const) {
      it.scopedLive(`is closed behind ${what} where the client says ${lines.join(" | ")}`, () =>
        Effect.gen(function* () {
          const { origin, proxy } = yield* startLab()
          const client = yield* proxy.connect
          const reply = yield* client.ask(request(line, lines) + get)
          assert.deepStrictEqual([reply.value("connection"), reply.value("keep-alive")], ["close", undefined])
          assert.strictEqual(yield* client.gone, "finished")
          assert.strictEqual(client.unread, "")
          assert.strictEqual(origin.requests.length, line.includes("app") ? 1 : 0)
        }),
      )
    }
  }

  for (const line of ["Connection: closed", "Connection: x-close", "X-Connection: close", "Proxy-Connection: close"]) {
    it.scopedLive(`is not closed for ${line}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab()
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(request("GET /app/x", [line]))).value("connection"), "keep-alive")
        assert.strictEqual((yield* client.ask(get)).text, "hello")
      }),
    )
  }
})

describe("a connection of HTTP/1.0", () => {
  const answers: ReadonlyArray<readonly [what: string, script: Script, lengths: ReadonlyArray<string>]> = [
    ["with a length", answering(answer("200 OK", "hello")), ["5"]],
    [
      "in chunks, whole",
      answering(response("200 OK", [chunked], chunk("hel") + chunk("lo") + lastChunk(["T: 1"]))),
      ["5"],
    ],
    ["in chunks, empty", answering(response("200 OK", [chunked], lastChunk())), ["0"]],
    ["without content", answering(response("204 No Content")), []],
  ]

  for (const [what, script, lengths] of answers) {
    it.scopedLive(`stays open where the client asks for it and the end of the answer is known: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script })
        const client = yield* proxy.connect
        for (const _ of "123") {
          const reply = yield* client.ask(keeping)
          assert.deepStrictEqual(reply.values("content-length"), lengths)
          assert.deepStrictEqual(
            [reply.value("connection"), reply.value("transfer-encoding")],
            ["keep-alive", undefined],
          )
          assert.strictEqual(reply.text, "hello".slice(0, Number(lengths[0] ?? 0)))
          assert.deepStrictEqual(reply.trailers, [])
        }
      }),
    )

    it.scopedLive(`is closed where the client does not ask: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script })
        const client = yield* proxy.connect
        const reply = yield* client.ask(old(get))
        assert.deepStrictEqual(reply.values("content-length"), lengths)
        assert.strictEqual(reply.value("connection"), "close")
        assert.strictEqual(yield* client.gone, "finished")
      }),
    )
  }

  it.scopedLive("is what ends an answer whose length nobody knows: no chunks, and closed although it was to stay", () =>
    Effect.gen(function* () {
      for (const [script, text] of [
        [slowly(response("200 OK", [chunked, "Trailer: T"]), chunk("hel"), chunk("lo") + lastChunk(["T: 1"])), "hello"],
        [saying(response("200 OK", [], "until close"), "finish"), "until close"],
      ] as const) {
        const { proxy } = yield* startLab({ script })
        const client = yield* proxy.connect
        yield* client.send(keeping)
        assert.strictEqual(yield* client.gone, "finished")
        const reply = yield* client.response()
        assert.deepStrictEqual([reply.framing, reply.text], ["close", text])
        assert.deepStrictEqual([reply.value("connection"), reply.value("trailer")], ["close", undefined])
      }
    }),
  )

  it.scopedLive("that is to stay stays behind answers of the proxy's own, and without a Host", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      const lines = ["Connection: Keep-Alive"]
      assert.strictEqual((yield* client.ask(old(bareRequest("GET /health", lines)))).text, "OK")
      assert.strictEqual((yield* client.ask(old(bareRequest("GET /nobody", lines)))).status, 404)
      assert.strictEqual((yield* client.ask(old(bareRequest("GET /app/x", lines)))).text, "hello")
      assert.strictEqual((yield* origin.request()).value("x-forwarded-host"), undefined)
      assert.match((yield* origin.request()).value("via") ?? "", /^1\.0 /)
    }),
  )

  it.scopedLive("may carry requests of HTTP/1.1 too, each by its own rules", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      const client = yield* proxy.connect
      yield* client.send(keeping + get + old(request("GET /app/x")) + get)
      for (const connection of ["keep-alive", "keep-alive", "close"])
        assert.strictEqual((yield* client.response()).value("connection"), connection)
      assert.strictEqual(yield* client.gone, "finished")
      assert.strictEqual(client.unread, "")
    }),
  )

  it.scopedLive("with a chunked request is refused and closed", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      const text = request("POST /app/x", [chunked, "Connection: keep-alive"], lastChunk())
      assert.strictEqual((yield* client.ask(old(text))).status, 400)
      assert.strictEqual(yield* client.gone, "finished")
      assert.strictEqual(origin.text, "")
    }),
  )
})

describe("a request with a body that the proxy answers itself", () => {
  const bodies: ReadonlyArray<readonly [what: string, lines: ReadonlyArray<string>, body: string]> = [
    ["of a length", ["Content-Length: 5"], "hello"],
    ["in chunks", [chunked], chunk("hello") + lastChunk(["T: 1"])],
    ["of 8 KB", ["Content-Length: 8000"], "x".repeat(8_000)],
    ["of no bytes", ["Content-Length: 0"], ""],
    ["of no chunks", [chunked], lastChunk()],
  ]
  for (const [what, lines, body] of bodies) {
    it.scopedLive(`keeps its connection where the body came with its head: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: silent })
        const client = yield* proxy.connect
        yield* client.send(request("POST /nobody/x", lines, body) + request("GET /health"))
        const reply = yield* client.response("POST")
        assert.deepStrictEqual([reply.status, reply.value("connection")], [404, "keep-alive"])
        assert.strictEqual((yield* client.response()).text, "OK")
        assert.strictEqual(client.unread, "")
        assert.strictEqual(origin.connections.length, 0)
      }),
    )
  }

  for (const [what, lines, begun] of [
    ["of a length, not begun", ["Content-Length: 50"], ""],
    ["of a length, begun", ["Content-Length: 50"], "hello"],
    ["in chunks, not begun", [chunked], ""],
    ["in chunks, without its end", [chunked], chunk("hello")],
    ["in chunks that are none", [chunked], `zz\r\n${lastChunk()}`],
  ] as const) {
    it.scopedLive(`closes its connection where the body has not come: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script: silent })
        const client = yield* proxy.connect
        yield* client.send(request("POST /nobody/x", lines, begun))
        const reply = yield* client.response("POST")
        assert.deepStrictEqual([reply.status, reply.value("connection")], [404, "close"])
        yield* client.send(request("GET /health"))
        assert.strictEqual(yield* client.gone, "finished")
        assert.strictEqual(client.unread, "")
      }),
    )
  }
})
