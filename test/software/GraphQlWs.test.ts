import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type Client, type ClientOptions, createClient } from "graphql-ws"
import { WebSocket } from "ws"
import { Changes } from "../support/Changes.js"
import { GraphQlOrigin, type GraphQlOriginOptions } from "../support/GraphQlOrigin.js"
import { startProxy } from "../support/TestProxy.js"
import { openWs } from "../support/WsPeer.js"

const protocol = "graphql-transport-ws"

/** A client of graphql-ws, and what it noticed. */
class GraphQlClient {
  readonly protocols: Array<string> = []
  readonly closes: Array<string> = []
  pings = 0
  pongs = 0
  readonly client: Client
  private readonly changes = new Changes()

  private constructor(url: string, options: Partial<ClientOptions>) {
    const note = (act: () => void) => {
      act()
      this.changes.announce()
    }
    this.client = createClient({
      url: url.replace(/^http/, "ws"),
      webSocketImpl: WebSocket,
      retryAttempts: 1_000,
      // It would take a refused handshake for final, with a proxy and without.
      shouldRetry: () => true,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 10)),
      ...options,
    })
    this.client.on("opened", (socket) => {
      if (!(socket instanceof WebSocket)) return
      this.protocols.push(socket.protocol)
      socket.on("ping", () => note(() => this.pings++))
    })
    this.client.on("pong", (received) => note(() => (this.pongs += received ? 1 : 0)))
    this.client.on("closed", (event) => note(() => this.closes.push(textOf(event))))
  }

  /** The data of everything that comes until the server completes it. */
  all(query: string): Effect.Effect<ReadonlyArray<unknown>> {
    return Effect.promise(async () => {
      const seen: Array<unknown> = []
      for await (const { data } of this.client.iterate({ query })) seen.push({ ...data })
      return seen
    })
  }

  /** A subscription to ticks, of which one waits for a certain one at a time. */
  get ticks(): Ticks {
    return new Ticks(this.client.iterate({ query: "subscription { ticks }" }))
  }

  /** Waits until what `condition` looks at, of this client, is so. */
  until(what: string, condition: () => boolean) {
    return this.changes.until(what, condition, () => `closed with ${this.closes.join()}, ${this.pongs} pongs`)
  }

  static make(url: string, options: Partial<ClientOptions> = {}): Effect.Effect<GraphQlClient, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => new GraphQlClient(url, options)),
      ({ client }) => Effect.promise(async () => client.dispose()),
    )
  }
}

class Ticks {
  constructor(private readonly results: AsyncIterableIterator<{ data?: unknown }>) {}

  /** Waits for a tick of the server with this name. */
  from(name: string): Effect.Effect<void> {
    return Effect.promise(async () => {
      for (;;) {
        const { done, value } = await this.results.next()
        if (done === true) throw new Error(`no tick of ${name} came`)
        if (JSON.stringify(value.data).includes(`"${name} `)) return
      }
    })
  }

  /** Waits until the subscription fails, and tells why. */
  get failure(): Effect.Effect<string> {
    return Effect.promise(async () => {
      try {
        for (;;) if ((await this.results.next()).done === true) return "completed"
      } catch (cause) {
        return textOf(cause)
      }
    })
  }

  get unsubscribe(): Effect.Effect<void> {
    return Effect.promise(async () => {
      await this.results.return?.()
    })
  }
}

const textOf = (event: unknown): string =>
  typeof event === "object" && event !== null && "code" in event && "reason" in event
    ? `${event.code} ${event.reason}`.trim()
    : String(event)

const lab = (options: GraphQlOriginOptions = {}) =>
  Effect.gen(function* () {
    const origin = yield* GraphQlOrigin.start(options)
    const proxy = yield* startProxy({ sessions: { api: origin.url } })
    return { origin, proxy, url: `${proxy.url}/api/graphql` }
  })

/** What a client says by hand, and the code and reason that it gets for it. */
const mistakes: ReadonlyArray<readonly [what: string, says: ReadonlyArray<unknown>, close: string]> = [
  ["a message that is none", [{ type: "connection_init" }, { type: "nonsense" }], "4400"],
  ["a subscription before connection_init", [{ type: "subscribe", id: "1", payload: { query: "{ name }" } }], "4401"],
  ["a token that the server does not take", [{ type: "connection_init", payload: { token: "forged" } }], "4403"],
  [
    "an id that is taken",
    [
      { type: "connection_init" },
      ...["1", "1"].map((id) => ({ type: "subscribe", id, payload: { query: "subscription { ticks }" } })),
    ],
    "4409 Subscriber for 1 already exists",
  ],
  [
    "a second connection_init",
    [{ type: "connection_init" }, { type: "connection_init" }],
    "4429 Too many initialisation requests",
  ],
]

