import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { eventually } from "../support/Changes.js"
import { chunk, request } from "../support/HttpText.js"
import { hello } from "../support/Lab.js"
import { unusedPort } from "../support/Listening.js"
import { valueIn } from "../support/Numbers.js"
import { answering, RawOrigin, type Script } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"
import { handshake, switching } from "../websocket/Tunnel.js"

/** Longer than a test takes. */
const long = 3_600_000

/** A proxy with the session `app`, whose server is not there yet. */
const startHoldLab = (settings: Partial<ProxySettings>) =>
  Effect.gen(function* () {
    const port = yield* unusedPort
    // Connections that are kept would outlive a server that started behind the proxy.
    const options = { poolIdleTimeout: 0, accessLog: true, ...settings }
    const proxy = yield* startProxy({ sessions: { app: `http://127.0.0.1:${port}` }, settings: options })
    const refusals = Effect.map(
      proxy.metrics,
      (text) => valueIn(text, 'ss_proxy_downstream_dials_total{result="refused"}') ?? 0,
    )
    const tried = (times: number) =>
      eventually(
        Effect.map(refusals, (count) => count >= times),
        `${times} tries`,
      )
    const send = (text: string) => Effect.tap(proxy.connect, (client) => client.send(text))
    return { proxy, refusals, send, tried, startServer: (script: Script) => RawOrigin.start(script, "127.0.0.1", port) }
  })

describe("a server that is just starting", () => {
  it.scopedLive("is waited for by requests and handshakes, which are told how long it took", () =>
    Effect.gen(function* () {
      const { proxy, send, startServer, tried } = yield* startHoldLab({ hold: long })
      const plain = yield* send(request("GET /app/x"))
      const device = yield* send(handshake("/ws/app"))
      const upload = yield* send(request("POST /app/x", ["Content-Length: 3"], "abc"))
      const large = yield* send(request("POST /app/large", ["Content-Length: 100000", "Expect: 100-continue"]))
      yield* tried(6)
      yield* startServer((connection) =>
        Effect.flatMap(connection.head, (head) =>
          connection.send(head.value("upgrade") === undefined ? hello : switching(head)),
        ),
      )
      const answers = [yield* plain.response(), yield* upload.response(), yield* large.response()]
      for (const answer of answers) {
        assert.deepStrictEqual([answer.status, answer.text], [200, "hello"])
        assert.match(answer.value("server-timing") ?? "", /^hold;dur=\d+$/)
      }
      const switched = yield* device.head
      assert.strictEqual(switched.status, 101)
      assert.match(switched.value("server-timing") ?? "", /^hold;dur=\d+$/)
      const next = yield* Effect.flatMap(proxy.connect, (client) => client.ask(request("GET /app/x")))
      assert.isUndefined(next.value("server-timing"))
      assert.match(proxy.log.find((line) => line.includes("/app/large")) ?? "", /hold_ms=\d/)
      device.socket.destroy()
    }),
  )

  it.scopedLive("is 502 when the time is over, as it is at once for a body that has begun to flow", () =>
    Effect.gen(function* () {
      const { refusals, send } = yield* startHoldLab({ hold: 300 })
      const begun = yield* send(request("POST /app/x", ["Transfer-Encoding: chunked"], chunk("begun")))
      assert.strictEqual((yield* begun.response()).status, 502)
      assert.strictEqual(yield* refusals, 1)
      const client = yield* send(request("GET /app/x"))
      const answer = yield* client.response()
      assert.strictEqual(answer.status, 502)
      assert.match(answer.text, /"code":"downstream_unreachable"/)
      assert.match(answer.value("server-timing") ?? "", /^hold;dur=\d{3}$/)
      const tries = yield* refusals
      assert.isAtLeast(tries, 3)
      assert.isAtMost(tries, 6)
    }),
  )

  it.scopedLive("is tried no more once its clients have left, or its session has moved", () =>
    Effect.gen(function* () {
      const { proxy, refusals, send, tried } = yield* startHoldLab({ hold: long })
      const leaving = yield* send(request("GET /app/x"))
      yield* tried(2)
      leaving.socket.destroy()
      yield* proxy.quiet
      const before = yield* refusals
      const moved = yield* send(handshake("/ws/app"))
      yield* tried(before + 2)
      yield* proxy.repo.remove("app")
      assert.strictEqual((yield* moved.response()).status, 404)
      yield* proxy.quiet
      assert.strictEqual(valueIn(yield* proxy.metrics, "ss_proxy_downstream_held"), 0)
    }),
  )

  it.scopedLive("is waited for by one session alone by its policy, which is changed while it runs", () =>
    Effect.gen(function* () {
      const { proxy, send, startServer, tried } = yield* startHoldLab({})
      const ask = Effect.flatMap(send(request("GET /app/x")), (client) => client.response())
      assert.strictEqual((yield* ask).status, 502)
      yield* proxy.repo.set("app", { policy: { hold: long } })
      yield* Effect.sleep(10)
      const held = yield* Effect.fork(ask)
      yield* tried(3)
      yield* startServer(answering(hello))
      assert.strictEqual((yield* Fiber.join(held)).status, 200)
    }),
  )

  it.scopedLive("is waited for no longer than a proxy that stops has grace", () =>
    Effect.gen(function* () {
      const { proxy, send, tried } = yield* startHoldLab({ hold: long, grace: 100 })
      const client = yield* send(request("GET /app/x"))
      yield* tried(2)
      yield* Effect.fork(proxy.server.drain)
      yield* client.gone
      yield* proxy.quiet
    }),
  )

  it.scopedLive("is waited for by so many requests, and one more is refused", () =>
    Effect.gen(function* () {
      const { proxy, send, tried } = yield* startHoldLab({ hold: long, maxHeldPerSession: 1, maxHeld: 2 })
      yield* proxy.repo.add({ id: "two", url: `http://127.0.0.1:${yield* unusedPort}`, status: "active" })
      yield* proxy.repo.add({ id: "three", url: `http://127.0.0.1:${yield* unusedPort}`, status: "active" })
      const first = yield* send(request("GET /app/x"))
      yield* tried(1)
      const tooMany = yield* send(request("GET /app/x"))
      assert.strictEqual((yield* tooMany.response()).status, 429)
      const second = yield* send(request("GET /two/x"))
      yield* eventually(
        Effect.map(proxy.metrics, (text) => valueIn(text, "ss_proxy_downstream_held") === 2),
        "two held",
      )
      const third = yield* send(request("GET /three/x"))
      const refused = yield* third.response()
      assert.strictEqual(refused.status, 503)
      assert.include(refused.text, '"code":"overloaded"')
      for (const { socket } of [first, second]) socket.destroy()
    }),
  )
})
