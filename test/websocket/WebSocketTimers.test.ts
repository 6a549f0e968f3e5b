import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fairNow } from "../support/FairClock.js"
import { clientClose, clientText, frame, type SeenFrame, serverText } from "./Frames.js"
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

/** Lets a side say something now and then, so that only the other can be found dead. */
const keepTalking = (end: TunnelEnd, words: Buffer) =>
  Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(40), end.raw.send(words))))

/** How long until the other side has left, in milliseconds; and by the clock that does not count what others use of the machine. */
const timeUntilGone = (end: TunnelEnd) =>
  Effect.gen(function* () {
    const [startedAt, fairStart] = [performance.now(), fairNow()]
    yield* end.raw.gone
    return { time: performance.now() - startedAt, fairTime: fairNow() - fairStart }
  })

/** Begins a frame that does not end, and sends of it what is taken at once. */
const flood = ({ raw }: TunnelEnd) =>
  Effect.gen(function* () {
    const block = Buffer.alloc(65_536, 7)
    const head = frame(2, Buffer.alloc(0x10000), { masked: true }).subarray(0, 14)
    head.writeBigUInt64BE(BigInt(2 ** 40), 2)
    yield* Effect.sync(() => raw.socket.write(head))
    for (let sent = 0; sent < 1_024; sent++) yield* Effect.sync(() => raw.socket.write(block))
  })

/** Lets this whole process stand still. */
const standStill = (milliseconds: number) =>
  Effect.sync(() => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  })

