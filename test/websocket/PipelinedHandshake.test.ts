import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, request } from "../support/HttpText.js"
import { hello, startLab } from "../support/Lab.js"
import { inTurn, type RawOrigin, saying, type Script, silent } from "../support/RawOrigin.js"
import { fibersBackTo, liveFibers } from "./Fibers.js"
import { clientText, serverText } from "./Frames.js"
import { agreeing, handshake, switching, TunnelEnd } from "./Tunnel.js"

const early = Buffer.concat([clientText("glued"), clientText("and more")])
const bytes = (text: string): Buffer => Buffer.from(text, "latin1")

/** The server's end of the WebSocket on this connection. */
const serverEnd = (origin: RawOrigin, index = 0) =>
  Effect.gen(function* () {
    const connection = yield* origin.connection(index)
    yield* connection.seen("\r\n\r\n")
    return new TunnelEnd(connection, connection.text.indexOf("\r\n\r\n") + 4)
  })

/** Answers a plain request after a while, and a handshake at once. */
const late: Script = (connection) =>
  Effect.gen(function* () {
    const message = yield* connection.head
    if (message.value("upgrade") === undefined) yield* Effect.delay(connection.send(answer("200 OK", "first")), 60)
    else yield* connection.send(Buffer.concat([bytes(switching(message)), serverText("welcome")]))
  })

describe("a handshake behind a request", () => {
  for (const [what, first, status] of [
    ["that the server answers", request("GET /app/x"), 200],
    ["that the proxy answers", request("GET /nobody/x"), 404],
    ["with a body", request("POST /app/x", ["Content-Length: 2"], "hi"), 200],
  ] as const) {
    for (const cut of [false, true]) {
      it.scopedLive(`${what} gets its 101 behind that answer, and loses no frame${cut ? ", byte by byte" : ""}`, () =>
        Effect.gen(function* () {
          const { origin, proxy } = yield* startLab({ script: late })
          const client = yield* proxy.connect
          const all = Buffer.concat([bytes(first + handshake()), early])
          yield* client.send(...(cut ? Array.from(all, (byte) => Buffer.from([byte])) : [all]))
          const reply = yield* client.response()
          assert.strictEqual(reply.status, status)
          assert.strictEqual((yield* client.response()).status, 101)
          const end = yield* serverEnd(origin, status === 200 ? 1 : 0)
          yield* end.seen(early.length)
          assert.deepStrictEqual(end.bytes, early)
          yield* client.seen("welcome")
          assert.strictEqual(client.unread, serverText("welcome").toString("latin1"))
          yield* client.send(clientText("later"))
          yield* end.seen(early.length + clientText("later").length)
          assert.deepStrictEqual(
            end.frames.map(({ text }) => text),
            ["glued", "and more", "later"],
          )
        }),
      )
    }
  }

  it.scopedLive("of a client that has sent its end with it opens no WebSocket, which nobody could close", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: late })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x") + handshake())
      yield* client.finish
      assert.strictEqual((yield* client.response()).text, "first")
      yield* client.gone
      assert.strictEqual(client.unread, "")
      yield* proxy.quiet
      assert.strictEqual(origin.connections.length, 1)
    }),
  )

  it.scopedLive("that says Connection: close is not read", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: late })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x", ["Connection: close"]) + handshake())
      assert.strictEqual((yield* client.response()).text, "first")
      assert.strictEqual(yield* client.gone, "finished")
      assert.strictEqual(client.unread, "")
      assert.strictEqual(origin.connections.length, 1)
    }),
  )
})

describe("what comes behind a handshake", () => {
  const hidden = request("GET /app/hidden")
  const refusals: ReadonlyArray<readonly [what: string, script: Script, text: string, status: number]> = [
    ["that the server refuses", saying(answer("403 Forbidden", "no")), handshake(), 403],
    ["that the server takes for a plain request", saying(hello), handshake(), 200],
    ["that the server breaks", saying("HTTP/1.1 101 X\r\n\r\n"), handshake(), 502],
    ["to no session", silent, handshake("/nobody/x"), 404],
    ["without a key", silent, handshake().replace("Sec-WebSocket-Key", "X-Key"), 400],
  ]
  for (const [what, script, text, status] of refusals) {
    it.scopedLive(`is dropped where it is refused, and the connection is closed: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script })
        const before = yield* liveFibers
        const client = yield* proxy.connect
        yield* client.send(text + hidden, hidden)
        assert.strictEqual((yield* client.response()).status, status)
        yield* client.send(hidden)
        assert.strictEqual(yield* client.gone, "finished")
        assert.strictEqual(client.unread, "")
        assert.notInclude(origin.text, "hidden")
        client.socket.destroy()
        yield* origin.deserted
        yield* fibersBackTo(before)
      }),
    )
  }

  it.scopedLive("goes to the server as it is where it is accepted, though it looks like a request", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: agreeing() })
      const client = yield* proxy.connect
      yield* client.send(handshake() + hidden)
      yield* client.head
      // An unmasked frame of a client is a violation: the proxy says so to both.
      yield* client.seen("\x88")
      assert.strictEqual(origin.connections.length, 1)
      client.socket.destroy()
      yield* origin.deserted
    }),
  )

  it.scopedLive("may be as long as the head of another, and no longer than a pipeline", () =>
    Effect.gen(function* () {
      const slow: Script = (connection) =>
        Effect.gen(function* () {
          const message = yield* connection.head
          yield* Effect.delay(connection.send(switching(message)), 100)
        })
      const { origin, proxy } = yield* startLab({ script: inTurn(slow, silent) })
      const client = yield* proxy.connect
      const frame = clientText("x".repeat(200_000))
      yield* client.send(Buffer.concat([bytes(handshake()), frame]))
      const end = yield* serverEnd(origin)
      yield* end.seen(frame.length)
      assert.isTrue(end.bytes.equals(frame))
      const flood = yield* proxy.connect
      yield* flood.send(handshake())
      yield* Effect.flatMap(origin.connection(1), (connection) => connection.head)
      yield* flood.send(Buffer.alloc(400_000))
      assert.strictEqual(yield* flood.gone, "reset")
    }),
  )
})
