import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import type { RawClient } from "../support/RawClient.js"
import type { Script } from "../support/RawOrigin.js"

const piece = Buffer.alloc(262_144)
const sendTimeout = 800

/** Answers with more than the kernel's buffers of two hops ever hold. */
const flood: Script = (connection) =>
  Effect.gen(function* () {
    yield* connection.request
    yield* connection.send(response("200 OK", [`Content-Length: ${512 * piece.length}`]))
    for (let count = 0; count < 512 && connection.isOpen; count++) yield* connection.send(piece)
  })

/** Takes what one read gives, 64 KiB at most; tells how much that was. */
const takePiece = ({ socket }: RawClient): Effect.Effect<number> =>
  Effect.async((resume) => {
    socket.once("data", (bytes: Buffer) => {
      socket.pause()
      resume(Effect.succeed(bytes.length))
    })
    socket.resume()
  })

const accessLines = (log: ReadonlyArray<string>) => log.filter((line) => /message=request\b/.test(line))

describe("a client that takes nothing of what is sent to it", () => {
  it.scopedLive("is reset when its time is over, and the log says why", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: flood, settings: { sendTimeout, accessLog: true } })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      yield* client.head
      yield* client.stopReading
      const began = performance.now()
      yield* proxy.quiet
      assert.isAtLeast(performance.now() - began, sendTimeout)
      yield* origin.deserted
      const [line = ""] = accessLines(proxy.log)
      for (const pair of ["status=200", "cause=client_stalled", "fault=client", "end=client"])
        assert.include(line, ` ${pair} `)
      yield* client.readOn
      assert.strictEqual(yield* client.gone, "reset")
    }),
  )

  it.scopedLive("is reset where it asks on and on for answers of the proxy's own", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { sendTimeout, accessLog: true } })
      const client = yield* proxy.connect
      yield* client.stopReading
      yield* Effect.timeoutOption(client.send(request("GET /nobody/x").repeat(60_000)), 4_000)
      while (!accessLines(proxy.log).some((line) => line.includes("end=client"))) yield* Effect.sleep(20)
      yield* client.readOn
      assert.strictEqual(yield* client.gone, "reset")
      assert.match(accessLines(proxy.log).at(-1) ?? "", /cause=client_stalled/)
    }),
  )

  it.scopedLive("is kept for as long as it likes where there is no such limit", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: flood, settings: { sendTimeout: 0 } })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      yield* client.head
      yield* client.stopReading
      yield* Effect.sleep(1_500)
      assert.strictEqual(yield* proxy.trafficCount, 1)
      client.socket.destroy()
    }),
  )
})

describe("a client that is slow", () => {
  it.scopedLive(
    "is served for longer than the time in which it must take a byte, however little it takes at once",
    () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ script: flood, settings: { sendTimeout } })
        const client = yield* proxy.connect
        // Its system's window does not grow while it never reads fast.
        yield* client.stopReading
        yield* client.send(request("GET /app/x"))
        for (let turn = 0; turn < 30; turn++) {
          assert.isAbove(yield* takePiece(client), 0)
          yield* Effect.sleep(sendTimeout / 5)
        }
        assert.isTrue(client.isOpen)
        assert.strictEqual(yield* proxy.trafficCount, 1)
        client.socket.destroy()
      }),
  )
})
