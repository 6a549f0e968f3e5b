import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fairNow } from "../support/FairClock.js"
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

  for (const [what, after, lines] of [
    ["that has had a request", [request("GET /app/x")], ["\r\n"]],
    ["that has had a request", [request("GET /app/x")], ["\r", "\n"]],
    ["that never had one", [], ["\r\n"]],
    ["that never had one", [], ["\r", "\n"]],
  ] as const) {
    it.scopedLive(`${what} is neither kept nor answered for ${JSON.stringify(lines)} every few milliseconds`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({
          settings: { keepAliveTimeout: 150, headTimeout: after.length === 0 ? 150 : 3_000 },
        })
        const client = yield* proxy.connect
        for (const text of after) yield* client.ask(text)
        const began = fairNow()
        for (let turn = 0; client.isOpen; turn++) yield* Effect.delay(client.send(lines[turn % lines.length] ?? ""), 7)
        assert.isAtMost(fairNow() - began, 1_000)
        assert.strictEqual(client.unread, "")
        assert.strictEqual(origin.requests.length, after.length)
      }),
    )
  }

  it.scopedLive("may bring as many bytes of empty lines before a head as leave room for it, and no more", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { maxHeaderBytes: 1_000 } })
      const client = yield* proxy.connect
      for (let count = 0; count < 3; count++)
        assert.strictEqual((yield* client.ask("\r\n".repeat(400) + request("GET /app/x"))).status, 200)
      yield* client.send("\r\n".repeat(500))
      assert.strictEqual((yield* client.ask(request("GET /app/x"))).status, 431)
      yield* client.gone
    }),
  )
})
