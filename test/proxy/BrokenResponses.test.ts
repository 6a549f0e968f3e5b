import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { hello, startLab } from "../support/Lab.js"
import type { RawClient } from "../support/RawClient.js"
import { answering, inTurn, saying, silent } from "../support/RawOrigin.js"

const get = request("GET /app/x")
const chunked = "Transfer-Encoding: chunked"

/** What a session's server may say that is no response to a request. */
const malformed: ReadonlyArray<readonly [what: string, bytes: string]> = [
  ["both kinds of framing", response("200 OK", ["Content-Length: 5", chunked], chunk("hello") + lastChunk())],
  ["two Content-Length that differ", response("200 OK", ["Content-Length: 5", "Content-Length: 6"], "hello!")],
  ["a list of Content-Length that differ", response("200 OK", ["Content-Length: 5, 6"], "hello!")],
  ["a signed Content-Length", response("200 OK", ["Content-Length: +5"], "hello")],
  ["a negative Content-Length", response("200 OK", ["Content-Length: -5"], "hello")],
  ["a hexadecimal Content-Length", response("200 OK", ["Content-Length: 0x5"], "hello")],
  ["an empty Content-Length", response("200 OK", ["Content-Length:"], "hello")],
  ["a Content-Length beyond every number", response("200 OK", [`Content-Length: 9${"9".repeat(30)}`], "hello")],
  ["an unknown transfer coding", response("200 OK", ["Transfer-Encoding: gzip"], "hello")],
  ["chunked twice", response("200 OK", [chunked, chunked], chunk("hello") + lastChunk())],
  ["chunked before another coding", response("200 OK", ["Transfer-Encoding: chunked, gzip"], lastChunk())],
  ["chunks in HTTP/1.0", `HTTP/1.0 200 OK\r\n${chunked}\r\n\r\n${lastChunk()}`],
  ["a status line without a version", "200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["another protocol", "ICY 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["HTTP/1.10", "HTTP/1.10 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["status 099", "HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n"],
  ["status 000", "HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n"],
  ["status 1000", "HTTP/1.1 1000 x\r\nContent-Length: 0\r\n\r\n"],
  ["status 20", "HTTP/1.1 20 x\r\nContent-Length: 0\r\n\r\n"],
  ["status 2xx", "HTTP/1.1 2xx x\r\nContent-Length: 0\r\n\r\n"],
  ["status -200", "HTTP/1.1 -200 x\r\nContent-Length: 0\r\n\r\n"],
  ["a control byte in the reason", answer("200 O\x01K", "hello")],
  ["a bare CR in the reason", answer("200 O\rK", "hello")],
  ["two empty lines before the status line", `\r\n\r\n${hello}`],
  ["a field without a colon", answer("200 OK", "hello", ["X-A"])],
  ["an empty field name", answer("200 OK", "hello", [": 1"])],
  ["a space in a field name", answer("200 OK", "hello", ["X A: 1"])],
  ["a folded line", answer("200 OK", "hello", ["X-A: 1", " more"])],
  ["NUL in a value", answer("200 OK", "hello", ["X-A: a\0b"])],
  ["a bare CR in a value", answer("200 OK", "hello", ["X-A: a\rSet-Cookie: b=1"])],
  ["a bare LF in a value", answer("200 OK", "hello", ["X-A: a\nSet-Cookie: b=1"])],
  ["LF for every line end", hello.replaceAll("\r\n", "\n")],
  ["101 that nobody asked for", response("101 Switching Protocols", ["Upgrade: x", "Connection: Upgrade"], "bytes")],
  ["interim responses without end", response("103 Early Hints", ["A: 1"]).repeat(5_000)],
  ["a head without end", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(1 << 20)}`],
  ["fields without end", `HTTP/1.1 200 OK\r\n${"X-A: 1\r\n".repeat(100_000)}`],
  ["a body on an interim response", `HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\nhello${hello}`],
]

describe("a malformed response", () => {
  for (const [what, bytes] of malformed) {
    it.scopedLive(`is 502 downstream_protocol, and its connection is not used again: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: inTurn(saying(bytes), answering(hello)) })
        const client = yield* proxy.connect
        const got = yield* client.ask(get)
        assert.strictEqual(got.status, 502)
        assert.include(got.text, `"code":"downstream_protocol"`)
        yield* (yield* origin.connection(0)).gone
        assert.strictEqual((yield* client.ask(get)).text, "hello")
      }),
    )
  }

  for (const [what, broken] of [
    ["a chunk size that is none", "zz\r\n"],
    ["a chunk that is longer than it says", "2\r\nabc\r\n0\r\n\r\n"],
    ["a chunk size beyond every number", `${"f".repeat(20)}\r\n`],
    ["a trailer without a colon", "0\r\nbad\r\n\r\n"],
    ["LF after a chunk", "2\nab\n0\n\n"],
    ["a control byte in a chunk extension", "2;\x01\r\nab\r\n0\r\n\r\n"],
  ] as const) {
    const begin = response("200 OK", [chunked], chunk("hello"))

    it.scopedLive(`whose body breaks when its head is through resets the client: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: saying(begin) })
        const client = yield* proxy.connect
        yield* client.send(get)
        yield* client.seen("hello")
        yield* (yield* origin.connection()).send(broken)
        assert.strictEqual(yield* client.gone, "reset")
        assert.notInclude(client.text, "0\r\n\r\n")
        yield* origin.deserted
      }),
    )

    it.scopedLive(`whose body is broken from the start resets the client or is 502: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: saying(begin + broken) })
        const client = yield* proxy.connect
        yield* client.send(get)
        if ((yield* client.head).status === 502) assert.include((yield* client.response()).text, "downstream_protocol")
        else assert.strictEqual(yield* client.gone, "reset")
        assert.notInclude(client.text, "0\r\n\r\n")
        yield* origin.deserted
      }),
    )
  }

  for (const [what, bytes] of [
    ["after a length", `${hello}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`],
    ["after chunks", `${response("200 OK", [chunked], chunk("hello") + lastChunk())}surplus`],
    ["after 204", `${response("204 No Content")}surplus`],
    ["after 304", `${response("304 Not Modified", ["Content-Length: 7"])}surplus`],
  ] as const) {
    it.scopedLive(`is one with bytes behind its end: they reach nobody (${what})`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({
          script: inTurn(saying(bytes), answering(answer("200 OK", "clean"))),
        })
        const client = yield* proxy.connect
        const got = yield* client.ask(get)
        assert.isBelow(got.status, 400)
        assert.strictEqual((yield* client.ask(get)).text, "clean")
        assert.strictEqual(origin.connections.length, 2)
        assert.notMatch(client.text, /surplus|poison/)
      }),
    )
  }

  for (const bytes of [answer("408 Request Timeout", "late", ["Connection: close"]), hello, "x"]) {
    it.scopedLive(`is one that nobody asked for, on an idle connection: ${JSON.stringify(bytes.slice(0, 20))}`, () =>
      Effect.gen(function* () {
        const script = inTurn(answering(hello), answering(answer("200 OK", "clean")))
        const { origin, proxy } = yield* startLab({ script })
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(get)).text, "hello")
        const idle = yield* origin.connection(0)
        yield* idle.send(bytes)
        yield* idle.gone
        assert.strictEqual((yield* client.ask(get)).text, "clean")
        assert.strictEqual(client.unread, "")
      }),
    )
  }

  it.scopedLive("is one with a body after HEAD: it reaches nobody", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: inTurn(saying(hello), answering(answer("200 OK", "clean"))) })
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(request("HEAD /app/x"))).value("content-length"), "5")
      assert.strictEqual((yield* client.ask(get)).text, "clean")
    }),
  )
})

