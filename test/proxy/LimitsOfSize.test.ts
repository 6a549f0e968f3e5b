import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { HttpMessage } from "../support/HttpMessage.js"
import { chunk, lastChunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { type Script, silent } from "../support/RawOrigin.js"

const chunked = "Transfer-Encoding: chunked"
const target = (bytes: number): string => `/app/${"x".repeat(bytes - "/app/".length)}`

const assertRefused = (reply: HttpMessage, status: number, code: string): void => {
  assert.strictEqual(reply.status, status)
  assert.deepInclude(reply.json, { status, code })
}

describe("the length of a target", () => {
  it.scopedLive("may be 8 KiB and more, as long as the head has room for it", () =>
    Effect.gen(function* () {
      const { ask } = yield* startLab()
      for (const bytes of [8_192, 16_384, 30_000])
        assert.strictEqual((yield* ask(request(`GET ${target(bytes)}`))).status, 200)
    }),
  )

  it.scopedLive("is 431 where the target alone is too long for a head", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      assertRefused(yield* ask(request(`GET ${target(65_536)}`)), 431, "headers_too_large")
      assert.strictEqual(origin.text, "")
    }),
  )

  it.scopedLive("is 414 beyond its own limit, and the connection stays", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { maxTargetBytes: 8_192 } })
      const client = yield* proxy.connect
      assertRefused(yield* client.ask(request(`GET ${target(8_193)}`)), 414, "target_too_long")
      assert.strictEqual((yield* client.ask(request(`GET ${target(8_192)}`))).status, 200)
      assert.strictEqual(origin.requests.length, 1)
    }),
  )
})

describe("the size of a head", () => {
  it.scopedLive("is 431 beyond its limit, and the connection is closed", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { maxHeaderBytes: 4_096 } })
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(request("GET /app/x", [`X-A: ${"a".repeat(3_800)}`]))).status, 200)
      assertRefused(yield* client.ask(request("GET /app/y", [`X-A: ${"a".repeat(4_200)}`])), 431, "headers_too_large")
      yield* client.gone
      assert.strictEqual(origin.requests.length, 1)
    }),
  )

  it.scopedLive("may be more than the default where the limit is", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab({ settings: { maxHeaderBytes: 131_072 } })
      const cookie = "c".repeat(100_000)
      assert.strictEqual((yield* ask(request(`GET ${target(20_000)}`, [`Cookie: ${cookie}`]))).status, 200)
      assert.strictEqual((yield* origin.request()).value("cookie"), cookie)
    }),
  )
})

describe("the size of a body", () => {
  const settings = { maxBodyBytes: 1_000 }

  it.scopedLive("has no limit unless it is given one", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab()
      const body = "x".repeat(1_048_576)
      assert.strictEqual((yield* ask(request("POST /app/x", [`Content-Length: ${body.length}`], body))).status, 200)
      assert.strictEqual((yield* origin.request()).text.length, body.length)
    }),
  )

  it.scopedLive("may be exactly the limit, in both framings, however many chunks it takes", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings })
      const client = yield* proxy.connect
      const body = "x".repeat(1_000)
      const chunks = chunk("x").repeat(1_000) + lastChunk()
      yield* client.ask(request("POST /app/x", ["Content-Length: 1000"], body))
      yield* client.ask(request("POST /app/x", [chunked], chunks))
      yield* client.ask(request("POST /app/x", [chunked]), chunks.slice(0, 3_000), chunks.slice(3_000))
      assert.deepStrictEqual(
        origin.requests.map(({ text }) => text),
        [body, body, body],
      )
    }),
  )

  for (const lines of [["Content-Length: 1001"], ["Content-Length: 1001", "Expect: 100-continue"]])
    it.scopedLive(`is 413 before a byte of it has come, and before the server is asked: ${lines.join(", ")}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ settings })
        const client = yield* proxy.connect
        const reply = yield* client.ask(request("POST /app/x", lines))
        assertRefused(reply, 413, "body_too_large")
        assert.deepStrictEqual(reply.interim, [])
        assert.strictEqual(reply.value("connection"), "close")
        assert.strictEqual(yield* client.gone, "finished")
        assert.strictEqual(origin.connections.length, 0)
      }),
    )

  it.scopedLive("is 413 where chunks that came with the head are more than the limit; the server is not asked", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings })
      const client = yield* proxy.connect
      const body = chunk("x".repeat(1_001)) + lastChunk()
      assertRefused(yield* client.ask(request("POST /app/x", [chunked], body)), 413, "body_too_large")
      assert.strictEqual(origin.connections.length, 0)
    }),
  )

  it.scopedLive("is 413 as soon as chunks that come one by one are more, and the server's request is cancelled", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings, script: silent })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", [chunked], chunk("x".repeat(900))))
      yield* origin.seen("x".repeat(900))
      yield* client.send(chunk("y".repeat(101)))
      const reply = yield* client.response("POST")
      assertRefused(reply, 413, "body_too_large")
      assert.strictEqual(reply.value("connection"), "close")
      yield* origin.deserted
      assert.notInclude(origin.text, "yyy")
      assert.strictEqual(yield* client.gone, "finished")
    }),
  )

  it.scopedLive("resets the connection where the server's answer is on its way already", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          yield* Effect.orDie(connection.seen("first"))
          yield* connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")
        })
      const { origin, proxy } = yield* startLab({ settings, script })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", [chunked], chunk("first")))
      yield* client.seen("begun")
      yield* client.send(chunk("x".repeat(1_000)))
      assert.strictEqual(yield* client.gone, "reset")
      yield* origin.deserted
    }),
  )
})
