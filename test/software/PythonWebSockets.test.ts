import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { describeUnless } from "../support/LeftOut.js"
import { PythonWebSocket, pythonWithWebSockets } from "../support/PythonWebSocket.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs } from "../support/WsPeer.js"
import { deflateOffer, handshake, TunnelEnd } from "../websocket/Tunnel.js"

const python = pythonWithWebSockets ?? "python3"

/** What python makes of its own bytes, and how it shows bytes. */
const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => index % 251))
const shown = (bytes: Buffer) => [bytes.length, createHash("sha256").update(bytes).digest("hex")]

/** A python client and a python server with the proxy between them. */
const pair = (settings: Partial<ProxySettings> = {}) =>
  Effect.gen(function* () {
    const { server, url } = yield* PythonWebSocket.serve(python)
    const proxy = yield* startProxy({ sessions: { app: url }, settings })
    const client = yield* PythonWebSocket.connect(python, `${proxy.url}/ws/app`)
    assert.deepStrictEqual([yield* client.said, yield* server.said], ["open", "open"])
    return { proxy, client, server }
  })

const missing = pythonWithWebSockets === undefined ? "no python with the package websockets" : undefined

describeUnless(missing)("the python package websockets", () => {
  it.scopedLive("agrees with itself on a subprotocol and on compression, and exchanges messages of all sizes", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair()
      assert.deepStrictEqual(yield* client.ask("agreed"), ["v2", ["permessage-deflate"]])
      assert.deepStrictEqual(yield* server.ask("agreed"), ["v2", ["permessage-deflate"]])
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        yield* from.ask("send", "grüße 🚀")
        assert.strictEqual(yield* to.ask("receive"), "grüße 🚀")
        yield* from.ask("send", "")
        assert.strictEqual(yield* to.ask("receive"), "")
        yield* from.ask("send bytes", 1_000_000)
        assert.deepStrictEqual(yield* to.ask("receive"), shown(pattern(1_000_000)))
        yield* from.ask("send", ["one, ", "two, ", "", "three"])
        assert.strictEqual(yield* to.ask("receive"), "one, two, three")
      }
    }),
  )

  it.scopedLive("measures its pings to the other end, and answers those of the proxy", () =>
    Effect.gen(function* () {
      const { client, server } = yield* pair({ wsPing: 600 })
      for (const end of [client, server]) {
        const seconds = Number(yield* end.ask("ping", "latency"))
        assert.isAbove(seconds, 0)
        assert.isBelow(seconds, 1)
      }
      // An end that had not answered would have been dropped by the end of this.
      yield* Effect.sleep(900)
      yield* client.ask("send", "still here")
      assert.strictEqual(yield* server.ask("receive"), "still here")
    }),
  )

  it.scopedLive("closes with code and reason, from either end", () =>
    Effect.gen(function* () {
      const first = yield* pair()
      yield* first.client.ask("close", 3_001, "genug für heute")
      assert.deepStrictEqual(yield* first.server.ask("closed"), ["closed", 3_001, "genug für heute"])
      assert.deepStrictEqual(yield* first.client.ask("closed"), ["closed", 3_001, "genug für heute"])
      const second = yield* pair()
      yield* second.server.ask("close", 4_321, "try later")
      assert.deepStrictEqual(yield* second.client.ask("receive"), ["closed", 4_321, "try later"])
    }),
  )

  it.scopedLive("is told when its session is removed or its peer lost, and when it is refused", () =>
    Effect.gen(function* () {
      const { proxy, client, server } = yield* pair()
      yield* proxy.repo.remove("app")
      for (const end of [client, server])
        assert.deepStrictEqual(yield* end.ask("receive"), ["closed", 1_001, "the session was removed"])
      const refused = yield* PythonWebSocket.connect(python, `${proxy.url}/ws/app`)
      assert.deepStrictEqual(yield* refused.said, ["refused", 404])
    }),
  )

  it.scopedLive("as a client talks to a server of ws", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start({ perMessageDeflate: { threshold: 0 } })
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      const client = yield* PythonWebSocket.connect(python, `${proxy.url}/app/socket`)
      assert.strictEqual(yield* client.said, "open")
      const { peer, handshake } = yield* origin.connection()
      assert.deepStrictEqual(yield* client.ask("agreed"), ["v2", ["permessage-deflate"]])
      yield* client.ask("send", "again and again, ".repeat(100_000))
      assert.strictEqual(yield* peer.message, "again and again, ".repeat(100_000))
      assert.isBelow(handshake.socket.bytesRead, 50_000)
      yield* client.ask("send", ["a ", "message ", "in pieces"])
      assert.strictEqual(yield* peer.message, "a message in pieces")
      peer.socket.send(pattern(70_000))
      assert.deepStrictEqual(yield* client.ask("receive"), shown(pattern(70_000)))
      peer.socket.ping("from ws")
      yield* peer.until("the pong", () => peer.pongs.includes("from ws"))
      peer.socket.terminate()
      assert.deepStrictEqual(yield* client.ask("receive"), ["closed", 1_011, "the server was lost"])
    }),
  )

  it.scopedLive("as a server talks to a client of ws", () =>
    Effect.gen(function* () {
      const { server, url } = yield* PythonWebSocket.serve(python)
      const proxy = yield* startProxy({ sessions: { app: url } })
      const client = yield* openWs(`${proxy.url}/ws/app`, { protocols: ["v1"], perMessageDeflate: { threshold: 0 } })
      assert.strictEqual(yield* server.said, "open")
      assert.deepStrictEqual(yield* server.ask("agreed"), ["v1", ["permessage-deflate"]])
      client.socket.send(pattern(200_000))
      assert.deepStrictEqual(yield* server.ask("receive"), shown(pattern(200_000)))
      yield* server.ask("send", ["in ", "", "pieces"])
      assert.strictEqual(yield* client.message, "in pieces")
      yield* server.ask("ping", "from python")
      assert.deepStrictEqual(client.pings, ["from python"])
      client.socket.close(4_000, "bye")
      assert.deepStrictEqual(yield* server.ask("receive"), ["closed", 4_000, "bye"])
      assert.deepStrictEqual(yield* client.closed, { code: 4_000, reason: "bye" })
    }),
  )

  it.scopedLive("sends a device that cannot inflate nothing compressed, where its session hides what it offers", () =>
    Effect.gen(function* () {
      const { server, url } = yield* PythonWebSocket.serve(python)
      const proxy = yield* startProxy({})
      // Such a server knows its devices by `/ws/{id}`.
      const policy = { wsPath: "full", wsExtensions: "hide" } as const
      yield* proxy.repo.add({ id: "a1b2c3", url, status: "active", policy })
      const device = yield* proxy.connect
      yield* device.send(handshake("/ws/a1b2c3?reconnect=true", [deflateOffer, "Sec-WebSocket-Protocol: v1"]))
      const head = yield* device.head
      assert.deepStrictEqual([head.status, head.value("sec-websocket-extensions")], [101, undefined])
      assert.strictEqual(yield* server.said, "open")
      assert.deepStrictEqual(yield* server.ask("agreed"), ["v1", []])
      assert.strictEqual(yield* server.ask("path"), "/ws/a1b2c3?reconnect=true")
      const message = "again and again, ".repeat(100)
      yield* server.ask("send", message)
      yield* device.seen(message)
      // Not 0xc1, as the first byte of a compressed message is.
      assert.strictEqual(TunnelEnd.of(device).bytes[0], 0x81)
      yield* device.reset
    }),
  )
})