describe("a response that breaks off", () => {
  for (const [what, bytes, then] of [
    ["with a length, by FIN", response("200 OK", ["Content-Length: 10"], "12345"), "finish"],
    ["with a length, by RST", response("200 OK", ["Content-Length: 10"], "12345"), "reset"],
    ["before the first byte of its length", response("200 OK", ["Content-Length: 10"]), "finish"],
    ["in chunks, by FIN", response("200 OK", [chunked], chunk("12345")), "finish"],
    ["in chunks, by RST", response("200 OK", [chunked], chunk("12345")), "reset"],
    ["in the middle of a chunk", response("200 OK", [chunked], "a\r\n12345"), "finish"],
    ["before the last CRLF", response("200 OK", [chunked], `${chunk("12345")}0\r\n`), "finish"],
    ["until close, by RST", response("200 OK", ["A: 1"], "12345"), "reset"],
  ] as const) {
    it.scopedLive(`${what}: the client's connection is reset`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: saying(bytes, then) })
        const client = yield* proxy.connect
        yield* client.send(get)
        assert.strictEqual(yield* client.gone, "reset")
        assert.notInclude(client.text, "0\r\n\r\n")
        assert.strictEqual(origin.requests.length, 1)
      }),
    )

    it.scopedLive(`${what}: so is the connection of a client of HTTP/1.0`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script: saying(bytes, then) })
        const client = yield* proxy.connect
        yield* client.send(get.replace("HTTP/1.1", "HTTP/1.0"))
        assert.strictEqual(yield* client.gone, "reset")
      }),
    )
  }

  it.scopedLive("after the client has its beginning: what was sent before is not lost", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: saying(response("200 OK", [chunked], chunk("first"))) })
      const client = yield* proxy.connect
      yield* client.send(get)
      yield* client.seen("first")
      yield* (yield* origin.connection()).reset
      assert.strictEqual(yield* client.gone, "reset")
    }),
  )

  it.scopedLive("because nothing comes for longer than the idle timeout: the client's connection is reset", () =>
    Effect.gen(function* () {
      const script = saying(response("200 OK", [chunked], chunk("first")))
      const { proxy } = yield* startLab({ script, settings: { idleTimeout: 150 } })
      const client = yield* proxy.connect
      yield* client.send(get)
      assert.strictEqual(yield* client.gone, "reset")
      assert.include(client.text, "first")
    }),
  )
})

