import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { connect } from "node:net"
import type { NotSeen } from "../support/Changes.js"
import { within } from "../support/FairClock.js"
import { answer, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import type { RawConnection } from "../support/RawConnection.js"
import { type Script, silent } from "../support/RawOrigin.js"
import type { TestProxy } from "../support/TestProxy.js"

const piece = Buffer.alloc(262_144)

/** A look at those who are not read is due each second. */
const twoLooks = 3_000

/** Takes a request's head, says that an answer has begun, and nothing more. */
const oneEvent: Script = (connection) =>
  Effect.zipRight(connection.head, connection.send(response("200 OK", ["Transfer-Encoding: chunked"], chunk("event"))))

/** The same, and reads no more. */
const takesNothing: Script = (connection) => Effect.zipRight(oneEvent(connection), connection.stopReading)

/** Sends until the other side takes no more. */
const fill = (writer: RawConnection): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (Option.isSome(yield* Effect.timeoutOption(writer.send(piece), 250)));
  })

/** Sends `text` and is gone, as a program that ends: FIN comes with the last byte, and what is answered meets RST. */
const sayAndGo = (proxy: TestProxy, text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    const socket = connect({ port: proxy.port, host: proxy.host }, () => {
      socket.write(text)
      socket.destroy()
      resume(Effect.void)
    })
  })

/** Waits until nothing is under way, and tells how long that took, in milliseconds. */
const untilQuiet = (proxy: TestProxy): Effect.Effect<number, NotSeen> =>
  Effect.gen(function* () {
    const began = performance.now()
    yield* proxy.quiet
    return performance.now() - began
  })

describe("a client that is gone while nobody reads from it", () => {
  for (const [what, text] of [
    ["a request", request("GET /app/events")],
    ["a request of HTTP/1.0", "GET /app/events HTTP/1.0\r\nHost: h\r\n\r\n"],
    ["an upload", request("POST /app/events", ["Content-Length: 5"], "hello")],
  ] as const) {
    it.scopedLive(`is noticed behind a half-close, although its server says no more: ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: oneEvent })
        const many = 20
        for (let count = 0; count < many; count++) yield* sayAndGo(proxy, text)
        while (origin.connections.length < many) yield* Effect.sleep(5)
        assert.isBelow(yield* untilQuiet(proxy), twoLooks)
        yield* origin.deserted
      }),
    )
  }

  it.scopedLive("gives its place back to those that limits count", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: oneEvent, settings: { maxRequestsPerSession: 2 } })
      for (let count = 0; count < 2; count++) yield* sayAndGo(proxy, request("GET /app/events"))
      yield* origin.connection(1)
      yield* proxy.quiet
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/events"))
      assert.strictEqual((yield* client.head).status, 200)
      client.socket.destroy()
    }),
  )

  it.scopedLive("is noticed by its reset while its upload waits for the server", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: takesNothing })
      const client = yield* proxy.connect
      yield* client.send(request("PUT /app/x", ["Transfer-Encoding: chunked"], "ffffffff\r\n"))
      yield* client.seen("event")
      yield* fill(client)
      yield* client.reset
      assert.isBelow(yield* untilQuiet(proxy), twoLooks)
      yield* (yield* origin.connection()).readOn
      yield* origin.deserted
    }),
  )

  it.scopedLive("is noticed by its reset while more requests wait than are read ahead", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: oneEvent })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      yield* client.seen("event")
      yield* fill(client)
      yield* client.reset
      assert.isBelow(yield* untilQuiet(proxy), twoLooks)
      yield* origin.deserted
    }),
  )
})

describe("a client that half-closes and is still there", () => {
  it.scopedLive("gets its answer after any number of looks", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.zipRight(oneEvent(connection), Effect.delay(connection.send(chunk("late") + lastChunk()), 2_500))
      const { proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      yield* client.finish
      assert.strictEqual((yield* client.response()).text, "eventlate")
      assert.strictEqual(yield* client.gone, "finished")
    }),
  )

  it.scopedLive("gets its answer however busy the proxy was with others when its end came", () =>
    Effect.gen(function* () {
      const busy: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.request
          const until = performance.now() + 150
          while (performance.now() < until);
          yield* connection.send(answer("200 OK", "done"))
        }).pipe(Effect.forever)
      const { proxy } = yield* startLab({ script: busy })
      for (let count = 0; count < 5; count++) {
        const [one, other] = [yield* proxy.connect, yield* proxy.connect]
        for (const client of [one, other]) {
          client.socket.write(request("GET /app/x"))
          client.socket.end()
        }
        for (const client of [one, other]) assert.strictEqual((yield* client.response()).text, "done")
      }
    }),
  )

  it.scopedLive("gets its answer where its end lies behind what was not read for a while", () =>
    Effect.gen(function* () {
      const size = 2_097_152
      const script: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.head
          yield* connection.stopReading
          yield* Effect.sleep(300)
          yield* connection.readOn
          yield* Effect.orDie(connection.seenBytes(size))
          yield* connection.send(answer("200 OK", "all of it"))
        })
      const { proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      client.socket.write(request("PUT /app/x", [`Content-Length: ${size}`]) + "x".repeat(size))
      yield* client.finish
      assert.strictEqual((yield* client.response()).text, "all of it")
    }),
  )
})

/** A client that leaves is told from one that half-closes by the time of its end: behind the look that read its request. */
const leaving = (what: string, text: string): void => {
  it.scopedLive(`has left, and its request is cancelled: ${what}`, () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      yield* client.send(text)
      yield* origin.seen("\r\n\r\n")
      // Turns of the event loop that this process shares with the proxy.
      for (let turn = 0; turn < 5; turn++) yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
      yield* client.finish
      yield* within(500)(origin.deserted)
    }),
  )
}

describe("a client that ends its side while it waits", () => {
  leaving("a request", request("GET /app/x"))
  leaving("an upload", request("POST /app/x", ["Content-Length: 5"], "hello"))
})
