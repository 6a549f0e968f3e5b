import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startLab } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs } from "../support/WsPeer.js"
import { frame } from "../websocket/Frames.js"
import { agreeing, handshake, TunnelEnd } from "../websocket/Tunnel.js"

/** A client that sends what it is told to, and a server of ws behind the proxy. */
const rawClient = Effect.gen(function* () {
  const origin = yield* WsOrigin.start()
  const proxy = yield* startProxy({ sessions: { app: origin.url } })
  const raw = yield* proxy.connect
  yield* raw.send(handshake())
  assert.strictEqual((yield* raw.head).status, 101)
  return { proxy, raw: TunnelEnd.of(raw), ws: (yield* origin.connection()).peer }
})

/** A server that sends what it is told to, and a client of ws before the proxy. */
const rawServer = Effect.gen(function* () {
  const { proxy, origin } = yield* startLab({ script: agreeing() })
  const ws = yield* openWs(`${proxy.url}/app/socket`)
  return { proxy, raw: TunnelEnd.of(yield* origin.connection()), ws }
})

const sides = [
  { side: "client", masked: true, lab: rawClient },
  { side: "server", masked: false, lab: rawServer },
] as const

const inBytes = (bytes: Buffer): ReadonlyArray<Buffer> => Array.from(bytes, (byte) => Buffer.from([byte]))

const closeOf = (code: number): Buffer => Buffer.from([code >>> 8, code & 0xff])

/** `\xfc` alone is no UTF-8. */
const notUtf8 = Buffer.from([0x61, 0xfc, 0x62])

for (const { side, masked, lab } of sides)
  describe(`a ${side} of its own kind, before the package ws`, () => {
    it.scopedLive("is understood when it sends every byte on its own", () =>
      Effect.gen(function* () {
        const { raw, ws } = yield* lab
        const sent = [
          frame(1, "grüße", { masked }),
          frame(1, "", { masked }),
          frame(1, "one, ", { masked, fin: false }),
          frame(9, "between", { masked }),
          frame(0, "", { masked, fin: false }),
          frame(0, "two", { masked }),
          frame(2, Buffer.alloc(300, 7), { masked }),
        ]
        yield* raw.raw.send(...inBytes(Buffer.concat(sent)))
        const long = frame(2, Buffer.alloc(70_000, 9), { masked })
        yield* raw.raw.send(...inBytes(long.subarray(0, 20)), long.subarray(20))
        yield* ws.until("all messages", () => ws.messages.length === 5)
        const expected = ["grüße", "", "one, two", Buffer.alloc(300, 7), Buffer.alloc(70_000, 9)]
        assert.deepStrictEqual(ws.messages, expected)
        assert.deepStrictEqual(ws.pings, ["between"])
        yield* raw.raw.reset
      }),
    )

    it.scopedLive.each([
      ["text that is no UTF-8", [frame(1, notUtf8, { masked })]],
      [
        "text that is no UTF-8 over two fragments",
        [frame(1, notUtf8.subarray(0, 2), { masked, fin: false }), frame(0, notUtf8.subarray(2), { masked })],
      ],
      ["a close reason that is no UTF-8", [frame(8, Buffer.concat([closeOf(1000), notUtf8]), { masked })]],
    ] as const)("is answered 1007 by ws itself for %s", ([, frames]) =>
      Effect.gen(function* () {
        const { proxy, raw, ws } = yield* lab
        yield* raw.raw.send(...frames)
        yield* raw.raw.gone
        assert.deepStrictEqual(raw.story, ["8 1007 "])
        yield* raw.raw.finish
        assert.match(String(ws.errors[0]), /UTF-8/)
        yield* proxy.quiet
      }),
    )

    it.scopedLive.each([999, 1004, 1005, 1006, 1015, 1016, 2_999, 5_000, 65_535])(
      "may send the close code %s, which ws answers itself",
      (code) =>
        Effect.gen(function* () {
          const { proxy, raw, ws } = yield* lab
          yield* raw.raw.send(frame(8, closeOf(code), { masked }))
          yield* raw.raw.gone
          assert.deepStrictEqual(raw.story, ["8 1002 "])
          yield* raw.raw.finish
          assert.match(String(ws.errors[0]), new RegExp(`invalid status code ${code}`))
          yield* proxy.quiet
        }),
    )

    it.scopedLive("is not heard any more behind its close frame", () =>
      Effect.gen(function* () {
        const { proxy, raw, ws } = yield* lab
        const late = [frame(1, "late", { masked }), frame(9, "late", { masked }), frame(3, "late", { masked })]
        const goodbye = frame(8, Buffer.concat([closeOf(1000), Buffer.from("bye")]), { masked })
        yield* raw.raw.send(Buffer.concat([frame(1, "in time", { masked }), goodbye, ...late]))
        // The answer of ws, which it masks where it is the client.
        yield* raw.seen(masked ? 7 : 11)
        yield* raw.raw.finish
        assert.deepStrictEqual(yield* ws.closed, { code: 1_000, reason: "bye" })
        assert.deepStrictEqual(raw.story, ["8 1000 bye"])
        assert.deepStrictEqual([ws.messages, ws.pings, ws.errors], [["in time"], [], []])
        yield* proxy.quiet
      }),
    )
  })
