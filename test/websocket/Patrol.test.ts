import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clientClose, clientText, frame, serverText } from "./Frames.js"
import { openTunnel, type TunnelEnd } from "./Tunnel.js"

/** Waits for the first frame that is there, and gives its payload. */
const pingOf = (end: TunnelEnd) =>
  Effect.gen(function* () {
    // A ping to a server is masked: four bytes more.
    yield* end.seen(10)
    yield* end.seen(end.bytes.readUInt8(1) >= 0x80 ? 14 : 10)
    const ping = end.frames[0]
    if (ping?.opcode !== 9) return yield* Effect.dieMessage(`no ping but ${end.story.join(", ")}`)
    return ping
  })

const clientPong = (payload: Buffer) => frame(10, payload, { masked: true })

const serverPong = (payload: Buffer) => frame(10, payload)

describe("a WebSocket with --ws-ping", () => {
  it.scopedLive("is pinged on both sides when it is silent, and neither side sees the other's pong", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 120 })
      const [toClient, toServer] = yield* Effect.all([pingOf(client), pingOf(server)], { concurrency: "unbounded" })
      assert.deepStrictEqual([toClient.masked, toServer.masked], [false, true])
      yield* client.raw.send(clientPong(toClient.payload))
      yield* server.raw.send(serverPong(toServer.payload))
      const [there, back] = [clientText("there"), serverText("back")]
      yield* client.raw.send(there)
      yield* server.raw.send(back)
      yield* server.seen(14 + there.length)
      yield* client.seen(10 + back.length)
      assert.deepStrictEqual(server.story[1], "1 there")
      assert.deepStrictEqual(client.story[1], "1 back")
    }),
  )

  it.scopedLive("swallows its own pong wherever it is cut, and passes those of others in between", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 400 })
      const { payload } = yield* pingOf(client)
      const [before, others, after] = [clientText("before"), clientPong(Buffer.from("unasked!")), clientText("after")]
      const bytes = Buffer.concat([before, others, clientPong(payload), others, after])
      for (const byte of bytes) yield* client.raw.send(Buffer.from([byte]))
      const isPing = (opcode: number) => opcode === 9
      const expected = ["1 before", "10 unasked!", "10 unasked!", "1 after"]
      yield* server.seen(before.length + 2 * others.length + after.length)
      const arrived = () => server.frames.some(({ text }) => text === "after")
      yield* Effect.sleep(1).pipe(Effect.repeat({ until: () => arrived() || !server.raw.isOpen }))
      assert.deepStrictEqual(
        server.frames.filter(({ opcode }) => !isPing(opcode)).map(({ opcode, text }) => `${opcode} ${text}`),
        expected,
      )
    }),
  )

  it.scopedLive("passes pings and pongs of its ends untouched", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 10_000 })
      const ping = frame(9, "are you there", { masked: true })
      yield* client.raw.send(ping)
      yield* server.seen(ping.length)
      const pong = serverPong(Buffer.from("are you there"))
      yield* server.raw.send(pong)
      yield* client.seen(pong.length)
      assert.deepStrictEqual([server.bytes, client.bytes], [ping, pong])
    }),
  )

  it.scopedLive.each(["client", "server"] as const)(
    "tells the other side 1011 where the %s does not answer",
    (silent) =>
      Effect.gen(function* () {
        const tunnel = yield* openTunnel({ wsPing: 100, accessLog: true })
        const [lost, left] = silent === "client" ? [tunnel.client, tunnel.server] : [tunnel.server, tunnel.client]
        const startedAt = performance.now()
        // The side that is alive says something now and then, so that only the other can be found dead.
        const chatter = Effect.forever(
          Effect.zipRight(
            Effect.sleep(40),
            left.raw.send(silent === "client" ? serverText("hello") : clientText("hello")),
          ),
        )
        yield* Effect.raceFirst(left.raw.gone, chatter)
        assert.isBelow(performance.now() - startedAt, 1_000)
        assert.strictEqual(left.story.at(-1), `8 1011 the ${silent} was lost`)
        yield* lost.raw.gone
        yield* left.raw.finish
        yield* tunnel.proxy.quiet
        assert.isTrue(tunnel.proxy.log.some((line) => line.includes("it did not answer a ping")))
      }),
  )

  it.scopedLive("does not ping into half a frame", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 100 })
      const message = serverText("half and half")
      yield* server.raw.send(message.subarray(0, 5))
      const { payload } = yield* pingOf(server)
      assert.deepStrictEqual(client.bytes, message.subarray(0, 5))
      yield* server.raw.send(Buffer.concat([message.subarray(5), serverPong(payload)]))
      yield* client.seen(message.length + 10)
      assert.deepStrictEqual(
        client.frames.slice(0, 2).map(({ opcode }) => opcode),
        [1, 9],
      )
    }),
  )
})

describe("a WebSocket with --ws-max-message", () => {
  it.scopedLive("passes a message of that size, in fragments too, and ends with 1009 at one byte more", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsMaxMessage: 10 })
      const whole = clientText("0123456789")
      const [first, more] = [frame(1, "01234", { masked: true, fin: false }), frame(0, "56789", { masked: true })]
      const tooMuch = frame(0, "567890", { masked: true })
      yield* client.raw.send(Buffer.concat([whole, first, more, first, tooMuch]))
      yield* Effect.all([client.raw.gone, server.raw.gone])
      assert.deepStrictEqual(server.story, [
        "1 0123456789",
        "1 01234",
        "0 56789",
        "1 01234",
        "8 1009 a message is larger than the limit",
      ])
      assert.deepStrictEqual(client.story, ["8 1009 a message is larger than the limit"])
    }),
  )
})

describe("a WebSocket that is held to a time", () => {
  it.scopedLive("is closed with 1001 when nothing but pings passed for the idle timeout", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsIdleTimeout: 200 })
      const pings = Effect.forever(Effect.zipRight(Effect.sleep(30), client.raw.send(frame(9, "", { masked: true }))))
      yield* Effect.raceFirst(Effect.all([client.raw.gone, server.raw.gone]), pings)
      assert.strictEqual(client.story.at(-1), "8 1001 no message for too long")
      assert.strictEqual(server.story.at(-1), "8 1001 no message for too long")
    }),
  )

  it.scopedLive("is not idle while data passes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsIdleTimeout: 200 })
      for (let count = 0; count < 10; count++) {
        yield* Effect.sleep(50)
        yield* client.raw.send(clientText("x"))
      }
      yield* client.raw.send(clientClose(1000))
      yield* server.seen(10 * clientText("x").length + clientClose(1000).length)
      assert.strictEqual(server.story.at(-1), "8 1000 ")
      yield* server.raw.finish
      yield* client.raw.gone
    }),
  )

  it.scopedLive("is closed with 1001 at its longest lifetime, however busy it is", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsMaxLifetime: 200 })
      const chatter = Effect.forever(Effect.zipRight(Effect.sleep(20), client.raw.send(clientText("x"))))
      yield* Effect.raceFirst(Effect.all([client.raw.gone, server.raw.gone]), chatter)
      assert.strictEqual(client.story.at(-1), "8 1001 the connection reached its longest lifetime")
      assert.strictEqual(server.story.at(-1), "8 1001 the connection reached its longest lifetime")
    }),
  )
})
