import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { RawOrigin, type Script } from "../support/RawOrigin.js"
import { startProxy, testDownstream } from "../support/TestProxy.js"
import { layerConnections } from "../../src/downstream/ConnectionDownstream.js"

const isOurs = testDownstream === layerConnections

/** Answers each request with its target; those for `/held` wait until they are told to. */
const held = () => {
  const waiting: Array<() => void> = []
  const script: Script = (connection) =>
    Effect.forever(
      Effect.gen(function* () {
        const { target } = yield* connection.request
        if (target === "/held") yield* Effect.async<void>((resume) => void waiting.push(() => resume(Effect.void)))
        yield* connection.send(answer("200 OK", target))
      }),
    )
  return { script, waiting }
}

/** Answers as `held` does, but handshakes of WebSockets, to `/app` below, with a 101. */
const switching = () => {
  const waiting: Array<() => void> = []
  const script: Script = (connection) =>
    Effect.forever(
      Effect.gen(function* () {
        const { target } = yield* connection.head
        if (target === "/held") yield* Effect.async<void>((resume) => void waiting.push(() => resume(Effect.void)))
        yield* connection.send(target === "/app" ? switched : answer("200 OK", target))
      }),
    )
  return { script, waiting }
}

const switched =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

const upgrade = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]

// undici counts no connections, so that `npm run test:undici` has nothing to try here.
describe.runIf(isOurs)("the connections to a session's server, where there may be only so many", () => {
  it.scopedLive("are waited for, and used again by who came first", () =>
    Effect.gen(function* () {
      const { script, waiting } = held()
      const settings = { maxDownstreamConnectionsPerSession: 1 }
      const { origin, proxy } = yield* startLab({ script, settings })
      const first = yield* proxy.connect
      yield* first.send(request("GET /app/held"))
      yield* origin.seen("/held ")
      const clients = yield* Effect.all([proxy.connect, proxy.connect])
      for (const [index, client] of clients.entries()) {
        yield* client.send(request(`GET /app/${index}`))
        // An answer of the proxy's own behind it shows that the proxy has read it.
        yield* Effect.flatMap(proxy.connect, (other) => other.ask(request("GET /health")))
      }
      assert.strictEqual(origin.connections.length, 1)
      for (const go of waiting) go()
      assert.strictEqual((yield* first.response()).text, "/held")
      for (const [index, client] of clients.entries()) assert.strictEqual((yield* client.response()).text, `/${index}`)
      assert.strictEqual(origin.connections.length, 1)
      assert.deepStrictEqual(
        origin.requests.map(({ target }) => target),
        ["/held", "/0", "/1"],
      )
    }),
  )

  it.scopedLive("are 429 where none came free in time, and other sessions do not wait", () =>
    Effect.gen(function* () {
      const { script } = held()
      const [busy, free] = yield* Effect.all([RawOrigin.start(script), RawOrigin.start(script)])
      const proxy = yield* startProxy({
        sessions: { busy: busy.url, free: free.url },
        settings: { maxDownstreamConnectionsPerSession: 1, queueTimeout: 100 },
      })
      const first = yield* proxy.connect
      yield* first.send(request("GET /busy/held"))
      yield* busy.seen("/held ")
      const second = yield* proxy.connect
      yield* second.send(request("GET /busy/x"))
      assert.strictEqual((yield* Effect.flatMap(proxy.connect, (one) => one.ask(request("GET /free/y")))).text, "/y")
      const reply = yield* second.response()
      assert.deepInclude(reply.json, { status: 429, code: "session_limit" })
      assert.strictEqual(reply.value("retry-after"), "1")
      assert.strictEqual(busy.requests.length, 1)
    }),
  )

  it.scopedLive("are 503 where there are as many in all, and none came free in time", () =>
    Effect.gen(function* () {
      const { script } = held()
      const [busy, free] = yield* Effect.all([RawOrigin.start(script), RawOrigin.start(script)])
      const proxy = yield* startProxy({
        sessions: { busy: busy.url, free: free.url },
        settings: { maxDownstreamConnections: 1, queueTimeout: 100 },
      })
      const first = yield* proxy.connect
      yield* first.send(request("GET /busy/held"))
      yield* busy.seen("/held ")
      const reply = yield* Effect.flatMap(proxy.connect, (one) => one.ask(request("GET /free/y")))
      assert.deepInclude(reply.json, { status: 503, code: "overloaded" })
      assert.strictEqual(free.connections.length, 0)
    }),
  )

  it.scopedLive("are taken from an idle one of another session, which is closed for it", () =>
    Effect.gen(function* () {
      const { script } = held()
      const [one, other] = yield* Effect.all([RawOrigin.start(script), RawOrigin.start(script)])
      const proxy = yield* startProxy({
        sessions: { one: one.url, other: other.url },
        settings: { maxDownstreamConnections: 1 },
      })
      const client = yield* proxy.connect
      for (const id of ["one", "other", "one", "other"])
        assert.strictEqual((yield* client.ask(request(`GET /${id}/x`))).text, "/x")
      assert.deepStrictEqual([one.connections.length, other.connections.length], [2, 2])
      yield* one.deserted
    }),
  )

  it.scopedLive("are given to the next when whoever waits leaves, and when whoever has one leaves", () =>
    Effect.gen(function* () {
      const { script } = held()
      const { origin, proxy } = yield* startLab({ script, settings: { maxDownstreamConnectionsPerSession: 1 } })
      const [first, second, third] = yield* Effect.all([proxy.connect, proxy.connect, proxy.connect])
      yield* first.send(request("GET /app/held"))
      yield* origin.seen("/held ")
      yield* second.send(request("GET /app/left"))
      yield* Effect.flatMap(proxy.connect, (client) => client.ask(request("GET /health")))
      yield* third.send(request("GET /app/third"))
      yield* second.reset
      yield* first.reset
      assert.strictEqual((yield* third.response()).text, "/third")
      assert.notInclude(origin.text, "/left")
    }),
  )

  it.scopedLive("count those of WebSockets, which give theirs back when they are over", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          const { target } = yield* connection.head
          const isUpgrade = target.startsWith("/app")
          yield* connection.send(isUpgrade ? switched : answer("200 OK", "plain"))
        })
      const { proxy } = yield* startLab({ script, settings: { maxDownstreamConnectionsPerSession: 1 } })
      const socket = yield* proxy.connect
      yield* socket.send(request("GET /ws/app", upgrade))
      yield* socket.seen("101 Switching")
      const plain = yield* proxy.connect
      yield* plain.send(request("GET /app/x"))
      yield* Effect.flatMap(proxy.connect, (client) => client.ask(request("GET /health")))
      assert.strictEqual(plain.text, "")
      yield* socket.reset
      assert.strictEqual((yield* plain.response()).text, "plain")
    }),
  )

  it.scopedLive("are taken from an idle one of another session, though those of a third are all in use", () =>
    Effect.gen(function* () {
      const { script } = held()
      const [busy, idle, late] = yield* Effect.all([
        RawOrigin.start(script),
        RawOrigin.start(script),
        RawOrigin.start(script),
      ])
      const proxy = yield* startProxy({
        sessions: { busy: busy.url, idle: idle.url, late: late.url },
        settings: { maxDownstreamConnections: 2, poolIdleTimeout: 60_000 },
      })
      const client = yield* proxy.connect
      // Its second request takes the only connection of its pool.
      yield* client.ask(request("GET /busy/x"))
      const streaming = yield* proxy.connect
      yield* streaming.send(request("GET /busy/held"))
      yield* busy.seen("/held ")
      yield* client.ask(request("GET /idle/x"))
      assert.strictEqual((yield* client.ask(request("GET /late/x"))).text, "/x")
      assert.strictEqual(busy.connections.length, 1)
      yield* idle.deserted
    }),
  )

  it.scopedLive("are given to who came first, also where somebody of the same session waits behind", () =>
    Effect.gen(function* () {
      const { script, waiting } = held()
      const [one, other] = yield* Effect.all([RawOrigin.start(script), RawOrigin.start(script)])
      const proxy = yield* startProxy({
        sessions: { one: one.url, other: other.url },
        settings: { maxDownstreamConnections: 1 },
      })
      const [first, second, third] = yield* Effect.all([proxy.connect, proxy.connect, proxy.connect])
      yield* first.send(request("GET /one/held"))
      yield* one.seen("/held ")
      for (const [client, target] of [
        [second, "/other/held"],
        [third, "/one/third"],
      ] as const) {
        yield* client.send(request(`GET ${target}`))
        yield* Effect.flatMap(proxy.connect, (asking) => asking.ask(request("GET /health")))
      }
      for (const go of waiting.splice(0)) go()
      assert.strictEqual((yield* first.response()).text, "/held")
      yield* other.seen("/held ")
      assert.notInclude(one.text, "/third")
      for (const go of waiting) go()
      assert.strictEqual((yield* third.response()).text, "/third")
    }),
  )

  it.scopedLive("are fresh for a WebSocket: one that a request has used is closed for it", () =>
    Effect.gen(function* () {
      const { script, waiting } = switching()
      const { origin, proxy } = yield* startLab({ script, settings: { maxDownstreamConnectionsPerSession: 1 } })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/held"))
      yield* origin.seen("/held ")
      const socket = yield* proxy.connect
      yield* socket.send(request("GET /ws/app", upgrade))
      yield* Effect.flatMap(proxy.connect, (asking) => asking.ask(request("GET /health")))
      for (const go of waiting) go()
      assert.strictEqual((yield* client.response()).text, "/held")
      yield* socket.seen("101 Switching")
      assert.deepStrictEqual(
        origin.connections.map(({ text }) => text.match(/^GET \S+/gm)),
        [["GET /held"], ["GET /app"]],
      )
      yield* socket.reset
    }),
  )

  it.scopedLive("do not stay idle while a WebSocket of their session waits for one", () =>
    Effect.gen(function* () {
      const settings = { maxDownstreamConnectionsPerSession: 1, poolIdleTimeout: 60_000 }
      const { origin, proxy } = yield* startLab({ script: switching().script, settings })
      const client = yield* proxy.connect
      yield* client.ask(request("GET /app/x"))
      const socket = yield* proxy.connect
      yield* socket.send(request("GET /ws/app", upgrade))
      yield* socket.seen("101 Switching")
      assert.strictEqual(origin.connections.length, 2)
      yield* socket.reset
    }),
  )

  it.scopedLive("are not held by attempts that fail", () =>
    Effect.gen(function* () {
      const dead = yield* Effect.scoped(RawOrigin.start(held().script))
      const proxy = yield* startProxy({
        sessions: { dead: dead.url },
        settings: { maxDownstreamConnections: 1, queueTimeout: 2_000 },
      })
      const client = yield* proxy.connect
      for (let count = 0; count < 3; count++)
        assert.strictEqual((yield* client.ask(request("GET /dead/x"))).status, 502)
    }),
  )
})
