import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fairNow } from "../support/FairClock.js"
import { type Lab, startLab } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs } from "../support/WsPeer.js"
import { fibersBackTo, liveFibers } from "./Fibers.js"
import { clientClose, clientText, frame, serverClose, serverText } from "./Frames.js"
import { agreeing, handshake, openThrough, openTunnel, TunnelEnd } from "./Tunnel.js"

/** What one side sends, and what it gets of a peer that answers every message and every ping. */
interface Case {
  readonly name: string
  readonly sent: (masked: boolean) => ReadonlyArray<Buffer>
  readonly story: ReadonlyArray<string>
  /** Sent byte by byte. */
  readonly inBytes?: boolean
}

const hello = "Hello, world!"
const reserved = "8 1002 reserved opcode"

/** A message, a frame that is none, and a ping. */
const behindMessage = (opcode: number, payload: string) => (masked: boolean) => [
  frame(1, hello, { masked }),
  frame(opcode, payload, { masked }),
  frame(9, "", { masked }),
]

const cases: ReadonlyArray<Case> = [
  { name: "a reserved opcode", sent: behindMessage(5, ""), story: [`1 ${hello}`, reserved] },
  { name: "a reserved opcode with a payload", sent: behindMessage(6, hello), story: [`1 ${hello}`, reserved] },
  {
    name: "a reserved opcode, in bytes",
    sent: behindMessage(7, hello),
    story: [`1 ${hello}`, reserved],
    inBytes: true,
  },
  { name: "a reserved control opcode", sent: behindMessage(13, ""), story: [`1 ${hello}`, reserved] },
  { name: "a reserved control opcode with a payload", sent: behindMessage(14, hello), story: [`1 ${hello}`, reserved] },
  {
    name: "a reserved control opcode, in bytes",
    sent: behindMessage(15, hello),
    story: [`1 ${hello}`, reserved],
    inBytes: true,
  },
  {
    name: "a continuation of nothing",
    sent: (masked) => [
      frame(1, "fragment1", { masked, fin: false }),
      frame(0, "fragment2", { masked }),
      frame(0, "fragment3", { masked, fin: false }),
      frame(1, "fragment4", { masked }),
    ],
    story: ["1 fragment1fragment2", "8 1002 a continuation frame without a message to continue"],
  },
  {
    name: "RSV bits behind a ping",
    sent: (masked) => [frame(9, "still there?", { masked }), frame(1, "x", { masked, rsv: 0x40 })],
    story: ["10 still there?", "8 1002 RSV bits are set without an extension"],
  },
]

/** A side that a test writes, and a peer of the package ws that echoes. */
const echoing = {
  client: Effect.gen(function* () {
    const origin = yield* WsOrigin.start()
    const proxy = yield* startProxy({ sessions: { app: origin.url } })
    const raw = yield* proxy.connect
    yield* raw.send(handshake())
    assert.strictEqual((yield* raw.head).status, 101)
    const { peer } = yield* origin.connection()
    return { proxy, end: TunnelEnd.of(raw), peer }
  }),
  server: Effect.gen(function* () {
    const { proxy, origin } = yield* startLab({ script: agreeing() })
    const peer = yield* openWs(`${proxy.url}/app/socket`)
    return { proxy, end: TunnelEnd.of(yield* origin.connection()), peer }
  }),
}

for (const side of ["client", "server"] as const)
  describe(`a ${side} that breaks the rules behind messages that were sound`, () => {
    it.scopedLive.each(cases)("gets what its peer answers to them, and then 1002: $name", ({ inBytes, sent, story }) =>
      Effect.gen(function* () {
        const { end, peer, proxy } = yield* echoing[side]
        peer.socket.on("message", (data, isBinary) => peer.socket.send(data, { binary: isBinary }))
        const bytes = Buffer.concat(sent(side === "client"))
        yield* end.raw.send(...(inBytes === true ? Array.from(bytes, (byte) => Buffer.from([byte])) : [bytes]))
        assert.strictEqual(yield* end.raw.gone, "finished")
        yield* end.raw.finish
        assert.deepStrictEqual(end.story, story)
        assert.strictEqual((yield* peer.closed).code, 1002)
        yield* proxy.quiet
      }),
    )
  })

const garbage = (masked: boolean) => Buffer.concat([frame(1, "sound", { masked }), frame(3, "no", { masked })])

/** Opens a WebSocket of this proxy; one side of it, `wrong`, then breaks the rules. */
const openBroken = (lab: Lab, side: "client" | "server") =>
  Effect.gen(function* () {
    const { client, server } = yield* openThrough(lab)
    const [wrong, other] = side === "client" ? [client, server] : [server, client]
    const close = side === "client" ? serverClose : clientClose
    const text = side === "client" ? serverText : clientText
    /** How long what the other one is told is: a sound message, and a close frame, which is masked for a server. */
    const told = 2 * frame(1, "sound", { masked: side === "client" }).length + "xxreserved opcode".length - 5
    return { wrong, other, close, text, told, garbage: garbage(side === "client") }
  })

