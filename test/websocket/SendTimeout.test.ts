import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { frame, serverText } from "./Frames.js"
import { openTunnel, type TunnelEnd } from "./Tunnel.js"

const sendTimeout = 800

const block = frame(2, Buffer.alloc(65_526, 7))

/** Sends more than the kernel's buffers of two hops ever hold, as it is taken. */
const flood = ({ raw }: TunnelEnd) =>
  Effect.gen(function* () {
    for (let count = 0; count < 1_024 && raw.isOpen; count++) yield* raw.send(block)
  })

describe("a WebSocket whose client takes nothing of what is sent to it", () => {
  it.scopedLive(
    "ends when the time for that is over: a reset for the client, 1011 for its server, a line in the log",
    () =>
      Effect.gen(function* () {
        const { client, server, proxy } = yield* openTunnel({ sendTimeout, accessLog: true })
        yield* client.raw.stopReading
        const began = performance.now()
        const flooding = yield* Effect.fork(flood(server))
        yield* server.raw.gone
        assert.isAtLeast(performance.now() - began, sendTimeout)
        assert.deepStrictEqual(server.story, ["8 1011 the client was lost"])
        yield* Fiber.interrupt(flooding)
        server.raw.socket.destroy()
        yield* proxy.quiet
        yield* client.raw.readOn
        assert.strictEqual(yield* client.raw.gone, "reset")
        const line = proxy.log.find((one) => one.includes("websocket closed")) ?? ""
        assert.include(line, "closed_by=client")
        assert.include(line, "code=1011")
        assert.include(line, "the client was lost: it took nothing of what waited for it for 0.8 s")
      }),
  )

  it.scopedLive("goes on for as long as it likes where there is no such limit", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel({ sendTimeout: 0 })
      yield* client.raw.stopReading
      yield* Effect.fork(flood(server))
      yield* Effect.sleep(2 * sendTimeout)
      assert.strictEqual(yield* proxy.trafficCount, 1)
      yield* client.raw.reset
    }),
  )
})

describe("a WebSocket for whose client nothing waits", () => {
  it.scopedLive("goes on for longer than the time in which a client must take a byte, idle or not", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ sendTimeout: 300 })
      for (let count = 1; count <= 4; count++) {
        yield* Effect.sleep(200)
        yield* server.raw.send(serverText("x"))
        yield* client.seen(count * serverText("x").length)
      }
      yield* Effect.sleep(600)
      yield* server.raw.send(serverText("still here"))
      yield* client.raw.seen("still here")
      yield* client.raw.reset
    }),
  )
})

describe("a WebSocket whose client is slow", () => {
  it.scopedLive("goes on for longer than the time in which a client must take a byte, however little it takes", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel({ sendTimeout })
      yield* client.raw.stopReading
      yield* Effect.fork(flood(server))
      const sip = Effect.async<void>((resume) => {
        client.raw.socket.once("data", () => {
          client.raw.socket.pause()
          resume(Effect.void)
        })
        client.raw.socket.resume()
      })
      yield* Effect.repeatN(Effect.zipRight(sip, Effect.sleep(sendTimeout / 5)), 20)
      assert.isTrue(client.raw.isOpen)
      assert.strictEqual(yield* proxy.trafficCount, 1)
      yield* client.raw.reset
    }),
  )
})