describe("a client that leaves", () => {
  const departures: ReadonlyArray<readonly [how: string, leave: (client: RawClient) => void]> = [
    ["by FIN", (client) => client.socket.destroy()],
    ["by RST", (client) => client.socket.resetAndDestroy()],
  ]
  for (const [how, leave] of departures) {
    it.scopedLive(`${how} while it waits: the request to the session's server is cancelled`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: silent })
        const client = yield* proxy.connect
        yield* client.send(get)
        yield* origin.request()
        leave(client)
        yield* origin.deserted
        yield* proxy.quiet
      }),
    )

    it.scopedLive(`${how} while a response streams: so is that`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: saying(response("200 OK", [chunked], chunk("first"))) })
        const client = yield* proxy.connect
        yield* client.send(get)
        yield* client.seen("first")
        leave(client)
        yield* origin.deserted
        yield* proxy.quiet
      }),
    )
  }

  it.scopedLive("is noticed where all of a large request was there before the connection to its server", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 100000"], "a".repeat(100_000)))
      assert.strictEqual((yield* origin.request()).text.length, 100_000)
      yield* client.reset
      yield* origin.deserted
      yield* proxy.quiet
    }),
  )

  it.scopedLive("many times over leaves nothing behind", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: saying(response("200 OK", [chunked], chunk("first"))) })
      const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length
      const before = sockets()
      for (let round = 0; round < 50; round++) {
        const client = yield* proxy.connect
        yield* client.send(get)
        yield* client.seen("first")
        yield* client.reset
      }
      yield* origin.deserted
      yield* proxy.quiet
      assert.isAtMost(sockets(), before + 2)
    }),
  )
})
