import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { chunk, lastChunk, request, response } from "../support/HttpText.js"
import { eventually } from "../support/Changes.js"
import { within } from "../support/FairClock.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { type Lab, startLab } from "../support/Lab.js"
import { RawClient } from "../support/RawClient.js"
import { RawOrigin, saying } from "../support/RawOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"

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

/** Tells the proxy to stop, and waits until it accepts no more. */
const closing = ({ proxy }: Pick<Lab, "proxy">) =>
  Effect.gen(function* () {
    const draining = yield* Effect.forkScoped(proxy.server.drain)
    yield* eventually(
      Effect.sync(() => proxy.log.some((line) => line.includes('message="draining: '))),
      "the line of the drain",
    )
    return draining
  })

/** A connection that has had an answer, and stays open. */
const idleOn = ({ connect }: TestProxy) =>
  Effect.gen(function* () {
    const client = yield* connect
    yield* client.ask(request("GET /app/x"))
    return client
  })

const get = request("GET /app/x")

/** What ends well before idle connections would have been closed. */
const inTime = within(1_500)

const connectionOf = (message: HttpMessage): string | undefined => message.value("connection")?.toLowerCase()

describe("a proxy that is told to stop", () => {
  it.scopedLive("lets what is in flight finish, and accepts nothing new", () =>
    Effect.gen(function* () {
      const lab = yield* underWay(10_000)
      const draining = yield* closing(lab)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(lab.proxy.connect)))
      yield* (yield* lab.origin.connection()).send(chunk("last"), lastChunk())
      assert.strictEqual((yield* lab.client.response()).text, "firstlast")
      yield* lab.client.reset
      yield* inTime(Fiber.join(draining))
    }),
  )

  it.scopedLive("serves what comes on open connections, be it the first on one, and closes them behind it", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const idle = yield* idleOn(lab.proxy)
      const fresh = yield* lab.proxy.connect
      const health = yield* idleOn(lab.proxy)
      // An answer to a later connection shows that the one before it was accepted.
      const later = yield* idleOn(lab.proxy)
      const draining = yield* closing(lab)
      assert.include(lab.proxy.log.join(), 'message="draining: 4 idle connections, up to 30 s"')
      for (const client of [idle, fresh, later]) {
        const served = yield* client.ask(get)
        assert.deepStrictEqual([served.status, connectionOf(served)], [200, "close"])
        assert.strictEqual(yield* client.gone, "finished")
        yield* client.finish
      }
      const ill = yield* health.ask(request("GET /health"))
      assert.deepStrictEqual([ill.status, connectionOf(ill)], [503, "close"])
      yield* health.finish
      yield* inTime(Fiber.join(draining))
    }),
  )

  it.scopedLive("answers all that a client has sent ahead, and says with the last that it closes", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const client = yield* idleOn(lab.proxy)
      yield* closing(lab)
      yield* client.send(get + get + get)
      for (const said of ["keep-alive", "keep-alive", "close"])
        assert.strictEqual(connectionOf(yield* client.response()), said)
      assert.strictEqual(yield* client.gone, "finished")
    }),
  )

  it.scopedLive("serves the next request behind an answer that began before, and promised to keep the connection", () =>
    Effect.gen(function* () {
      const lab = yield* underWay(10_000)
      const draining = yield* closing(lab)
      const connection = yield* lab.origin.connection()
      yield* connection.send(lastChunk())
      assert.strictEqual(connectionOf(yield* lab.client.response()), "keep-alive")
      yield* lab.client.send(get)
      yield* Effect.flatMap(lab.origin.connection(), (next) => next.send(lastChunk()))
      assert.strictEqual(connectionOf(yield* lab.client.response()), "close")
      yield* lab.client.finish
      yield* inTime(Fiber.join(draining))
    }),
  )

  it.scopedLive("closes connections that stay idle, resets none, and refuses a request whose head took longer", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const idle = yield* idleOn(lab.proxy)
      const fresh = yield* lab.proxy.connect
      const late = yield* lab.proxy.connect
      yield* late.send("GET /app/late HTTP/1.1\r\n")
      const last = yield* idleOn(lab.proxy)
      const draining = yield* closing(lab)
      assert.include(lab.proxy.log.join(), 'message="draining: 1 request, 3 idle connections, up to 30 s"')
      yield* last.finish
      // A request that crosses the end of its connection is not answered, but its client is not reset either.
      for (const client of [idle, fresh]) assert.strictEqual(yield* client.gone, "finished")
      yield* idle.send(get)
      yield* late.send("Host: h\r\n\r\n")
      const refused = yield* late.response()
      assert.deepStrictEqual([refused.status, connectionOf(refused)], [503, "close"])
      assert.include(refused.text, `"code":"draining"`)
      for (const client of [idle, fresh, late]) yield* client.finish
      yield* inTime(Fiber.join(draining))
      assert.strictEqual(yield* idle.gone, "finished")
    }),
  )

  it.scopedLive("does not wait for clients that leave, nor where none is there", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const idle = yield* idleOn(lab.proxy)
      const draining = yield* closing(lab)
      yield* idle.finish
      yield* inTime(Fiber.join(draining))
      yield* inTime(lab.proxy.server.drain)
      assert.include(lab.proxy.log.join(), 'message="draining: nothing is open"')
    }),
  )

  it.scopedLive("accepts and serves as ever for the delay, while its health is bad", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ settings: { drainDelay: 1_000 } })
      const idle = yield* idleOn(lab.proxy)
      const draining = yield* Effect.forkScoped(lab.proxy.server.drain)
      yield* eventually(
        Effect.scoped(Effect.map(lab.ask(request("GET /health")), ({ status }) => status === 503)),
        "bad health",
      )
      for (const client of [idle, yield* lab.proxy.connect]) {
        const served = yield* client.ask(get)
        assert.deepStrictEqual([served.status, connectionOf(served)], [200, "keep-alive"])
        yield* client.finish
      }
      assert.include(lab.proxy.log.join(), 'message="draining: /health says 503, and all is served for 1 s more"')
      yield* Fiber.join(draining)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(lab.proxy.connect)))
    }),
  )

  it.scopedLive("while others go on serves in the same way, and its health stays good", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ settings: { drainDelay: 60_000 } })
      const idle = yield* idleOn(lab.proxy)
      const retired = yield* Effect.forkScoped(lab.proxy.server.retire)
      yield* eventually(Effect.map(Effect.exit(Effect.scoped(lab.proxy.connect)), Exit.isFailure), "a closed port")
      const health = yield* idle.ask(request("GET /health"))
      assert.deepStrictEqual([health.status, connectionOf(health)], [200, "close"])
      yield* idle.finish
      yield* inTime(Fiber.join(retired))
    }),
  )

  it.scopedLive("cuts what is left when the grace is over, and names it in the log", () =>
    Effect.gen(function* () {
      const { origin, proxy, client } = yield* underWay(150)
      const idle = yield* proxy.connect
      const unfinished = yield* proxy.connect
      yield* unfinished.send("GET /app/late HTTP/1.1\r\n")
      yield* proxy.server.drain
      assert.strictEqual(yield* client.gone, "reset")
      yield* idle.gone
      yield* unfinished.gone
      yield* origin.deserted
      assert.include(proxy.log.join("\n"), "requests whose head was not complete")
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
