import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { splitRequests } from "../support/HttpMessage.js"
import { answer, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { hello, startLab } from "../support/Lab.js"
import { answering, RawOrigin, type Script, silent } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "SEARCH", "QUERY"]

/** A body that a reader who misses its framing takes for a request. */
const hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"

/** Answers each request with what it was: method, target, body. */
const echo: Script = (connection) =>
  Effect.forever(
    Effect.gen(function* () {
      const seen = yield* connection.request
      const method = seen.startLine.split(" ")[0] ?? ""
      const text = `${method} ${seen.target} ${seen.framing} ${seen.text}`
      yield* connection.send(answer("200 OK", method === "HEAD" ? "" : text))
    }),
  )

describe("a request body", () => {
  for (const method of methods) {
    it.scopedLive(`of ${method} arrives whole in the client's framing, and hides no request`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: echo })
        const client = yield* proxy.connect
        const lengthLine = `Content-Length: ${hidden.length}`
        const chunkedLine = "Transfer-Encoding: chunked"
        const chunked = chunk(hidden.slice(0, 10)) + chunk(hidden.slice(10)) + lastChunk()
        yield* client.ask(request(`${method} /app/length`, [lengthLine], hidden))
        yield* client.ask(request(`${method} /app/chunked`, [chunkedLine], chunked))
        yield* client.ask(request(`${method} /app/named`, [chunkedLine, "Connection: transfer-encoding"], chunked))
        yield* client.ask(request(`${method} /app/named`, [lengthLine, "Connection: content-length"], hidden))
        const seen = origin.requests
        assert.deepStrictEqual(
          seen.map((one) => [one.target, one.framing, one.text]),
          [
            ["/length", "length", hidden],
            ["/chunked", "chunked", hidden],
            ["/named", "chunked", hidden],
            ["/named", "length", hidden],
          ],
        )
        for (const connection of origin.connections) assert.strictEqual(splitRequests(connection.received).rest, "")
      }),
    )
  }

  for (const [line, fields, framing] of [
    ["GET", [], "none"],
    ["DELETE", [], "none"],
    ["POST", [], "none"],
    ["POST", ["Content-Length: 0"], "length"],
    ["GET", ["Content-Length: 0"], "length"],
  ] as const) {
    it.scopedLive(`that is not there is not invented: ${line} ${fields.join()}`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab()
        yield* ask(request(`${line} /app/x`, fields))
        const seen = yield* origin.request()
        assert.deepStrictEqual([seen.framing, seen.text], [framing, ""])
      }),
    )
  }

  it.scopedLive("of chunks may be empty, and have extensions and trailers", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      const body = `5;name="v"\r\nhello\r\n${lastChunk(["X-Sum: 1", "x-sum: 2"])}`
      yield* ask(request("POST /app/x", ["Transfer-Encoding: chunked", "Trailer: X-Sum"], body))
      yield* ask(request("POST /app/y", ["Transfer-Encoding: chunked"], lastChunk()))
      const seen = yield* origin.request(0)
      assert.strictEqual(seen.text, "hello")
      assert.deepStrictEqual(seen.trailers, [
        ["X-Sum", "1"],
        ["x-sum", "2"],
      ])
      assert.strictEqual(seen.value("trailer"), "X-Sum")
      assert.deepStrictEqual([(yield* origin.request(1)).framing, (yield* origin.request(1)).text], ["chunked", ""])
    }),
  )

  it.scopedLive("of 3 MiB arrives byte for byte, with a length and in chunks", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      const body = Buffer.alloc(3 << 20, "0123456789\xe9\x00", "latin1").toString("latin1")
      yield* client.ask(request("POST /app/x", [`Content-Length: ${body.length}`], body))
      yield* client.ask(request("POST /app/y", ["Transfer-Encoding: chunked"], chunk(body) + lastChunk()))
      for (const index of [0, 1]) assert.isTrue((yield* origin.request(index)).text === body)
    }),
  )

  it.scopedLive("of 3 MiB that comes while its session is still looked up waits, and arrives byte for byte", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(hello))
      const lookup = yield* Deferred.make<void>()
      const waiting = Effect.map(SessionRepo, (whole) => ({
        ...whole,
        find: (id: string) => Effect.zipRight(Deferred.await(lookup), whole.find(id)),
      }))
      const sessions = layerMemory([{ id: "app", url: origin.url, status: "active" }])
      const proxy = yield* startProxy({ repo: Layer.provide(Layer.effect(SessionRepo, waiting), sessions) })
      const client = yield* proxy.connect
      const body = Buffer.alloc(3 << 20, "0123456789\xe9\x00", "latin1").toString("latin1")
      const all = client.send(request("POST /app/x", [`Content-Length: ${body.length}`], body), request("GET /app/y"))
      const sending = yield* Effect.fork(all)
      // As much as the proxy takes of it.
      yield* Effect.sleep(100)
      yield* Deferred.succeed(lookup, undefined)
      yield* Fiber.join(sending)
      for (const _ of "12") assert.strictEqual((yield* client.response()).text, "hello")
      assert.isTrue((yield* origin.request()).text === body)
    }),
  )

  it.scopedLive("reaches the session's server as it comes, byte by byte", () =>
    Effect.gen(function* () {
      for (const chunked of [false, true]) {
        const { origin, proxy } = yield* startLab()
        const client = yield* proxy.connect
        const frame = (data: string) => (chunked ? chunk(data) : data)
        yield* client.send(request("POST /app/x", [chunked ? "Transfer-Encoding: chunked" : "Content-Length: 6"]))
        yield* client.send(frame("ab"))
        yield* origin.seen("ab")
        yield* client.send(frame("cd"))
        yield* origin.seen("cd")
        yield* client.send(frame("ef"), chunked ? lastChunk() : "")
        assert.strictEqual((yield* client.response()).text, "hello")
        assert.strictEqual((yield* origin.request()).text, "abcdef")
      }
    }),
  )

  it.scopedLive("may arrive split at every byte", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      const whole = request("POST /app/x", ["Transfer-Encoding: chunked"], chunk("hello") + lastChunk(["T: 1"]))
      yield* ask(whole.slice(0, 5), ...whole.slice(5))
      assert.deepStrictEqual(
        [(yield* origin.request()).text, (yield* origin.request()).trailers],
        ["hello", [["T", "1"]]],
      )
    }),
  )
})