describe("a WebSocket with --ws-ping", () => {
  it.scopedLive("is pinged on both sides when it is silent, and neither side sees the other's pong", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 400 })
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
      const { client, server } = yield* openTunnel({ wsPing: 600 })
      yield* keepTalking(server, serverPong(Buffer.alloc(0)))
      const ping = () => client.frames.find(({ opcode }) => opcode === 9)
      yield* Effect.sleep(1).pipe(Effect.repeat({ until: () => ping() !== undefined || !client.raw.isOpen }))
      const [before, others, after] = [clientText("before"), clientPong(Buffer.from("unasked!")), clientText("after")]
      const ours = clientPong(ping()?.payload ?? Buffer.alloc(0))
      for (const byte of Buffer.concat([before, others, ours, others, after]))
        yield* client.raw.send(Buffer.from([byte]))
      yield* server.seen(before.length + 2 * others.length + after.length)
      assert.deepStrictEqual(server.story, ["1 before", "10 unasked!", "10 unasked!", "1 after"])
    }),
  )

  it.scopedLive.each(["server", "client"] as const)(
    "passes a pong on where it answers a ping of the %s too, which came before our own",
    (asking) =>
      Effect.gen(function* () {
        const tunnel = yield* openTunnel({ wsPing: 1_000 })
        const [asker, asked] = asking === "server" ? [tunnel.server, tunnel.client] : [tunnel.client, tunnel.server]
        const masked = asking === "client"
        yield* keepTalking(asker, frame(10, "", { masked }))
        yield* asker.raw.send(frame(9, "first", { masked }), frame(9, "second", { masked }))
        const isOurs = ({ opcode, text }: SeenFrame) => opcode === 9 && !["first", "second", "third"].includes(text)
        const ours = () => asked.frames.filter(isOurs)
        const said = () => asker.story.filter((line) => line.startsWith("10") || line.startsWith("1 "))
        const until = (condition: () => boolean) =>
          Effect.sleep(1).pipe(Effect.repeat({ until: () => condition() || !asked.raw.isOpen }))
        const pong = (payload: Buffer | string) => frame(10, payload, { masked: !masked })
        yield* until(() => ours().length === 1)
        // Only the most recent ping of the three is answered, in pieces; it is one of ours.
        const answer = pong(ours()[0]?.payload ?? Buffer.alloc(0))
        yield* asked.raw.send(answer.subarray(0, 3), answer.subarray(3))
        yield* until(() => said().length === 1 && ours().length === 2)
        // Here each is answered on its own.
        yield* asker.raw.send(frame(9, "third", { masked }))
        yield* until(() => asked.story.includes("9 third"))
        yield* asked.raw.send(pong(ours()[1]?.payload ?? Buffer.alloc(0)), pong("third"))
        yield* asked.raw.send(frame(1, "the end", { masked: !masked }))
        yield* until(() => said().length >= 3)
        assert.deepStrictEqual(said(), ["10 second", "10 third", "1 the end"])
        assert.deepStrictEqual(new Set(asker.frames.map((frame) => frame.masked)), new Set([!masked]))
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
    "tells the other side 1011 within that time and a round where the %s does not answer",
    (silent) =>
      Effect.gen(function* () {
        const tunnel = yield* openTunnel({ wsPing: 600, accessLog: true })
        const [lost, left] = silent === "client" ? [tunnel.client, tunnel.server] : [tunnel.server, tunnel.client]
        yield* keepTalking(left, silent === "client" ? serverText("hello") : clientText("hello"))
        const { fairTime, time } = yield* timeUntilGone(left)
        // A round is 75 ms.
        assert.isAbove(time, 550)
        assert.isBelow(fairTime, 950)
        assert.strictEqual(left.story.at(-1), `8 1011 the ${silent} was lost`)
        yield* lost.raw.gone
        yield* left.raw.finish
        yield* tunnel.proxy.quiet
        assert.isTrue(tunnel.proxy.log.some((line) => line.includes("it did not answer a ping")))
      }),
  )

  it.scopedLive("tells the client so, too, where the server vanished in the middle of a frame", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 600 })
      yield* server.raw.stopReading
      yield* flood(client)
      const { fairTime } = yield* timeUntilGone(client)
      assert.isBelow(fairTime, 950)
      assert.deepStrictEqual(client.story.at(-1), "8 1011 the server was lost")
      yield* server.raw.readOn
      assert.strictEqual(yield* server.raw.gone, "reset")
    }),
  )

  it.scopedLive("keeps a side that only reads, and slowly, in the middle of a frame", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 400 })
      yield* server.raw.stopReading
      yield* flood(client)
      const sip = Effect.all([server.raw.readOn, Effect.sleep(2), server.raw.stopReading, Effect.sleep(80)])
      yield* Effect.repeatN(sip, 14)
      assert.isAbove(client.raw.socket.writableLength, 0)
      assert.isTrue(client.raw.isOpen && server.raw.isOpen)
      yield* client.raw.reset
      yield* server.raw.readOn
    }),
  )

  it.scopedLive("keeps a side that answers late, time after time", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 400 })
      yield* keepTalking(server, serverPong(Buffer.alloc(0)))
      const pings = () => client.frames.filter(({ opcode }) => opcode === 9)
      for (let count = 1; count <= 4; count++) {
        yield* Effect.sleep(1).pipe(Effect.repeat({ until: () => pings().length === count || !client.raw.isOpen }))
        yield* Effect.sleep(80)
        yield* client.raw.send(clientPong(pings().at(-1)?.payload ?? Buffer.alloc(0)))
      }
      yield* client.raw.send(clientText("still here"))
      yield* server.seen(clientText("still here").length)
      assert.deepStrictEqual(server.story, ["1 still here"])
    }),
  )

  it.scopedLive("drops nobody because the proxy itself stood still", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 400 })
      const [toClient, toServer] = yield* Effect.all([pingOf(client), pingOf(server)], { concurrency: "unbounded" })
      yield* standStill(900)
      yield* Effect.sleep(1)
      yield* client.raw.send(clientPong(toClient.payload))
      yield* server.raw.send(serverPong(toServer.payload))
      const hello = clientText("hello")
      yield* client.raw.send(hello)
      yield* server.seen(14 + hello.length)
      assert.strictEqual(server.story[1], "1 hello")
    }),
  )

  it.scopedLive("does not ping into half a frame, and gives a side that could not be asked its time", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({ wsPing: 200 })
      const message = serverText("half and half and half")
      for (const byte of message) {
        yield* server.raw.send(Buffer.from([byte]))
        yield* Effect.sleep(30)
        if (client.bytes.length < message.length)
          assert.deepStrictEqual(client.bytes, message.subarray(0, client.bytes.length))
      }
      yield* client.seen(message.length + 10)
      yield* client.raw.send(clientPong(client.frames[1]?.payload ?? Buffer.alloc(0)), clientText("here"))
      const inMessage = () => server.frames.some(({ text }) => text === "here")
      yield* Effect.sleep(1).pipe(Effect.repeat({ until: () => inMessage() || !server.raw.isOpen }))
      assert.deepStrictEqual(client.story.slice(0, 1), ["1 half and half and half"])
      assert.strictEqual(client.frames[1]?.opcode, 9)
      assert.isTrue(inMessage())
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
