import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, chunk, lastChunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { type Script, silent } from "../support/RawOrigin.js"

/** Answers as soon as it has the head, whatever is still to come. */
const refusing: Script = (connection) =>
  Effect.zipRight(connection.head, connection.send(answer("413 Content Too Large", "no")))

const size = 8 * 1_048_576
const piece = "x".repeat(65_536)

const post = (target: string, bytes: number) => request(`POST ${target}`, [`Content-Length: ${bytes}`])
const chunked = request("POST /app/x", ["Transfer-Encoding: chunked"])

describe("a client that is answered while it still sends", () => {
  const cases: ReadonlyArray<readonly [what: string, status: number, pieces: ReadonlyArray<string>, limit?: number]> = [
    ["no such session", 404, [post("/nobody/x", size)]],
    ["a WebSocket route", 426, [post("/ws/app", size)]],
    ["a head that is too large", 431, [`GET /app/x HTTP/1.1\r\nX-A: ${"x".repeat(40_000)}`]],
    ["a head that is none", 400, ["GET /app/x\tHTTP/1.1\r\n\r\n"]],
    ["a body that is too large", 413, [post("/app/x", size)], size - 1],
    ["chunks that are none", 400, [chunked, "zz\r\n"]],
    ["chunks that are too much", 413, [chunked, chunk("x".repeat(1_001))], 1_000],
    ["chunks that are too much, and broken behind", 413, [chunked, `${chunk("x".repeat(1_001))}zz\r\n`], 1_000],
    ["the same, with its head", 413, [`${chunked}${chunk("x".repeat(1_001))}zz\r\n`], 1_000],
    [
      "chunks that are too much, and a request",
      413,
      [chunked, chunk("x".repeat(1_001)) + lastChunk() + chunked],
      1_000,
    ],
  ]
  for (const [what, status, pieces, limit] of cases) {
    it.scopedLive(`gets the answer and not a reset, and the connection is closed behind it: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: silent, settings: { maxBodyBytes: limit ?? 0 } })
        const client = yield* proxy.connect
        yield* client.stopReading
        const [first = "", ...more] = pieces
        yield* client.send(first)
        if (more.length > 0) yield* origin.connection()
        yield* client.send(...more)
        for (let sent = 0; sent < size / 2; sent += piece.length) yield* Effect.timeoutOption(client.send(piece), 50)
        yield* client.readOn
        const reply = yield* client.response("POST")
        assert.strictEqual(reply.status, status)
        assert.match(reply.value("connection") ?? "", /^close\b/)
        assert.strictEqual(yield* client.gone, "finished")
        assert.strictEqual(client.unread, "")
        yield* origin.deserted
      }),
    )
  }

  it.scopedLive("is not waited for longer than a moment", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      yield* client.send(request("POST /nobody/x", [`Content-Length: ${size}`]), piece)
      assert.strictEqual((yield* client.response("POST")).status, 404)
      yield* client.gone
      yield* proxy.quiet
    }),
  )

  it.scopedLive("by the session's server, and then sends no more, does not hold its connection", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: refusing })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", [`Content-Length: ${size}`]), piece)
      const reply = yield* client.response("POST")
      assert.deepStrictEqual([reply.status, reply.value("connection")], [413, "close"])
      assert.strictEqual(yield* client.gone, "finished")
      yield* origin.deserted
      yield* proxy.quiet
    }),
  )
})
