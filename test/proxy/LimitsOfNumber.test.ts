import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect } from "node:net"
import { Changes } from "../support/Changes.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { answer, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { RawClient } from "../support/RawClient.js"
import { RawOrigin, type Script, silent } from "../support/RawOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"

const assertRefused = (reply: HttpMessage, status: number, code: string): void => {
  assert.strictEqual(reply.status, status)
  assert.deepInclude(reply.json, { status, code })
  assert.strictEqual(reply.value("retry-after"), "1")
}

/** A connection to the proxy from another address of this machine. */
const connectFrom = (localAddress: string, { port, host }: TestProxy) =>
  Effect.acquireRelease(
    Effect.sync(() => new RawClient(connect({ port, host, localAddress, allowHalfOpen: true }), new Changes())),
    (client) => Effect.sync(() => client.socket.destroy()),
  )

/** Asks on new connections until one is taken in: the end of another is noticed soon, but not at once. */
const takenInSoon = (proxy: TestProxy): Effect.Effect<HttpMessage, unknown> =>
  Effect.scoped(Effect.flatMap(proxy.connect, (client) => client.ask(request("GET /app/x")))).pipe(
    Effect.filterOrFail(({ status }) => status === 200),
    Effect.retry({ times: 100 }),
  )

describe("more connections than there may be", () => {
  it.scopedLive("are answered 503 and closed, without a request; others go on, and their places are given on", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { maxConnections: 2 } })
      const first = yield* proxy.connect
      const second = yield* proxy.connect
      yield* first.ask(request("GET /app/x"))
      yield* second.ask(request("GET /app/x"))
      const third = yield* proxy.connect
      const reply = yield* third.response()
      assertRefused(reply, 503, "overloaded")
      assert.strictEqual(reply.value("connection"), "close")
      yield* third.send(request("GET /app/unheard"))
      assert.strictEqual(yield* third.gone, "finished")
      assert.strictEqual((yield* first.ask(request("GET /app/x"))).status, 200)
      yield* second.finish
      yield* takenInSoon(proxy)
      assert.notInclude(origin.text, "unheard")
    }),
  )

  it.scopedLive("hear no Upgrade either", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { maxConnections: 1 } })
      yield* Effect.flatMap(proxy.connect, (client) => client.ask(request("GET /app/x")))
      for (const protocol of ["websocket", "h2c"]) {
        const refused = yield* proxy.connect
        yield* refused.send(request("GET /app/unheard", ["Connection: Upgrade", `Upgrade: ${protocol}`]))
        assert.strictEqual((yield* refused.response()).status, 503)
        yield* refused.gone
        assert.strictEqual(refused.unread, "")
      }
      assert.notInclude(origin.text, "unheard")
    }),
  )

  it.scopedLive("of one client are answered 429; other clients are not touched", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { maxConnectionsPerClient: 1 } })
      const first = yield* proxy.connect
      yield* first.ask(request("GET /app/x"))
      assertRefused(yield* Effect.flatMap(proxy.connect, (client) => client.response()), 429, "client_limit")
      const other = yield* connectFrom("127.0.0.2", proxy)
      assert.strictEqual((yield* other.ask(request("GET /app/x"))).status, 200)
      yield* first.reset
      yield* takenInSoon(proxy)
    }),
  )

  it.scopedLive("may come from a trusted proxy, behind which there are many clients", () =>
    Effect.gen(function* () {
      const settings = { maxConnectionsPerClient: 1, trustedProxies: ["127.0.0.1"] }
      const { proxy } = yield* startLab({ settings })
      for (let count = 0; count < 3; count++) {
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(request("GET /app/x"))).status, 200)
      }
    }),
  )
})

/** Answers each request with its target. */
const echo: Script = (connection) =>
  Effect.forever(Effect.flatMap(connection.request, ({ target }) => connection.send(answer("200 OK", target))))

describe("the requests of a connection", () => {
  const settings = { maxRequestsPerConnection: 3 }

  it.scopedLive("end with one that is answered with Connection: close", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: echo, settings })
      const client = yield* proxy.connect
      const closing: Array<string | undefined> = []
      for (const id of [1, 2, 3]) closing.push((yield* client.ask(request(`GET /app/${id}`))).value("connection"))
      assert.deepStrictEqual(closing, ["keep-alive", "keep-alive", "close"])
      assert.strictEqual(yield* client.gone, "finished")
    }),
  )

  it.scopedLive("that were sent behind the last one are neither answered nor forwarded", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: echo, settings })
      const client = yield* proxy.connect
      yield* client.send([1, 2, 3, 4, 5].map((id) => request(`GET /app/${id}`)).join(""))
      for (const id of [1, 2, 3]) assert.strictEqual((yield* client.response()).text, `/${id}`)
      assert.strictEqual(yield* client.gone, "finished")
      assert.strictEqual(client.unread, "")
      assert.deepStrictEqual(origin.requests.map(({ target }) => target).toSorted(), ["/1", "/2", "/3"])
    }),
  )
})

describe("requests without end behind the last of a connection", () => {
  it.scopedLive("that nobody will answer reset it", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent, settings: { maxRequestsPerConnection: 1 } })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/last"))
      yield* origin.seen("/last ")
      yield* client.send(request("GET /app/unheard").repeat(10_000))
      assert.strictEqual(yield* client.gone, "reset")
      yield* origin.deserted
      assert.notInclude(origin.text, "unheard")
    }),
  )
})

describe("more requests of a session than it may have at a time", () => {
  const settings = { maxRequestsPerSession: 2 }

  it.scopedLive("are answered 429, and the connection stays; other sessions are not touched", () =>
    Effect.gen(function* () {
      const busy = yield* RawOrigin.start(silent)
      const free = yield* RawOrigin.start(echo)
      const proxy = yield* startProxy({ sessions: { busy: busy.url, free: free.url }, settings })
      for (const id of [1, 2]) {
        const client = yield* proxy.connect
        yield* client.send(request(`GET /busy/${id}`))
        yield* busy.seen(`/${id} `)
      }
      const third = yield* proxy.connect
      assertRefused(yield* third.ask(request("GET /busy/3")), 429, "session_limit")
      assert.strictEqual((yield* third.ask(request("GET /free/x"))).text, "/x")
      assert.strictEqual(busy.requests.length, 2)
    }),
  )

  it.scopedLive("are taken again when one is answered, and when the client of one leaves", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.forever(
          Effect.flatMap(connection.request, ({ target }) =>
            Effect.when(connection.send(answer("200 OK", target)), () => target !== "/held"),
          ),
        )
      const { origin, proxy } = yield* startLab({ script, settings: { maxRequestsPerSession: 1 } })
      for (let count = 0; count < 3; count++) {
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(request("GET /app/answered"))).text, "/answered")
      }
      const leaving = yield* proxy.connect
      yield* leaving.send(request("GET /app/held"))
      yield* origin.seen("/held")
      yield* leaving.reset
      yield* proxy.quiet
      assert.strictEqual((yield* takenInSoon(proxy)).text, "/x")
    }),
  )
})
