import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { within } from "../support/FairClock.js"
import { clientClose, clientText, frame, serverClose, serverText } from "./Frames.js"
import { openThrough, openTunnel } from "./Tunnel.js"

/** The only line about a WebSocket that is over; fails where a part is not in it. */
const assertLogged = (log: ReadonlyArray<string>, ...parts: ReadonlyArray<string>): void => {
  const lines = log.filter((line) => line.includes("websocket closed"))
  assert.strictEqual(lines.length, 1, log.join("\n"))
  for (const part of parts) assert.include(lines[0] ?? "", part)
}

const half = (bytes: Buffer): readonly [Buffer, Buffer] => [bytes.subarray(0, 7), bytes.subarray(7)]

describe("a WebSocket that its ends close themselves", () => {
  it.scopedLive("passes both close frames byte for byte, and both ends of the connections", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel()
      const goodbye = clientClose(4001, "enough")
      yield* client.raw.send(goodbye)
      yield* server.seen(goodbye.length)
      const answer = serverClose(4001, "agreed")
      yield* server.raw.send(answer)
      yield* server.raw.finish
      assert.strictEqual(yield* client.raw.gone, "finished")
      yield* client.raw.finish
      assert.strictEqual(yield* server.raw.gone, "finished")
      assert.deepStrictEqual(server.bytes, goodbye)
      assert.deepStrictEqual(client.bytes, answer)
      yield* proxy.quiet
    }),
  )

  it.scopedLive("is logged once, with who closed it, why, and how much had passed", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel({ accessLog: true })
      yield* client.raw.send(clientText("one"), clientText("two"))
      yield* server.raw.send(serverText("three"), serverClose(4002, "tired"))
      yield* client.seen(serverText("three").length + serverClose(4002, "tired").length)
      yield* client.raw.send(clientClose(4002))
      yield* server.seen(2 * clientText("one").length + clientClose(4002).length)
      yield* server.raw.finish
      yield* client.raw.gone
      yield* client.raw.finish
      yield* proxy.quiet
      assertLogged(proxy.log, "session=app", "closed_by=server", "code=4002", "reason=tired")
      assertLogged(proxy.log, "messages_in=2", "messages_out=1", "bytes_in=26", "bytes_out=16")
      assertLogged(proxy.log, "request_id=", "duration_ms=", "client=127.0.0.1", "target=/app/socket")
    }),
  )

  it.scopedLive("drops what an end still sends behind its close frame, in whatever chunk", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel()
      yield* client.raw.send(
        Buffer.concat([clientText("a"), clientClose(1000), clientText("late"), clientClose(1001)]),
        frame(3, "garbage"),
      )
      yield* server.seen(clientText("a").length + clientClose(1000).length)
      yield* server.raw.send(serverClose(1000))
      yield* server.raw.finish
      yield* client.raw.gone
      yield* client.raw.finish
      yield* server.raw.gone
      assert.deepStrictEqual(server.story, ["1 a", "8 1000 "])
      assert.deepStrictEqual(client.story, ["8 1000 "])
    }),
  )

  it.scopedLive("takes a close frame without a code as it is", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel({ accessLog: true })
      yield* client.raw.send(frame(8, "", { masked: true }))
      yield* client.raw.finish
      yield* server.raw.gone
      assert.deepStrictEqual(server.story, ["8 "])
      yield* client.raw.gone
      yield* proxy.quiet
      assertLogged(proxy.log, "closed_by=client", "code=1005")
    }),
  )
})

describe("a WebSocket one end of which says goodbye, and hangs up before it has read what is sent to it", () => {
  it.scopedLive("passes what that end said, also where a write to it is what finds out", () =>
    Effect.gen(function* () {
      for (const side of ["client", "server"] as const) {
        const tunnel = yield* openTunnel()
        const [leaving, other] = side === "client" ? [tunnel.client, tunnel.server] : [tunnel.server, tunnel.client]
        const masked = side === "client"
        const long = frame(2, Buffer.alloc(100_000), { masked: !masked })
        yield* other.raw.send(long.subarray(0, 50_000))
        yield* leaving.seen(50_000)
        // All of it in one turn, and the proxy reads what the other end has sent first.
        other.raw.socket.write(long.subarray(50_000, 60_000))
        leaving.raw.socket.write(frame(1, "no more", { masked }))
        leaving.raw.socket.write(masked ? clientClose(1009, "too big") : serverClose(1009, "too big"))
        leaving.raw.socket.resetAndDestroy()
        assert.strictEqual(yield* other.raw.gone, "finished")
        assert.deepStrictEqual(other.story, ["1 no more", "8 1009 too big"])
        yield* other.raw.finish
        yield* tunnel.proxy.quiet
      }
    }),
  )
})

