import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { type Script, silent } from "../support/RawOrigin.js"

/** Answers as soon as it has the head, whatever is still to come. */
const refusing: Script = (connection) =>
  Effect.zipRight(connection.head, connection.send(answer("413 Content Too Large", "no")))

const size = 8 * 1_048_576
const piece = "x".repeat(65_536)

describe("a client that is answered while it still sends", () => {
  for (const [what, target, status] of [
    ["no such session", "/nobody/x", 404],
    ["a WebSocket route", "/ws/app", 426],
  ] as const) {
    it.scopedLive(`gets the answer and not a reset, and the connection is closed behind it: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script: silent })
        const client = yield* proxy.connect
        yield* client.stopReading
        yield* client.send(request(`POST ${target}`, [`Content-Length: ${size}`]))
        for (let sent = 0; sent < size / 2; sent += piece.length) yield* Effect.timeoutOption(client.send(piece), 50)
        yield* client.readOn
        const reply = yield* client.response("POST")
        assert.strictEqual(reply.status, status)
        assert.match(reply.value("connection") ?? "", /^close\b/)
        assert.strictEqual(yield* client.gone, "finished")
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