describe("Expect: 100-continue", () => {
  const expecting = request("POST /app/x", ["Expect: 100-continue", "Content-Length: 5"])

  it.scopedLive("is answered with 100 before the client sends its body, and the body arrives", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.head
          yield* connection.send(response("100 Continue"))
          yield* Effect.orDie(connection.seen("12345"))
          yield* connection.send(hello)
        })
      const { origin, proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      yield* client.send(expecting)
      assert.strictEqual((yield* client.head).status, 100)
      yield* client.send("12345")
      const got = yield* client.response()
      assert.deepStrictEqual([got.text, got.interim.length], ["hello", 1])
      assert.strictEqual((yield* origin.request()).text, "12345")
    }),
  )

  it.scopedLive("is ignored where a client of HTTP/1.0 says it, even if the server answers it", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.head
          yield* connection.send(response("100 Continue"))
          yield* Effect.orDie(connection.seen("12345"))
          yield* connection.send(hello)
        })
      const { ask } = yield* startLab({ script })
      const got = yield* ask(expecting.replace("HTTP/1.1", "HTTP/1.0"), "12345")
      assert.deepStrictEqual([got.text, got.interim.length], ["hello", 0])
    }),
  )

  it.scopedLive("is not what another expectation is: that is the session's server's to refuse", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab({ script: answering(answer("417 Expectation Failed", "no")) })
      const got = yield* ask(request("POST /app/x", ["Expect: a-miracle", "Content-Length: 5"], "12345"))
      assert.deepStrictEqual([got.status, got.interim.length], [417, 0])
      const seen = yield* origin.request()
      assert.deepStrictEqual([seen.value("expect"), seen.text], ["a-miracle", "12345"])
    }),
  )

  it.scopedLive("lets a client learn of a refusal without having sent its body", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.zipRight(connection.head, connection.send(answer("401 Unauthorized", "no", ["Connection: close"])))
      const { origin, proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      yield* client.send(expecting)
      const got = yield* client.response()
      assert.deepStrictEqual([got.status, got.text], [401, "no"])
      yield* client.finish
      yield* client.gone
      assert.notInclude(origin.text, "12345")
    }),
  )
})