describe("a WebSocket one end of which vanishes", () => {
  it.scopedLive.each([
    ["the client hangs up", "client", "finish"],
    ["the client resets", "client", "reset"],
    ["the server hangs up", "server", "finish"],
    ["the server resets", "server", "reset"],
  ] as const)("tells the other end 1011 within a second: %s", ([, side, how]) =>
    Effect.gen(function* () {
      const tunnel = yield* openTunnel({ accessLog: true })
      const [lost, left] = side === "client" ? [tunnel.client, tunnel.server] : [tunnel.server, tunnel.client]
      yield* lost.raw[how]
      assert.strictEqual(yield* within(1_000)(left.raw.gone), "finished")
      assert.deepStrictEqual(left.story, [`8 1011 the ${side} was lost`])
      assert.strictEqual(left.frames[0]?.masked, side === "client")
      yield* left.raw.finish
      yield* tunnel.proxy.quiet
      assertLogged(tunnel.proxy.log, `closed_by=${side}`, "code=1011")
    }),
  )

  it.scopedLive.each([
    ["the client", "client", clientText("a message")],
    ["the server", "server", serverText("a message")],
  ] as const)("resets the other end where half a frame had passed: %s", ([, side, message]) =>
    Effect.gen(function* () {
      const tunnel = yield* openTunnel()
      const [lost, left] = side === "client" ? [tunnel.client, tunnel.server] : [tunnel.server, tunnel.client]
      const [first] = half(message)
      yield* lost.raw.send(first)
      yield* left.seen(first.length)
      yield* lost.raw.reset
      assert.strictEqual(yield* within(1_000)(left.raw.gone), "reset")
      assert.deepStrictEqual(left.story, ["…"])
      yield* tunnel.proxy.quiet
    }),
  )

  it.scopedLive("says goodbye between the fragments of a message", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel()
      const fragment = frame(1, "begun", { fin: false })
      yield* server.raw.send(fragment)
      yield* client.seen(fragment.length)
      yield* server.raw.reset
      yield* client.raw.gone
      assert.deepStrictEqual(client.story, ["1 begun", "8 1011 the server was lost"])
    }),
  )
})

