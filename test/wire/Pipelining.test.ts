import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { type Script, silent } from "../support/RawOrigin.js"

/** Answers with the target and the body of the request. */
const echo: Script = (connection) =>
  Effect.forever(
    Effect.flatMap(connection.request, (seen) => connection.send(answer("200 OK", `${seen.target} ${seen.text}`))),
  )

/** Answers with the target, in chunks and several writes. */
const streamed: Script = (connection) =>
  Effect.forever(
    Effect.flatMap(connection.request, (seen) =>
      connection.send(response("200 OK", ["Transfer-Encoding: chunked"]), chunk(seen.target), lastChunk()),
    ),
  )

describe("requests that come without waiting for answers", () => {
  for (const [what, script] of [
    ["whole answers", echo],
    ["streamed answers", streamed],
  ] as const) {
    it.scopedLive(`are answered in order: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script })
        const client = yield* proxy.connect
        const targets = Array.from({ length: 20 }, (_, index) => `/${index}`)
        yield* client.send(targets.map((target) => request(`GET /app${target}`)).join(""))
        for (const target of targets) assert.strictEqual((yield* client.response()).text.trim(), target)
        assert.strictEqual(client.unread, "")
      }),
    )
  }

  it.scopedLive("may have bodies, and be mixed with those that the proxy answers itself", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: echo })
      const client = yield* proxy.connect
      yield* client.send(
        [
          request("POST /app/1", ["Content-Length: 3"], "one"),
          request("GET /health"),
          request("POST /app/2", ["Transfer-Encoding: chunked"], chunk("two") + lastChunk()),
          request("GET /nope"),
          request("GET /app/3"),
        ].join(""),
      )
      const texts: Array<string | number> = []
      for (let count = 0; count < 5; count++) {
        const got = yield* client.response()
        texts.push(got.status === 200 ? got.text.trim() : got.status)
      }
      assert.deepStrictEqual(texts, ["/1 one", "OK", "/2 two", 404, "/3"])
    }),
  )

  it.scopedLive("may arrive split at every byte", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: echo })
      const client = yield* proxy.connect
      yield* client.send(...(request("POST /app/1", ["Content-Length: 3"], "one") + request("GET /app/2")))
      assert.strictEqual((yield* client.response()).text, "/1 one")
      assert.strictEqual((yield* client.response()).text.trim(), "/2")
    }),
  )

  it.scopedLive("get their answers up to the first that is malformed, then 400, then nothing", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: echo })
      const client = yield* proxy.connect
      const bad = request("POST /app/2", ["Content-Length: 5", "Transfer-Encoding: chunked"], lastChunk())
      yield* client.send(request("GET /app/1") + bad + request("GET /app/3"))
      assert.strictEqual((yield* client.response()).text.trim(), "/1")
      assert.strictEqual((yield* client.response()).status, 400)
      yield* client.gone
      assert.strictEqual(client.unread, "")
      assert.deepStrictEqual(
        origin.requests.map(({ target }) => target),
        ["/1"],
      )
    }),
  )

  it.scopedLive("are not answered after one that said Connection: close", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: echo })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/1", ["Connection: close"]) + request("GET /app/2"))
      assert.strictEqual((yield* client.response()).text.trim(), "/1")
      yield* client.gone
      assert.strictEqual(client.unread, "")
      assert.strictEqual(origin.requests.length, 1)
    }),
  )

  it.scopedLive("that follow a HEAD are answered in step", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.forever(
          Effect.flatMap(connection.request, ({ startLine }) =>
            connection.send(
              startLine.startsWith("HEAD") ? response("200 OK", ["Content-Length: 77"]) : answer("200 OK", "next"),
            ),
          ),
        )
      const { proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      yield* client.send(request("HEAD /app/1") + request("GET /app/2"))
      assert.strictEqual((yield* client.response("HEAD")).value("content-length"), "77")
      assert.strictEqual((yield* client.response()).text, "next")
    }),
  )
})

describe("a client that half-closes with its request", () => {
  for (const [what, bytes, texts] of [
    ["one", request("GET /app/1"), ["/1"]],
    ["one with a body", request("POST /app/1", ["Content-Length: 3"], "one"), ["/1 one"]],
    ["three at once", [1, 2, 3].map((id) => request(`GET /app/${id}`)).join(""), ["/1", "/2", "/3"]],
  ] as const) {
    it.scopedLive(`still gets what it asked for: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script: echo })
        const client = yield* proxy.connect
        yield* client.send(bytes)
        yield* client.finish
        for (const text of texts) assert.strictEqual((yield* client.response()).text.trim(), text)
        assert.strictEqual(yield* client.gone, "finished")
      }),
    )
  }

  for (const [what, last] of [
    ["with a length", request("POST /app/cut", ["Content-Length: 10"], "part")],
    ["in chunks", request("POST /app/cut", ["Transfer-Encoding: chunked"], chunk("part"))],
    ["without a byte of it", request("POST /app/cut", ["Content-Length: 10"])],
    ["and to no session", request("POST /nobody/cut", ["Content-Length: 10"], "part")],
    ["but for its head", "GET /app/cut HTTP/1.1\r\nHost: h\r\n"],
  ] as const) {
    it.scopedLive(`gets what it asked for, and is gone where the last request is not whole: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: echo })
        const client = yield* proxy.connect
        yield* client.send(request("GET /app/1") + last)
        yield* client.finish
        assert.strictEqual((yield* client.response()).text.trim(), "/1")
        yield* client.gone
        if (client.unread !== "") assert.strictEqual((yield* client.response("POST")).status, 404)
        yield* proxy.quiet
        assert.strictEqual(origin.requests.length, 1)
      }),
    )
  }
})

describe("tens of thousands of requests while none is answered", () => {
  it.scopedLive("hold nobody else up, neither while they wait nor when their client leaves", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      const other = yield* proxy.connect
      const many = request("GET /app/x").repeat(5_000)
      // What the proxy does not read any more, the kernel does not take: that is as good as reading it.
      for (let count = 0; count < 12; count++) yield* Effect.timeoutOption(client.send(many), 100)
      const begin = performance.now()
      assert.strictEqual((yield* other.ask(request("GET /health"))).text, "OK")
      client.socket.destroy()
      yield* origin.deserted
      assert.strictEqual((yield* other.ask(request("GET /health"))).text, "OK")
      assert.isBelow(performance.now() - begin, 1_500)
    }),
  )
})
