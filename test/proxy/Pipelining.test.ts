import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Socket } from "node:net"
import { setImmediate as nextTurn } from "node:timers/promises"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { fairNow } from "../support/FairClock.js"
import { answer, chunk, crlf, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { liveBytes } from "../support/Memory.js"
import { type RawOrigin, type Script, silent } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"

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

  it.scopedLive("may arrive split at every byte, whatever they are", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: echo })
      const client = yield* proxy.connect
      const old = request("GET /app/4", ["Connection: keep-alive"]).replace("HTTP/1.1", "HTTP/1.0")
      const all = [
        request("POST /app/1", ["Content-Length: 3"], "one"),
        crlf + request("GET /app/2"),
        request("POST /app/3", ["Transfer-Encoding: chunked"], `3;a="b"\r\nthr\r\n2\r\nee\r\n${lastChunk(["T: 1"])}`),
        old,
        request("GET /nobody/5"),
        request("PUT /app/6", ["Content-Length: 0"]),
        request("GET /app/7", ["Connection: close"]),
        request("GET /app/8"),
      ].join("")
      yield* client.send(...all)
      const texts: Array<string | number> = []
      for (let count = 0; count < 7; count++) {
        const got = yield* client.response()
        texts.push(got.status === 200 ? got.text.trim() : got.status)
      }
      assert.deepStrictEqual(texts, ["/1 one", "/2", "/3 three", "/4", 404, "/6", "/7"])
      assert.strictEqual(yield* client.gone, "finished")
      assert.strictEqual(client.unread, "")
      assert.strictEqual(origin.requests.length, 6)
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

  it.scopedLive("still gets what the proxy answers itself behind what a server answers", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: echo })
      for (const cut of ["", "GET /app/cut HTTP/1.1\r\n"]) {
        const client = yield* proxy.connect
        const own = request("GET /health") + request("POST /nobody", ["Content-Length: 2"], "hi")
        yield* client.send(request("GET /app/1") + own + request("GET /app/2") + own + cut)
        yield* client.finish
        const texts: Array<string> = []
        for (let count = 0; count < 6; count++) texts.push((yield* client.response()).text.trim().slice(0, 2))
        assert.deepStrictEqual(texts, ["/1", "OK", '{"', "/2", "OK", '{"'])
        assert.strictEqual(yield* client.gone, "finished")
        assert.strictEqual(client.unread, "")
      }
    }),
  )

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

/** Answers each request with so many bytes. */
const large =
  (bytes: number): Script =>
  (connection) =>
    Effect.forever(Effect.zipRight(connection.request, connection.send(answer("200 OK", "x".repeat(bytes)))))

/** Waits until so many bytes have been read; unlike `seenBytes` it does not look at them. */
const readUpTo = (socket: Socket, bytes: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    const look = () => {
      if (socket.bytesRead >= bytes) resume(Effect.void)
    }
    socket.on("data", look)
    look()
  })

/** Waits until no request has come to the origin for a while. */
const settled = (origin: RawOrigin) =>
  Effect.gen(function* () {
    let before = -1
    while (origin.requests.length !== before) {
      before = origin.requests.length
      yield* Effect.sleep(150)
    }
    return before
  })

describe("a client that asks on and never reads", () => {
  it.scopedLive("is answered no further than its window goes, costs little, and gets the rest when it reads", () =>
    Effect.gen(function* () {
      const size = 131_072
      const count = 150
      const { origin, proxy } = yield* startLab({ script: large(size) })
      const client = yield* proxy.connect
      const other = yield* proxy.connect
      yield* other.ask(request("GET /app/x"))
      const before = liveBytes()
      yield* client.stopReading
      yield* client.send(request("GET /app/x").repeat(count))
      const answered = yield* settled(origin)
      assert.isBelow(answered, count)
      const held = liveBytes() - before
      assert.isBelow(held, 8 * size)
      assert.strictEqual((yield* other.ask(request("GET /app/x"))).body.length, size)
      yield* client.readOn
      yield* readUpTo(client.socket, count * size)
      for (let index = 0; index < count; index++) assert.strictEqual((yield* client.response()).body.length, size)
      assert.strictEqual(client.unread, "")
    }),
  )
})

describe("thousands of requests that the proxy answers itself", () => {
  it.scopedLive("come in a row without holding anybody else up, and get all their answers", () =>
    Effect.gen(function* () {
      const many = 3_000
      const lookedUp: Array<string> = []
      const counting = Effect.map(SessionRepo, (whole) => ({
        ...whole,
        find: (id: string) => {
          lookedUp.push(id)
          return whole.find(id)
        },
      }))
      const proxy = yield* startProxy({ repo: Layer.provide(Layer.effect(SessionRepo, counting), layerMemory([])) })
      const client = yield* proxy.connect
      yield* client.send(Array.from({ length: many }, (_, index) => request(`GET /nobody-${index}`)).join(""))
      let most = 0
      for (let before = lookedUp.length; lookedUp.length < many; before = lookedUp.length) {
        yield* Effect.promise(() => nextTurn())
        most = Math.max(most, lookedUp.length - before)
      }
      assert.isBelow(most, 100)
      for (let index = 0; index < many; index++) assert.strictEqual((yield* client.response()).status, 404)
    }),
  )

  it.scopedLive("may be more than what is read ahead of an answer", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      const client = yield* proxy.connect
      const many = 10_000
      yield* client.ask(request("GET /health"))
      const size = client.received.length
      yield* client.send(request("GET /health").repeat(many))
      yield* Effect.race(readUpTo(client.socket, (many + 1) * size), client.left)
      assert.strictEqual(client.received.length, (many + 1) * size)
    }),
  )

  it.scopedLive("get all their answers where their client half-closes with them", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      for (const count of [31, 32, 33, 64, 1_000]) {
        const client = yield* proxy.connect
        yield* client.send(request("GET /health").repeat(count))
        yield* client.finish
        assert.strictEqual(yield* client.gone, "finished")
        assert.strictEqual(client.text.match(/HTTP\/1\.1 200/g)?.length, count)
      }
    }),
  )
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
      const begin = fairNow()
      assert.strictEqual((yield* other.ask(request("GET /health"))).text, "OK")
      client.socket.destroy()
      yield* origin.deserted
      assert.strictEqual((yield* other.ask(request("GET /health"))).text, "OK")
      assert.isBelow(fairNow() - begin, 1_500)
    }),
  )
})
