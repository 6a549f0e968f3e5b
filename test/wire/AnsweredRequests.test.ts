import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Socket } from "node:net"
import { chunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import type { RawClient } from "../support/RawClient.js"
import { silent } from "../support/RawOrigin.js"

/** The proxy's end of a client's connection: both are in this process. */
const proxySideOf = (client: RawClient): Socket => {
  const handles: unknown = Reflect.apply(Reflect.get(process, "_getActiveHandles"), process, [])
  const sockets = Array.isArray(handles) ? handles.filter((one) => one instanceof Socket) : []
  const found = sockets.find(
    (socket) => socket.remotePort === client.socket.localPort && socket.localPort === client.socket.remotePort,
  )
  if (found === undefined) throw new Error("the proxy has no such connection")
  return found
}

describe("a request that is answered already", () => {
  const chunked = request("POST /app/x", ["Transfer-Encoding: chunked"], chunk("first"))
  for (const [what, settings, second] of [
    ["chunks that are none", { maxBodyBytes: 10 }, "zz\r\n"],
    ["more than there may be", { maxBodyBytes: 10 }, chunk("x".repeat(20))],
    ["nothing for too long", { maxBodyBytes: 10, bodyTimeout: 50 }, ""],
  ] as const) {
    it.scopedLive(`is answered, whatever else is wrong with its content while the answer waits to leave: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: silent, settings })
        const client = yield* proxy.connect
        yield* client.send(chunked)
        yield* origin.seen("first")
        const socket = proxySideOf(client)
        socket.cork()
        yield* client.send(chunk("x".repeat(20)))
        yield* origin.deserted
        yield* client.send(second)
        yield* Effect.sleep(100)
        socket.uncork()
        assert.strictEqual((yield* client.response("POST")).status, 413)
        assert.strictEqual(yield* client.gone, "finished")
      }),
    )
  }

  it.scopedLive("is answered although more is sent behind it than is read ahead", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      const client = yield* proxy.connect
      yield* client.ask(request("GET /health"))
      const socket = proxySideOf(client)
      socket.cork()
      const many = 20_000
      const sent = yield* Effect.fork(client.send(request("GET /health").repeat(many)))
      yield* Effect.sleep(200)
      socket.uncork()
      yield* sent
      const size = client.received.length
      while (client.isOpen && client.socket.bytesRead < (many + 1) * size) yield* Effect.sleep(5)
      assert.strictEqual(client.socket.bytesRead, (many + 1) * size)
    }),
  )
})
