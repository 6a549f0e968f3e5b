import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Socket } from "node:net"
import type { HttpMessage } from "../support/HttpMessage.js"
import { answer, chunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { silent } from "../support/RawOrigin.js"

const assertTimedOut = (reply: HttpMessage): void => {
  assert.strictEqual(reply.status, 408)
  assert.deepInclude(reply.json, { status: 408, code: "request_timeout" })
  assert.strictEqual(reply.value("connection"), "close")
}

/** Waits until so many bytes have been read; unlike `seenBytes` it does not look at them. */
const readUpTo = (socket: Socket, bytes: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    const look = () => {
      if (socket.bytesRead >= bytes) resume(Effect.void)
    }
    socket.on("data", look)
    look()
  })

describe("a body that stops coming", () => {
  it.scopedLive("is 408 after the time for its next byte, and the server's request is cancelled", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { bodyTimeout: 200 }, script: silent })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 10"], "12345"))
      assertTimedOut(yield* client.response("POST"))
      yield* origin.deserted
      yield* client.gone
    }),
  )
})

describe("a body under a least rate", () => {
  const settings = { minRate: 10_000, minRateTime: 300, bodyTimeout: 2_000 }

  it.scopedLive("that comes more slowly is 408, although it makes progress; the server's request is cancelled", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings, script: silent })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Transfer-Encoding: chunked"]))
      for (let sent = 0; sent < 60 && client.text === ""; sent++) yield* Effect.delay(client.send(chunk("slow")), 30)
      assertTimedOut(yield* client.response("POST"))
      yield* origin.deserted
    }),
  )

  it.scopedLive("that comes faster arrives, however long it takes", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings })
      const client = yield* proxy.connect
      const pieces = 25
      const piece = "x".repeat(4_000)
      yield* client.send(request("POST /app/x", [`Content-Length: ${pieces * piece.length}`]))
      for (let sent = 0; sent < pieces; sent++) yield* Effect.delay(client.send(piece), 50)
      assert.strictEqual((yield* client.response("POST")).status, 200)
      assert.strictEqual((yield* origin.request()).text.length, pieces * piece.length)
    }),
  )

  it.scopedLive("is not blamed for a server that does not read", () =>
    Effect.gen(function* () {
      const size = 16 * 1_048_576
      const { proxy } = yield* startLab({
        settings,
        script: (connection) =>
          Effect.gen(function* () {
            yield* connection.head
            yield* connection.stopReading
            yield* Effect.delay(connection.readOn, 1_200)
            yield* readUpTo(connection.socket, connection.received.indexOf("\r\n\r\n") + 4 + size)
            yield* connection.send(answer("200 OK", "read at last"))
          }),
      })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", [`Content-Length: ${size}`]), "x".repeat(size))
      assert.strictEqual((yield* client.response("POST")).text, "read at last")
    }),
  )

  it.scopedLive("is not held against a client that nobody has told to continue yet", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({
        settings,
        script: (connection) =>
          Effect.gen(function* () {
            yield* Effect.orDie(connection.seen("body"))
            yield* connection.send(answer("200 OK", "ok"))
          }),
      })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 4", "Expect: 100-continue"]))
      yield* client.seen("100 Continue")
      assert.strictEqual((yield* client.ask("body")).text, "ok")
    }),
  )
})
