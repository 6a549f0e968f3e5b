import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { defaultSettings } from "../../src/domain/ProxyConfig.js"
import { clientText, serverText } from "../websocket/Frames.js"
import { openTunnel } from "../websocket/Tunnel.js"
import { chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { saying } from "../support/RawOrigin.js"

/** What time is divided by: ten minutes are three seconds. */
const faster = 200
const tenMinutes = 600_000 / faster

/** Every time that is on by default; all but the one for a connection, which a busy machine needs, as much shorter. */
const { headTimeout, bodyTimeout, keepAliveTimeout, poolIdleTimeout, timeout, queueTimeout } = defaultSettings
const settings = {
  headTimeout: headTimeout / faster,
  bodyTimeout: bodyTimeout / faster,
  keepAliveTimeout: keepAliveTimeout / faster,
  poolIdleTimeout: poolIdleTimeout / faster,
  timeout: timeout / faster,
  queueTimeout: queueTimeout / faster,
  connectTimeout: tenMinutes / 2,
}

describe("ten minutes of silence", () => {
  it.scopedLive("do not end a stream, with times that do end what they are for", () =>
    Effect.gen(function* () {
      const lines = ["Content-Type: text/event-stream", "Transfer-Encoding: chunked"]
      const { origin, proxy } = yield* startLab({ script: saying(response("200 OK", lines)), settings })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      yield* client.head
      const half = yield* proxy.connect
      yield* half.send("GET /app/x HTTP/1.1\r\n")
      assert.strictEqual((yield* half.response()).status, 408)
      const idle = yield* proxy.connect
      yield* idle.ask(request("GET /health"))
      yield* idle.gone
      yield* Effect.sleep(tenMinutes)
      const connection = yield* origin.connection()
      yield* connection.send(chunk("data: thought\n\n") + lastChunk())
      assert.strictEqual((yield* client.response()).text, "data: thought\n\n")
    }),
  )

  it.scopedLive("do not end a WebSocket", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel(settings)
      yield* Effect.sleep(tenMinutes)
      const [there, back] = [clientText("there"), serverText("back")]
      yield* client.raw.send(there)
      yield* server.seen(there.length)
      yield* server.raw.send(back)
      yield* client.seen(back.length)
      assert.deepStrictEqual([server.story, client.story], [["1 there"], ["1 back"]])
    }),
  )
})
