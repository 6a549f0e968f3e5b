import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"

describe("a client's connection", () => {
  it.scopedLive("that is idle for longer than the keep-alive timeout is closed", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { keepAliveTimeout: 200 } })
      const client = yield* proxy.connect
      yield* client.ask(request("GET /app/x"))
      assert.strictEqual(yield* client.gone, "finished")
      assert.strictEqual(client.unread, "")
    }),
  )

  it.scopedLive("on which a head trickles in is closed when the time for a head is over", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { headTimeout: 300 } })
      const client = yield* proxy.connect
      yield* client.ask(request("GET /app/x"))
      yield* client.send("GET /app/y HTTP/1.1\r\nHost: h\r\n")
      while (client.isOpen) yield* Effect.delay(client.send("X-A: 1\r\n"), 40)
      assert.match(client.unread, /^(?:HTTP\/1\.1 408 |$)/)
    }),
  )

  it.scopedLive("that never says anything is closed when the time for a head is over", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { headTimeout: 300 } })
      const client = yield* proxy.connect
      yield* client.gone
    }),
  )

  it.scopedLive("is not closed while its answer takes longer than every timeout for requests", () =>
    Effect.gen(function* () {
      const settings = { headTimeout: 150, bodyTimeout: 150, keepAliveTimeout: 150 }
      const { proxy } = yield* startLab({
        settings,
        script: (connection) =>
          Effect.gen(function* () {
            yield* connection.request
            yield* Effect.delay(connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"), 500)
            yield* Effect.delay(connection.send("k"), 500)
          }),
      })
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(request("GET /app/x"))).text, "ok")
    }),
  )
})