describe.each(["client", "server"] as const)("the peer of a %s that broke the rules", (side) => {
  it.scopedLive("may answer in its time, and its own close frame does not go on, wherever it is cut", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing(), settings: { accessLog: true } })
      const { close, garbage: bytes, other, text, told, wrong } = yield* openBroken(lab, side)
      yield* wrong.raw.send(bytes)
      yield* other.seen(told)
      assert.deepStrictEqual(other.story, ["1 sound", reserved])
      assert.strictEqual(wrong.bytes.length, 0)
      yield* other.raw.send(text("one"), text("two"))
      for (const byte of close(1000, "as you like")) yield* other.raw.send(Buffer.from([byte]))
      assert.strictEqual(yield* wrong.raw.gone, "finished")
      yield* other.raw.gone
      assert.deepStrictEqual(wrong.story, ["1 one", "1 two", reserved])
      for (const end of [wrong, other]) yield* end.raw.finish
      yield* lab.proxy.quiet
      const line = lab.proxy.log.find((text) => text.includes("websocket closed")) ?? ""
      for (const part of ["closed_by=proxy", "code=1002", `reason="the ${side}: reserved opcode"`])
        assert.include(line, part)
    }),
  )

  it.scopedLive.each([
    ["hangs up", [reserved]],
    ["resets", [reserved]],
    ["breaks the rules", ["1 sound", reserved]],
    ["had said goodbye", ["8 1000 "]],
  ] as const)("is not waited for where it %s", ([how, story]) =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      const before = yield* liveFibers
      const { close, garbage: bytes, other, told, wrong } = yield* openBroken(lab, side)
      if (how === "had said goodbye") {
        yield* other.raw.send(close(1000))
        yield* wrong.seen(close(1000).length)
      }
      const start = fairNow()
      yield* wrong.raw.send(bytes)
      yield* other.seen(told)
      if (how === "hangs up") yield* other.raw.finish
      if (how === "resets") yield* other.raw.reset
      if (how === "breaks the rules") yield* other.raw.send(garbage(side !== "client"))
      yield* wrong.raw.gone
      assert.isBelow(fairNow() - start, 900)
      assert.deepStrictEqual(wrong.story, story)
      for (const end of [wrong, other]) end.raw.socket.destroy()
      yield* lab.proxy.quiet
      yield* fibersBackTo(before)
    }),
  )

  it.scopedLive.each([
    ["is silent", true],
    ["does not read", false],
  ] as const)("is waited for no longer than a second where it %s", ([, reads]) =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      const before = yield* liveFibers
      const { garbage: bytes, other, wrong } = yield* openBroken(lab, side)
      if (!reads) yield* other.raw.stopReading
      const [start, fairStart] = [performance.now(), fairNow()]
      yield* wrong.raw.send(bytes)
      assert.strictEqual(yield* wrong.raw.gone, "finished")
      assert.isAbove(performance.now() - start, 900)
      assert.deepStrictEqual(wrong.story, [reserved])
      // It leaves neither: what is left is cut less than a second later.
      yield* lab.proxy.quiet
      assert.isBelow(fairNow() - fairStart, 3_500)
      if (!reads) yield* other.raw.readOn
      yield* fibersBackTo(before)
    }),
  )
})

describe("the header of a frame", () => {
  it.scopedLive("passes whole: a receiver has no part of one that turns out to be wrong", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel()
      const sound = clientText("sound")
      for (const byte of sound.subarray(0, 5)) yield* client.raw.send(Buffer.from([byte]))
      yield* Effect.sleep(20)
      assert.strictEqual(server.bytes.length, 0)
      yield* client.raw.send(sound.subarray(5), Buffer.from([0x81]))
      yield* server.seen(sound.length)
      yield* client.raw.send(Buffer.from([0x01]))
      yield* server.seen(sound.length + 8)
      yield* server.raw.send(serverClose(1002))
      yield* Effect.all([client.raw.gone, server.raw.gone])
      assert.deepStrictEqual(server.story, ["1 sound", "8 1002 a frame from the client is not masked"])
      assert.deepStrictEqual(client.story, ["8 1002 a frame from the client is not masked"])
    }),
  )

  it.scopedLive("that stays half sent is forgotten when its sender is lost: the other side has a close frame", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel()
      const sound = clientText("sound")
      yield* client.raw.send(Buffer.concat([sound, sound.subarray(0, 3)]))
      yield* server.seen(sound.length)
      yield* client.raw.reset
      assert.strictEqual(yield* server.raw.gone, "finished")
      assert.deepStrictEqual(server.story, ["1 sound", "8 1011 the client was lost"])
    }),
  )
})
