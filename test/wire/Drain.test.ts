import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { RawClient } from "../support/RawClient.js"
import { RawOrigin, saying } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"

const streaming = saying(response("200 OK", ["Transfer-Encoding: chunked"], chunk("first")))

/** A proxy with a stream under way. */
const underWay = (grace: number) =>
  Effect.gen(function* () {
    const lab = yield* startLab({ script: streaming, settings: { grace } })
    const client = yield* lab.proxy.connect
    yield* client.send(request("GET /app/x"))
    yield* client.seen("first")
    return { ...lab, client }
  })

describe("a proxy that is told to stop", () => {
  it.scopedLive("lets what is in flight finish, and accepts nothing new", () =>
    Effect.gen(function* () {
      const { origin, proxy, client } = yield* underWay(10_000)
      const idle = yield* proxy.connect
      yield* idle.ask(request("GET /health"))
      const draining = yield* Effect.fork(proxy.server.drain)
      yield* idle.gone
      assert.isTrue(Exit.isFailure(yield* Effect.exit(proxy.connect)))
      yield* (yield* origin.connection()).send(chunk("last"), lastChunk())
      assert.strictEqual((yield* client.response()).text, "firstlast")
      yield* client.gone
      yield* Fiber.join(draining)
    }),
  )

  it.scopedLive("answers requests that had begun with 503: health, and draining for sessions", () =>
    Effect.gen(function* () {
      const { origin, proxy, client } = yield* underWay(10_000)
      const health = yield* proxy.connect
      const late = yield* proxy.connect
      yield* health.send("GET /health HTTP/1.1\r\n")
      yield* late.send("GET /app/late HTTP/1.1\r\n")
      // An answer to a third request shows that the proxy has read what was sent before it.
      const idle = yield* proxy.connect
      yield* idle.ask(request("GET /health"))
      const draining = yield* Effect.fork(proxy.server.drain)
      yield* idle.gone
      yield* health.send("Host: h\r\n\r\n")
      assert.strictEqual((yield* health.response()).status, 503)
      yield* late.send("Host: h\r\n\r\n")
      const refused = yield* late.response()
      assert.strictEqual(refused.status, 503)
      assert.include(refused.text, `"code":"draining"`)
      assert.strictEqual(refused.value("connection")?.toLowerCase(), "close")
      yield* (yield* origin.connection()).send(lastChunk())
      yield* client.response()
      yield* Fiber.join(draining)
      assert.strictEqual(origin.requests.length, 1)
    }),
  )

  it.scopedLive("cuts what is left when the grace is over, and names it in the log", () =>
    Effect.gen(function* () {
      const { origin, proxy, client } = yield* underWay(150)
      yield* proxy.server.drain
      assert.strictEqual(yield* client.gone, "reset")
      yield* origin.deserted
      assert.isTrue(
        proxy.log.some((line) => /\bcut\b/.test(line) && line.includes("app")),
        proxy.log.join("\n"),
      )
    }),
  )

  it.scopedLive("at once cuts at once", () =>
    Effect.gen(function* () {
      const { origin, proxy, client } = yield* underWay(10_000)
      const draining = yield* Effect.fork(proxy.server.drain)
      yield* proxy.server.cut
      assert.strictEqual(yield* client.gone, "reset")
      yield* origin.deserted
      yield* Fiber.join(draining)
    }),
  )

  it.scopedLive("when nothing is under way is done at once", () =>
    Effect.gen(function* () {
      const { proxy, ask } = yield* startLab()
      yield* ask(request("GET /app/x"))
      yield* proxy.server.drain.pipe(Effect.timeoutFail({ duration: 1_000, onTimeout: () => new Error("too slow") }))
    }),
  )
})

describe("a proxy that ends without being told to stop before", () => {
  it.scopedLive("resets a client whose answer ends with its connection: it must not look complete", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(streaming)
      const proxy = yield* Scope.make()
      const { port } = yield* Scope.extend(startProxy({ sessions: { app: origin.url } }), proxy)
      const client = yield* RawClient.connect(port)
      yield* client.send(request("GET /app/x").replace("HTTP/1.1", "HTTP/1.0"))
      yield* client.seen("first")
      yield* Scope.close(proxy, Exit.fail("whatever"))
      assert.strictEqual(yield* client.gone, "reset")
    }),
  )
})
