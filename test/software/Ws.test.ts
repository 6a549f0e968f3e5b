import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import type { PerMessageDeflateOptions } from "ws"
import type { WsPath } from "../../src/domain/ProxyConfig.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin, type WsOriginOptions } from "../support/WsOrigin.js"
import { openWs } from "../support/WsPeer.js"

const mebibyte = 1024 * 1024

const lab = (options: WsOriginOptions = {}, wsPath: WsPath = "append") =>
  Effect.gen(function* () {
    const origin = yield* WsOrigin.start(options)
    const proxy = yield* startProxy({ sessions: { app: origin.url }, settings: { wsPath } })
    return { origin, proxy }
  })

/** A proxy with an open WebSocket, and both its ends. */
const opened = (options: WsOriginOptions = {}, clientOptions: Parameters<typeof openWs>[1] = {}) =>
  Effect.gen(function* () {
    const { origin, proxy } = yield* lab(options)
    const client = yield* openWs(`${proxy.url}/ws/app`, clientOptions)
    const { peer: server, handshake } = yield* origin.connection()
    return { origin, proxy, client, server, handshake }
  })

/** Ways to compress: what the server asks for, what both agree on, and what becomes of a message that is sent again. */
const deflations: ReadonlyArray<{
  readonly title: string
  readonly options: PerMessageDeflateOptions
  readonly agreed: string
  readonly repeated: "short" | "long"
}> = [
  { title: "with context takeover", options: {}, agreed: "permessage-deflate", repeated: "short" },
  {
    title: "without context takeover",
    options: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    agreed: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    repeated: "long",
  },
  {
    title: "with windows of 512 bytes",
    options: { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    agreed: "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
    repeated: "long",
  },
]

describe("the package ws, as client and as server", () => {
  it.scopedLive("exchanges text and binary messages, in order, in both directions", () =>
    Effect.gen(function* () {
      const { client, server } = yield* opened()
      const bytes = randomBytes(70_000)
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.socket.send("grüße 🚀")
        from.socket.send(bytes)
        from.socket.send("")
        from.socket.send(Buffer.alloc(0))
        assert.strictEqual(yield* to.message, "grüße 🚀")
        assert.deepStrictEqual(yield* to.message, bytes)
        assert.strictEqual(yield* to.message, "")
        assert.deepStrictEqual(yield* to.message, Buffer.alloc(0))
      }
    }),
  )

  it.scopedLive("keeps thousands of small messages in order while both sides send at once", () =>
    Effect.gen(function* () {
      const { client, server } = yield* opened()
      const count = 5_000
      const texts = Array.from({ length: count }, (_, index) => `message ${index}`)
      for (const text of texts) {
        client.socket.send(text)
        server.socket.send(text)
      }
      for (const peer of [client, server]) {
        yield* peer.until("all messages", () => peer.messages.length === count)
        assert.deepStrictEqual(peer.messages, texts)
      }
    }),
  )

  it.scopedLive("sees pings and pongs of the other side, with their data, and no others", () =>
    Effect.gen(function* () {
      const { client, server } = yield* opened()
      client.socket.ping("are you there")
      yield* client.until("the pong", () => client.pongs.length > 0)
      server.socket.ping("and you")
      yield* server.until("the pong", () => server.pongs.length > 0)
      server.socket.pong("unasked")
      yield* client.until("the second pong", () => client.pongs.length > 1)
      assert.deepStrictEqual([server.pings, client.pongs], [["are you there"], ["are you there", "unasked"]])
      assert.deepStrictEqual([client.pings, server.pongs], [["and you"], ["and you"]])
    }),
  )

  it.scopedLive("sends a message in fragments, and is answered a ping between two of them", () =>
    Effect.gen(function* () {
      const { client, server } = yield* opened()
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.socket.send("one, ", { fin: false })
        from.socket.send("two, ", { fin: false })
        from.socket.ping("between")
        // The message is not complete: had anybody on the way waited for it, there would be no pong.
        yield* from.until("the pong", () => from.pongs.length > 0)
        assert.deepStrictEqual(to.messages, [])
        from.socket.send("three", { fin: true })
        assert.strictEqual(yield* to.message, "one, two, three")
      }
    }),
  )

  it.scopedLive("exchanges messages of 8 MiB, whole and in fragments", () =>
    Effect.gen(function* () {
      const { client, server } = yield* opened()
      const bytes = randomBytes(8 * mebibyte)
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.socket.send(bytes)
        const whole = yield* to.message
        assert.isTrue(Buffer.isBuffer(whole) && whole.equals(bytes))
        for (let at = 0; at < bytes.length; at += mebibyte)
          from.socket.send(bytes.subarray(at, at + mebibyte), { fin: at + mebibyte === bytes.length })
        const fragmented = yield* to.message
        assert.isTrue(Buffer.isBuffer(fragmented) && fragmented.equals(bytes))
      }
    }),
  )

  it.scopedLive(
    "exchanges a message of 16 MiB in a thousand fragments, some of them empty, with pings in between",
    () =>
      Effect.gen(function* () {
        const { client, server } = yield* opened()
        const bytes = randomBytes(16 * mebibyte)
        const size = Math.ceil(bytes.length / 1_000)
        for (const [from, to] of [
          [client, server],
          [server, client],
        ] as const) {
          for (let at = 0; at < bytes.length; at += size) {
            from.socket.send(bytes.subarray(at, at + size), { fin: false })
            if (at % (10 * size) !== 0) continue
            from.socket.ping(String(at))
            from.socket.send(Buffer.alloc(0), { fin: false })
          }
          from.socket.send(Buffer.alloc(0), { fin: true })
          const message = yield* to.message
          assert.isTrue(Buffer.isBuffer(message) && message.equals(bytes))
          yield* from.until("all pongs", () => from.pongs.length === 100)
          assert.deepStrictEqual(from.pongs, to.pings)
        }
      }),
  )

  it.scopedLive("agrees on permessage-deflate, and what travels is compressed", () =>
    Effect.gen(function* () {
      const { client, server, handshake } = yield* opened({ perMessageDeflate: { threshold: 0 } })
      assert.include(client.socket.extensions, "permessage-deflate")
      assert.strictEqual(server.socket.extensions, client.socket.extensions)
      const text = "the same again and again, ".repeat(40_000)
      assert.isAbove(text.length, 1_000_000)
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        from.socket.send(text)
        assert.strictEqual(yield* to.message, text)
        from.socket.send("half, ", { fin: false, compress: true })
        from.socket.send("whole", { fin: true, compress: true })
        assert.strictEqual(yield* to.message, "half, whole")
      }
      assert.isBelow(handshake.socket.bytesRead, 20_000)
      assert.isBelow(handshake.socket.bytesWritten, 20_000)
    }),
  )

  for (const { title, options, agreed, repeated } of deflations)
    it.scopedLive(`agrees on permessage-deflate ${title}, and both ends keep to it`, () =>
      Effect.gen(function* () {
        const { client, server, handshake } = yield* opened({ perMessageDeflate: { threshold: 0, ...options } })
        assert.strictEqual(client.agreedExtensions, agreed)
        const text = randomBytes(400).toString("hex")
        for (const [from, to, count] of [
          [client, server, () => handshake.socket.bytesRead],
          [server, client, () => handshake.socket.bytesWritten],
        ] as const) {
          const sizes: Array<number> = []
          for (let turn = 0; turn < 3; turn++) {
            const before = count()
            from.socket.send(text)
            assert.strictEqual(yield* to.message, text)
            sizes.push(count() - before)
          }
          // Whoever still has what was sent before only points to it.
          const [first = 0, second = 0, third = 0] = sizes
          assert.isAbove(first, 400)
          if (repeated === "short") assert.isBelow(Math.max(second, third), 50)
          else assert.isAbove(Math.min(second, third), 400)
        }
      }),
    )

  it.scopedLive("does not agree on compression where the server does not offer it", () =>
    Effect.gen(function* () {
      const { client, server } = yield* opened({ perMessageDeflate: false }, { perMessageDeflate: true })
      assert.strictEqual(client.socket.extensions, "")
      client.socket.send("plain")
      assert.strictEqual(yield* server.message, "plain")
    }),
  )

  it.scopedLive("closes with a code and a reason, from the client", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* opened()
      client.socket.close(4_321, "done here: ü")
      assert.deepStrictEqual(yield* server.closed, { code: 4_321, reason: "done here: ü" })
      assert.deepStrictEqual(yield* client.closed, { code: 4_321, reason: "done here: ü" })
      yield* proxy.quiet
    }),
  )

  it.scopedLive("closes with a code and a reason, from the server", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* opened()
      server.socket.close(1_013, "try later")
      assert.deepStrictEqual(yield* client.closed, { code: 1_013, reason: "try later" })
      assert.deepStrictEqual(yield* server.closed, { code: 1_013, reason: "try later" })
      yield* proxy.quiet
    }),
  )

  it.scopedLive("closes with the longest reason that there can be", () =>
    Effect.gen(function* () {
      const reason = "ü".repeat(61) + "!"
      const first = yield* opened()
      first.client.socket.close(4_999, reason)
      assert.deepStrictEqual(yield* first.server.closed, { code: 4_999, reason })
      const second = yield* opened()
      second.server.socket.close(3_000, reason)
      assert.deepStrictEqual(yield* second.client.closed, { code: 3_000, reason })
    }),
  )

  it.scopedLive("closes from both sides at the same time, each seeing what the other said", () =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* opened()
      client.socket.send("last words")
      client.socket.close(4_001, "of the client")
      server.socket.close(4_002, "of the server")
      assert.deepStrictEqual(yield* client.closed, { code: 4_002, reason: "of the server" })
      assert.deepStrictEqual(yield* server.closed, { code: 4_001, reason: "of the client" })
      assert.deepStrictEqual(server.messages, ["last words"])
      yield* proxy.quiet
    }),
  )

  it.scopedLive("closes without a code", () =>
    Effect.gen(function* () {
      const { client, server } = yield* opened()
      client.socket.close()
      assert.deepStrictEqual(yield* server.closed, { code: 1_005, reason: "" })
      assert.deepStrictEqual(yield* client.closed, { code: 1_005, reason: "" })
    }),
  )

  it.scopedLive("is told 1011 when the other side is gone without a word", () =>
    Effect.gen(function* () {
      const first = yield* opened()
      first.server.socket.terminate()
      assert.strictEqual((yield* first.client.closed).code, 1_011)
      const second = yield* opened()
      second.client.socket.terminate()
      assert.strictEqual((yield* second.server.closed).code, 1_011)
    }),
  )
})