describe("graphql-ws", () => {
  it.scopedLive("agrees on its subprotocol, says hello with a payload, and answers a query", () =>
    Effect.gen(function* () {
      const { origin, url } = yield* lab()
      const client = yield* GraphQlClient.make(url, { connectionParams: { token: "secret" } })
      assert.deepStrictEqual(yield* client.all("{ name token }"), [{ name: "one", token: "secret" }])
      assert.deepStrictEqual(client.protocols, [protocol])
      assert.deepStrictEqual(
        origin.sockets.map((socket) => socket.protocol),
        [protocol],
      )
    }),
  )

  it.scopedLive("gets the events of subscriptions side by side, until the server completes each", () =>
    Effect.gen(function* () {
      const { url } = yield* lab()
      const client = yield* GraphQlClient.make(url, { lazy: false })
      const countdown = (from: number) => client.all(`subscription { countdown(from: ${from}) }`)
      const seen = yield* Effect.all([countdown(3), countdown(500)], { concurrency: "unbounded" })
      const expected = (from: number) => Array.from({ length: from + 1 }, (_, index) => ({ countdown: from - index }))
      assert.deepStrictEqual(seen, [expected(3), expected(500)])
      assert.deepStrictEqual(client.protocols, [protocol])
    }),
  )

  it.scopedLive("unsubscribes, which the server notices, and goes on with the rest", () =>
    Effect.gen(function* () {
      const { origin, url } = yield* lab()
      const client = yield* GraphQlClient.make(url, { lazy: false })
      const { ticks } = client
      yield* ticks.from("one")
      assert.strictEqual(origin.ticking, 1)
      yield* ticks.unsubscribe
      yield* origin.silent
      assert.deepStrictEqual(yield* client.all("{ name }"), [{ name: "one" }])
      assert.deepStrictEqual(client.closes, [])
    }),
  )

  it.scopedLive.each(mistakes)("is told off by the server's own close code: for %s", ([, says, close]) =>
    Effect.gen(function* () {
      const { origin, url } = yield* lab()
      const peer = yield* openWs(url, { protocols: [protocol] })
      for (const [index, message] of says.entries()) {
        // Nothing is taken before the server has agreed to the first.
        if (index === 1) yield* peer.message
        peer.socket.send(JSON.stringify(message))
      }
      const { code, reason } = yield* peer.closed
      assert.isTrue(`${code} ${reason}`.startsWith(close), `${code} ${reason}`)
      yield* origin.silent
    }),
  )

  it.scopedLive("is told off for another subprotocol, and for saying nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* lab({ initTimeout: 50 })
      const stranger = yield* openWs(url)
      assert.strictEqual((yield* stranger.closed).code, 4406)
      const mute = yield* openWs(url, { protocols: [protocol] })
      assert.deepStrictEqual(yield* mute.closed, { code: 4408, reason: "Connection initialisation timeout" })
    }),
  )

  it.scopedLive("is kept alive by pings of the server and of the client", () =>
    Effect.gen(function* () {
      const { origin, url } = yield* lab({ keepAlive: 250 })
      const client = yield* GraphQlClient.make(url, { lazy: false, keepAlive: 20 })
      yield* client.until("pings and pongs", () => client.pings >= 2 && client.pongs >= 3)
      assert.deepStrictEqual([client.closes, origin.sockets.length], [[], 1])
    }),
  )
})

describe("graphql-ws comes back by itself", () => {
  it.scopedLive("when its server was stopped and started again", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const origin = yield* Scope.extend(GraphQlOrigin.start(), first)
      const proxy = yield* startProxy({ sessions: { api: origin.url } })
      const client = yield* GraphQlClient.make(`${proxy.url}/api/graphql`)
      const { ticks } = client
      yield* ticks.from("one")
      yield* Scope.close(first, Exit.void)
      // While nobody listens, the proxy answers handshakes with 502.
      yield* client.until("refused handshakes", () => client.closes.length >= 3)
      yield* GraphQlOrigin.start({ name: "two", port: origin.http.port })
      yield* ticks.from("two")
      assert.strictEqual(client.closes[0], "1001 Going away")
      assert.match(client.closes[1] ?? "", /^1006/)
    }),
  )

  it.scopedLive("when its session has moved to another server", () =>
    Effect.gen(function* () {
      const { origin, proxy, url } = yield* lab()
      const other = yield* GraphQlOrigin.start({ name: "two" })
      const client = yield* GraphQlClient.make(url)
      const { ticks } = client
      yield* ticks.from("one")
      yield* proxy.repo.set("api", { url: other.url })
      yield* ticks.from("two")
      assert.deepStrictEqual(client.closes, ["1012 the session moved to another server"])
      yield* origin.silent
    }),
  )

  it.scopedLive("when its session was removed and comes back", () =>
    Effect.gen(function* () {
      const { origin, proxy, url } = yield* lab()
      const client = yield* GraphQlClient.make(url)
      const { ticks } = client
      yield* ticks.from("one")
      yield* proxy.repo.remove("api")
      yield* client.until("refused handshakes", () => client.closes.length >= 3)
      assert.strictEqual(client.closes[0], "1001 the session was removed")
      yield* origin.silent
      const other = yield* GraphQlOrigin.start({ name: "two" })
      yield* proxy.repo.add({ id: "api", url: other.url, status: "active" })
      yield* ticks.from("two")
    }),
  )

  it.scopedLive("but not when its server was lost without a word, for it takes 1011 for final", () =>
    Effect.gen(function* () {
      const { origin, url } = yield* lab()
      const client = yield* GraphQlClient.make(url)
      const { ticks } = client
      yield* ticks.from("one")
      for (const socket of origin.sockets) socket.terminate()
      assert.strictEqual(yield* ticks.failure, "1011 the server was lost")
      assert.deepStrictEqual(yield* client.all("{ name }"), [{ name: "one" }])
    }),
  )
})
