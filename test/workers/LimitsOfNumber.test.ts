import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { Call, type CallListener } from "../../src/step/Call.js"
import { SlotsElsewhere, type Taken } from "../../src/traffic/Slots.js"
import { eventually } from "../support/Changes.js"
import { answer, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { RawOrigin, type Script } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"
import { superviseInMemory } from "./WorkersInMemory.js"

const beginning = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbeginning"

/** Answers each request at once, but for `/held`, and for `/begun`, whose answer does not end. */
const script: Script = (connection) =>
  Effect.forever(
    Effect.flatMap(connection.request, ({ target }) => {
      if (target === "/held") return Effect.void
      return connection.send(target === "/begun" ? beginning : answer("200 OK", target))
    }),
  )

/** Three proxies with one session, `app`, whose places one supervisor counts. */
const threeWorkers = (settings: Partial<ProxySettings>) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(script)
    const begin = yield* superviseInMemory(settings)
    const start = Effect.gen(function* () {
      const { slots } = yield* begin
      const hooks = Layer.succeed(SlotsElsewhere, slots)
      return yield* startProxy({ sessions: { app: origin.url }, settings, hooks })
    })
    return { origin, proxies: [yield* start, yield* start, yield* start] as const }
  })

/** Asks again and again, until there is a place. */
const takenSoon = <E>(status: Effect.Effect<number, E>) =>
  eventually(
    Effect.map(status, (code) => code === 200),
    "a place",
  )

describe("limits of number over several workers", () => {
  it.scopedLive.each(["/held", "/begun"])("hold for the requests of a session, until the client of %s leaves", (path) =>
    Effect.gen(function* () {
      const { origin, proxies } = yield* threeWorkers({ maxRequestsPerSession: 1 })
      const [one, other, third] = proxies
      const holding = yield* one.connect
      yield* holding.send(request(`GET /app${path}`))
      yield* origin.seen(path)
      if (path === "/begun") yield* holding.head
      const waiting = yield* other.connect
      const refused = yield* waiting.ask(request("GET /app/x"))
      assert.strictEqual(refused.status, 429)
      assert.deepInclude(refused.json, { code: "session_limit" })
      yield* holding.reset
      yield* takenSoon(Effect.map(waiting.ask(request("GET /app/x")), ({ status }) => status))
      const last = yield* third.connect
      for (let count = 0; count < 3; count++) assert.strictEqual((yield* last.ask(request("GET /app/x"))).status, 200)
    }),
  )

  it.scopedLive("are free again when the traffic of a session that was removed has ended", () =>
    Effect.gen(function* () {
      const { origin, proxies } = yield* threeWorkers({ maxRequestsPerSession: 1 })
      const [one, other] = proxies
      const holding = yield* one.connect
      yield* holding.send(request("GET /app/held"))
      yield* origin.seen("/held")
      yield* one.repo.remove("app")
      assert.strictEqual((yield* holding.response()).status, 404)
      const client = yield* other.connect
      yield* takenSoon(Effect.map(client.ask(request("GET /app/x")), ({ status }) => status))
    }),
  )

  it.scopedLive("hold for connections, until one is closed", () =>
    Effect.gen(function* () {
      const { proxies } = yield* threeWorkers({ maxConnections: 2 })
      const [one, other, third] = proxies
      const first = yield* one.connect
      assert.strictEqual((yield* first.ask(request("GET /app/x"))).status, 200)
      const second = yield* other.connect
      assert.strictEqual((yield* second.ask(request("GET /app/x"))).status, 200)
      const refused = yield* third.connect
      assert.strictEqual((yield* refused.response()).status, 503)
      yield* first.finish
      const again = Effect.flatMap(third.connect, (client) => client.ask(request("GET /app/x")))
      yield* takenSoon(Effect.map(Effect.scoped(again), ({ status }) => status))
    }),
  )
})

/** A place that is not given before somebody says so. */
class SlowPlace extends Call<Taken> {
  private listener: CallListener<Taken, never> | undefined
  isCancelled = false

  override start(listener: CallListener<Taken, never>): void {
    this.listener = listener
  }

  override cancel(): void {
    this.isCancelled = true
  }

  grant(release: () => void): void {
    this.listener?.settled(Exit.succeed(release))
  }
}

/** A proxy whose connections have their places from the outside. */
const slowly = Effect.gen(function* () {
  const places: Array<SlowPlace> = []
  const connections = {
    take: () => {
      const place = new SlowPlace()
      places.push(place)
      return place
    },
  }
  const taken = () => Effect.dieMessage("nobody looks")
  const slots = { connections, requests: undefined, webSockets: undefined, taken }
  const lab = yield* startLab({ hooks: Layer.succeed(SlotsElsewhere, slots) })
  const placeOf = (index: number) =>
    Effect.zipRight(
      eventually(
        Effect.sync(() => places.length > index),
        "a connection",
      ),
      Effect.suspend(() => {
        const place = places[index]
        return place === undefined ? Effect.dieMessage("no place") : Effect.succeed(place)
      }),
    )
  return { ...lab, placeOf }
})

describe("a connection that waits for its place", () => {
  it.scopedLive("is read when it has it, and gives it back when it is closed", () =>
    Effect.gen(function* () {
      const { origin, placeOf, proxy } = yield* slowly
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      const place = yield* placeOf(0)
      let released = 0
      assert.strictEqual(origin.requests.length, 0)
      place.grant(() => released++)
      assert.strictEqual((yield* client.response()).status, 200)
      assert.strictEqual(released, 0)
      yield* client.finish
      yield* client.gone
      yield* eventually(
        Effect.sync(() => released === 1),
        "the place to be given back",
      )
    }),
  )

  it.scopedLive("is served where the proxy stops meanwhile", () =>
    Effect.gen(function* () {
      const { placeOf, proxy } = yield* slowly
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      const place = yield* placeOf(0)
      const drain = yield* Effect.fork(proxy.server.drain)
      const reply = yield* client.response()
      assert.deepStrictEqual([reply.status, reply.value("connection")], [200, "close"])
      assert.isTrue(place.isCancelled)
      yield* Fiber.join(drain)
    }),
  )

  it.scopedLive("is cut with all others", () =>
    Effect.gen(function* () {
      const { placeOf, proxy } = yield* slowly
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      const place = yield* placeOf(0)
      yield* proxy.server.cut
      yield* client.gone
      assert.isTrue(place.isCancelled)
    }),
  )
})
