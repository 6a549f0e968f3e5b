import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { EventSource } from "eventsource"
import { DemoDownstream } from "../../src/demo/DemoDownstream.js"
import { Changes, type NotSeen } from "../support/Changes.js"
import { HttpOrigin, type OriginExchange } from "../support/HttpOrigin.js"
import { startProxy } from "../support/TestProxy.js"

/** A client that reconnects by itself, and the events that came. */
class Subscriber {
  readonly events: Array<readonly [id: string, data: string]> = []
  failures = 0
  private readonly changes = new Changes()

  private constructor(readonly source: EventSource) {
    source.addEventListener("message", ({ lastEventId, data }) => {
      this.events.push([lastEventId, String(data)])
      this.changes.announce()
    })
    source.addEventListener("error", () => {
      this.failures++
      this.changes.announce()
    })
  }

  /** Waits until so many events have come. */
  came(count: number): Effect.Effect<void, NotSeen> {
    return this.until(`${count} events`, () => this.events.length >= count)
  }

  /** Waits until it has given up for good. */
  get closed(): Effect.Effect<void, NotSeen> {
    return this.until("the end", () => this.source.readyState === EventSource.CLOSED)
  }

  private until(what: string, condition: () => boolean): Effect.Effect<void, NotSeen> {
    return this.changes.until(what, condition, () => JSON.stringify({ events: this.events, failures: this.failures }))
  }

  /** Subscribes; the subscription ends with the scope. */
  static to(url: string): Effect.Effect<Subscriber, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => new Subscriber(new EventSource(url))),
      ({ source }) => Effect.sync(() => source.close()),
    )
  }
}

/** Begins a stream of events, of which a broken one is tried again almost at once. */
const begin = ({ response }: OriginExchange): void => {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" })
  response.write("retry: 10\n\n")
}

const say = ({ response }: OriginExchange, id: number): void => void response.write(`id: ${id}\ndata: event ${id}\n\n`)

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => [`${index + 1}`, `event ${index + 1}`] as const)

describe("the eventsource client, through a session", () => {
  it.scopedLive("has each event before the server sends the next", () =>
    Effect.gen(function* () {
      const origin = yield* HttpOrigin.start()
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      const subscriber = yield* Subscriber.to(`${proxy.url}/app/events?topic=a%20b`)
      const exchange = yield* origin.exchange()
      assert.strictEqual(exchange.request.url, "/events?topic=a%20b")
      assert.strictEqual(exchange.request.headers.accept, "text/event-stream")
      begin(exchange)
      for (const id of [1, 2, 3]) {
        say(exchange, id)
        yield* subscriber.came(id)
      }
      assert.deepStrictEqual(subscriber.events, numbered(3))
      assert.strictEqual(subscriber.failures, 0)
      subscriber.source.close()
      yield* exchange.left
    }),
  )

  it.scopedLive("comes back with Last-Event-ID after an end, and after a break", () =>
    Effect.gen(function* () {
      const origin = yield* HttpOrigin.start()
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      const subscriber = yield* Subscriber.to(`${proxy.url}/app/events`)
      const ends = [
        (exchange: OriginExchange) => exchange.response.end(),
        (exchange: OriginExchange) => exchange.response.destroy(),
        () => {},
      ]
      for (const [index, end] of ends.entries()) {
        const exchange = yield* origin.exchange(index)
        assert.strictEqual(exchange.request.headers["last-event-id"], index === 0 ? undefined : String(index))
        begin(exchange)
        say(exchange, index + 1)
        yield* subscriber.came(index + 1)
        end(exchange)
      }
      assert.deepStrictEqual(subscriber.events, numbered(3))
    }),
  )

  it.scopedLive("comes back to the new server of a session that has moved, and goes on where it was", () =>
    Effect.gen(function* () {
      const before = yield* HttpOrigin.start()
      const after = yield* HttpOrigin.start()
      const proxy = yield* startProxy({ sessions: { app: before.url } })
      const subscriber = yield* Subscriber.to(`${proxy.url}/app/events`)
      const first = yield* before.exchange()
      begin(first)
      say(first, 1)
      yield* subscriber.came(1)
      yield* proxy.repo.set("app", { url: after.url })
      yield* first.left
      const second = yield* after.exchange()
      assert.strictEqual(second.request.headers["last-event-id"], "1")
      begin(second)
      say(second, 2)
      yield* subscriber.came(2)
      assert.deepStrictEqual(subscriber.events, numbered(2))
    }),
  )

  it.scopedLive("stays away once it is told that there is no more", () =>
    Effect.gen(function* () {
      const { url } = yield* DemoDownstream
      const proxy = yield* startProxy({ sessions: { demo: url } })
      const subscriber = yield* Subscriber.to(`${proxy.url}/demo/sse?count=3&drop=2&interval=0`)
      yield* subscriber.came(3)
      yield* subscriber.closed
      assert.deepStrictEqual(
        subscriber.events.map(([id]) => id),
        ["1", "2", "3"],
      )
    }).pipe(Effect.provide(DemoDownstream.layer)),
  )
})