describe("an answer that comes before the request is complete", () => {
  it.scopedLive("reaches the client at once, and what is left of the request is never taken for another", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.zipRight(connection.head, connection.send(answer("413 Content Too Large", "too much")))
      const { origin, proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 1000"], "begin"))
      const got = yield* client.response()
      assert.deepStrictEqual([got.status, got.text], [413, "too much"])
      yield* client.send(hidden)
      yield* client.finish
      yield* client.gone
      assert.strictEqual(client.unread, "")
      assert.strictEqual(origin.requests.filter((one) => one.target === "/hidden").length, 0)
    }),
  )
})

describe("an answer to a request whose server hangs up before it has read the body", () => {
  /** A client in the midst of an upload, whose server has said this much and hung up. */
  const uploading = (answered: string) =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 100000"], "begin"))
      const connection = yield* origin.connection()
      yield* connection.seen("begin")
      // All of it in one turn, and the proxy reads what the client has sent first.
      client.socket.write("more of it")
      connection.socket.write(answered)
      connection.socket.resetAndDestroy()
      return client
    })

  for (const [what, bytes] of [
    ["with a length", answer("413 Content Too Large", "too much", ["Connection: close"])],
    ["in chunks", response("413 Content Too Large", ["Transfer-Encoding: chunked"], chunk("too much") + lastChunk())],
  ] as const) {
    it.scopedLive(`reaches the client, also where a write to the server is what finds out: ${what}`, () =>
      Effect.gen(function* () {
        const client = yield* uploading(bytes)
        const got = yield* client.response()
        assert.deepStrictEqual([got.status, got.text], [413, "too much"])
        yield* client.finish
        yield* client.gone
      }),
    )
  }

  it.scopedLive("is none where half of it was sent", () =>
    Effect.gen(function* () {
      const client = yield* uploading("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n")
      assert.strictEqual((yield* client.response()).status, 502)
      yield* client.finish
      yield* client.gone
    }),
  )
})

describe("a request body that does not come to its end", () => {
  it.scopedLive("is answered 408 when the client stops sending, and the session's server is let go", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { bodyTimeout: 150 } })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 10"], "12345"))
      const got = yield* client.response()
      assert.strictEqual(got.status, 408)
      assert.include(got.text, "request_timeout")
      yield* client.gone
      yield* origin.deserted
      assert.strictEqual(origin.requests.length, 0)
    }),
  )

  it.scopedLive("is waited for as long as it makes progress, for longer than every timeout", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { bodyTimeout: 200, timeout: 200 } })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 6"]))
      for (const byte of "123456") yield* Effect.delay(client.send(byte), 80)
      assert.strictEqual((yield* client.response()).text, "hello")
      assert.strictEqual((yield* origin.request()).text, "123456")
    }),
  )

  it.scopedLive("is not made to look complete when the client leaves", () =>
    Effect.gen(function* () {
      for (const how of ["finish", "reset"] as const) {
        for (const framing of ["Content-Length: 10", "Transfer-Encoding: chunked"]) {
          const { origin, proxy } = yield* startLab()
          const client = yield* proxy.connect
          yield* client.send(request("POST /app/x", [framing], chunk("12")))
          yield* origin.seen("12")
          yield* client[how]
          yield* origin.deserted
          assert.strictEqual(origin.requests.length, 0)
        }
      }
    }),
  )

  for (const broken of [
    "5\r\nhelloXX",
    "5\r\nhello\n0\r\n\r\n",
    "zz\r\n",
    "-1\r\n",
    "5 5\r\n",
    "0x5\r\nhello\r\n",
    "\r\n",
    "fffffffffffffffff\r\n",
    "5\nhello\r\n",
  ]) {
    it.scopedLive(`is not made to look complete when its chunks are broken: ${JSON.stringify(broken)}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab()
        const client = yield* proxy.connect
        yield* client.send(request("POST /app/x", ["Transfer-Encoding: chunked"], chunk("first")))
        yield* origin.seen("first")
        yield* client.send(broken, hidden)
        assert.strictEqual((yield* client.response()).status, 400)
        yield* client.gone
        yield* origin.deserted
        assert.strictEqual(origin.requests.length, 0)
      }),
    )
  }
})