describe("a WebSocket whose session ends", () => {
  it.scopedLive.each([
    ["1001 on removal", "1001 the session was removed", "removed"],
    ["1012 on a new target", "1012 the session moved to another server", "moved"],
  ] as const)("is told %s, on both sides, and only it", ([, reason, what]) =>
    Effect.gen(function* () {
      const tunnel = yield* openTunnel()
      const { client, server, proxy, origin } = tunnel
      yield* proxy.repo.add({ id: "other", url: origin.url, status: "active" })
      const other = yield* openThrough(tunnel, "/other/socket")
      if (what === "removed") yield* proxy.repo.remove("app")
      else yield* proxy.repo.set("app", { url: "http://127.0.0.1:9" })
      assert.strictEqual(yield* within(1_000)(client.raw.gone), "finished")
      assert.strictEqual(yield* within(1_000)(server.raw.gone), "finished")
      assert.deepStrictEqual(client.story, [`8 ${reason}`])
      assert.deepStrictEqual(server.story, [`8 ${reason}`])
      const [message, echo] = [clientText("still here"), serverText("and so am I")]
      yield* other.client.raw.send(message)
      yield* other.server.seen(message.length)
      yield* other.server.raw.send(echo)
      yield* other.client.seen(echo.length)
      assert.deepStrictEqual(other.server.bytes, message)
      assert.deepStrictEqual(other.client.bytes, echo)
      assert.isTrue(other.client.raw.isOpen && other.server.raw.isOpen)
    }),
  )

  it.scopedLive("waits for the end of a frame that is half sent, and not for the frame behind it", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel()
      const [first, rest] = half(clientText("half and half"))
      yield* client.raw.send(first)
      yield* server.seen(first.length)
      yield* proxy.repo.remove("app")
      yield* client.raw.gone
      yield* client.raw.send(Buffer.concat([rest, clientText("later").subarray(0, 3)]))
      assert.strictEqual(yield* server.raw.gone, "finished")
      assert.deepStrictEqual(server.story, ["1 half and half", "8 1001 the session was removed"])
    }),
  )

  it.scopedLive("does not add a close frame to the one that comes with the rest of a half-sent frame", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel()
      const [first, rest] = half(clientText("half and half"))
      yield* client.raw.send(first)
      yield* server.seen(first.length)
      yield* proxy.repo.remove("app")
      yield* client.raw.gone
      yield* client.raw.send(Buffer.concat([rest, clientClose(1000, "bye"), clientText("late")]))
      assert.strictEqual(yield* server.raw.gone, "finished")
      assert.deepStrictEqual(server.story, ["1 half and half", "8 1000 bye"])
    }),
  )

  it.scopedLive("resets, within a second, where the rest of a half-sent frame does not come", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel()
      const [first] = half(clientText("half and half"))
      yield* client.raw.send(first)
      yield* server.seen(first.length)
      yield* proxy.repo.remove("app")
      const [clientGone, serverGone] = yield* within(1_000)(Effect.all([client.raw.gone, server.raw.gone]))
      assert.deepStrictEqual([clientGone, serverGone], ["finished", "reset"])
      assert.deepStrictEqual(server.story, ["…"])
      yield* within(1_000)(proxy.quiet)
    }),
  )

  it.scopedLive("while it closes already, adds nothing and only hurries", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel()
      yield* client.raw.send(clientClose(1000))
      yield* server.seen(clientClose(1000).length)
      yield* proxy.repo.remove("app")
      yield* within(1_000)(Effect.all([client.raw.gone, server.raw.gone]))
      yield* within(1_000)(proxy.quiet)
      assert.deepStrictEqual(server.story, ["8 1000 "])
      assert.deepStrictEqual(client.story, ["8 1001 the session was removed"])
    }),
  )
})

describe("a WebSocket of a proxy that is told to stop", () => {
  it.scopedLive("is told 1001 on both sides, and the proxy does not wait for its grace", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel({ grace: 10_000 })
      const draining = yield* Effect.fork(proxy.server.drain)
      yield* Effect.all([client.raw.gone, server.raw.gone])
      assert.deepStrictEqual(client.story, ["8 1001 the proxy is shutting down"])
      assert.deepStrictEqual(server.story, ["8 1001 the proxy is shutting down"])
      yield* within(2_000)(Fiber.join(draining))
    }),
  )
})

describe("a WebSocket on which something else is sent", () => {
  it.scopedLive.each([
    ["a reserved opcode", frame(3, "x", { masked: true }), "reserved opcode"],
    ["a frame that is not masked", frame(1, "x"), "a frame from the client is not masked"],
    [
      "RSV bits that nobody agreed on",
      frame(1, "x", { masked: true, rsv: 0x40 }),
      "RSV bits are set without an extension",
    ],
  ] as const)("is closed with 1002 on both sides, behind what was sound: %s", ([, bytes, problem]) =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel({ accessLog: true })
      yield* client.raw.send(Buffer.concat([clientText("sound"), bytes]))
      yield* Effect.all([client.raw.gone, server.raw.gone])
      assert.deepStrictEqual(server.story, ["1 sound", `8 1002 ${problem}`])
      assert.deepStrictEqual(client.story, [`8 1002 ${problem}`])
      yield* client.raw.finish
      yield* proxy.quiet
      assertLogged(proxy.log, "closed_by=proxy", "code=1002", `reason="the client: ${problem}"`)
    }),
  )

  it.scopedLive("by the server, is closed likewise", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel()
      yield* server.raw.send(frame(1, "x", { masked: true }))
      yield* Effect.all([client.raw.gone, server.raw.gone])
      assert.deepStrictEqual(client.story, ["8 1002 a frame from the server is masked"])
      assert.deepStrictEqual(server.story, ["8 1002 a frame from the server is masked"])
    }),
  )
})
