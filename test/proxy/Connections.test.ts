import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { splitRequests } from "../support/HttpMessage.js"
import { answer, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { hello, startLab } from "../support/Lab.js"
import { answering, inTurn, RawOrigin, saying, type Script, silent } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"

const get = request("GET /app/x")
const streaming = saying(response("200 OK", ["Transfer-Encoding: chunked"], chunk("first")))

/** The time that a committed change may take to be in force. */
const inForce = Effect.sleep(10)

/** Answers one request, and closes without a word when the next one comes. */
const closingOnSecond: Script = (connection) =>
  Effect.gen(function* () {
    yield* connection.request
    yield* connection.send(answer("200 OK", "first"))
    yield* connection.head
    yield* connection.reset
  })

describe("connections to a session's server", () => {
  it.scopedLive("are used again, by one client and by another", () =>
    Effect.gen(function* () {
      const { origin, proxy, ask } = yield* startLab()
      const client = yield* proxy.connect
      for (let count = 0; count < 5; count++) assert.strictEqual((yield* client.ask(get)).text, "hello")
      assert.strictEqual((yield* ask(get)).text, "hello")
      assert.strictEqual(origin.connections.length, 1)
      assert.strictEqual(origin.requests.length, 6)
    }),
  )

  it.scopedLive("are not shared by two sessions at the same address", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(hello))
      const proxy = yield* startProxy({ sessions: { a: origin.url, b: origin.url } })
      const client = yield* proxy.connect
      for (const id of ["a", "b", "a", "b"]) yield* client.ask(request(`GET /${id}/${id}`))
      const targets = origin.connections.map(({ text }) => text.match(/^GET \S+/gm))
      assert.deepStrictEqual(targets, [
        ["GET /a", "GET /a"],
        ["GET /b", "GET /b"],
      ])
    }),
  )

  it.scopedLive("that the server closed while idle are not used again", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      yield* client.ask(get)
      const first = yield* origin.connection(0)
      yield* first.finish
      yield* first.gone
      assert.strictEqual((yield* client.ask(request("POST /app/x", ["Content-Length: 1"], "x"))).status, 200)
      assert.strictEqual(origin.connections.length, 2)
    }),
  )

  it.scopedLive("that turn out stale cost a GET one retry, which the client does not see", () =>
    Effect.gen(function* () {
      const script = inTurn(closingOnSecond, answering(answer("200 OK", "second")))
      const { origin, proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(get)).text, "first")
      assert.strictEqual((yield* client.ask(get)).text, "second")
      assert.deepStrictEqual(
        origin.connections.map(({ text }) => text.match(/^GET \/x/gm)?.length),
        [2, 1],
      )
    }),
  )

  it.scopedLive("that turn out stale fail a request whose body is under way: it is not sent twice", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: inTurn(closingOnSecond, answering(hello)) })
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(get)).text, "first")
      yield* client.send(request("POST /app/x", ["Content-Length: 200000"], "some of it"))
      const got = yield* client.response()
      assert.strictEqual(got.status, 502)
      assert.include(got.text, "downstream_reset")
      assert.notInclude(origin.connections[1]?.text ?? "", "POST")
    }),
  )

  for (const [line, fields, body] of [
    ["PUT", ["Content-Length: 4"], "held"],
    ["POST", ["Content-Length: 4"], "held"],
    ["DELETE", ["Transfer-Encoding: chunked"], chunk("held") + lastChunk()],
  ] as const) {
    it.scopedLive(`that turn out stale cost a ${line} one retry, with its whole body, where that is still held`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script: inTurn(closingOnSecond, answering(hello)) })
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(get)).text, "first")
        assert.strictEqual((yield* client.ask(request(`${line} /app/x`, fields, body))).text, "hello")
        const [again] = splitRequests((yield* origin.connection(1)).received).strict
        assert.deepStrictEqual([again?.startLine, again?.text], [`${line} /x HTTP/1.1`, "held"])
      }),
    )
  }

  it.scopedLive("on which a request was given up half-way are not used again", () =>
    Effect.gen(function* () {
      const early: Script = (connection) =>
        Effect.zipRight(connection.head, connection.send(answer("403 Forbidden", "early")))
      const { origin, proxy } = yield* startLab({ script: inTurn(early, answering(hello)) })
      const client = yield* proxy.connect
      yield* client.send(request("POST /app/x", ["Content-Length: 100000"], "begin"))
      assert.strictEqual((yield* client.response()).status, 403)
      client.socket.destroy()
      const next = yield* proxy.connect
      assert.strictEqual((yield* next.ask(get)).text, "hello")
      assert.strictEqual(origin.connections.length, 2)
      yield* (yield* origin.connection(0)).gone
    }),
  )

  it.scopedLive("are tried only once more, and never after a byte of the answer", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab({ script: saying("", "reset") })
      assert.strictEqual((yield* ask(get)).status, 502)
      assert.isAtMost(origin.requests.length, 2)
      const half: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.request
          yield* connection.send(answer("200 OK", "first"))
          yield* connection.request
          yield* connection.send("HTTP/1.1 2")
          yield* connection.finish
        })
      const second = yield* startLab({ script: half })
      const client = yield* second.proxy.connect
      yield* client.ask(get)
      assert.strictEqual((yield* client.ask(get)).status, 502)
      assert.strictEqual(second.origin.connections.length, 1)
    }),
  )

  it.scopedLive("are closed when idle for longer than the server's Keep-Alive allows, or the setting", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab({ settings: { poolIdleTimeout: 100 } })
      yield* ask(get)
      yield* origin.deserted
      const asked = answering(answer("200 OK", "hello", ["Keep-Alive: timeout=1"]))
      const other = yield* startLab({ script: asked })
      yield* other.ask(get)
      yield* other.origin.deserted
    }),
  )

  it.scopedLive("serve many clients at once, each with its own answer", () =>
    Effect.gen(function* () {
      const echo: Script = (connection) =>
        Effect.forever(Effect.flatMap(connection.request, (seen) => connection.send(answer("200 OK", seen.target))))
      const { proxy } = yield* startLab({ script: echo })
      const one = (id: number) =>
        Effect.gen(function* () {
          const client = yield* proxy.connect
          for (let count = 0; count < 10; count++) {
            const got = yield* client.ask(request(`GET /app/${id}/${count}`))
            assert.strictEqual(got.text, `/${id}/${count}`)
          }
        })
      yield* Effect.forEach(
        Array.from({ length: 40 }, (_, id) => id),
        one,
        { concurrency: "unbounded" },
      )
    }),
  )
})

/** A proxy with two sessions; each has a stream under way and an idle connection in its pool. */
const twoSessions = Effect.gen(function* () {
  const script = () => inTurn(streaming, answering(hello))
  const first = yield* RawOrigin.start(script())
  const other = yield* RawOrigin.start(script())
  const proxy = yield* startProxy({ sessions: { first: first.url, other: other.url } })
  const open = (id: string) =>
    Effect.gen(function* () {
      const streams = yield* proxy.connect
      const asks = yield* proxy.connect
      yield* streams.send(request(`GET /${id}/stream`))
      yield* streams.seen("first")
      assert.strictEqual((yield* asks.ask(request(`GET /${id}/idle`))).text, "hello")
      return { streams, asks }
    })
  return { proxy, first, other, onFirst: yield* open("first"), onOther: yield* open("other") }
})

/** Checks that the other session goes on as if nothing had happened. */
const assertUntouched = ({ other, onOther }: Effect.Effect.Success<typeof twoSessions>) =>
  Effect.gen(function* () {
    yield* (yield* other.connection(0)).send(chunk("second"))
    yield* onOther.streams.seen("second")
    assert.strictEqual((yield* onOther.asks.ask(request("GET /other/again"))).text, "hello")
    assert.strictEqual(other.open.length, 2)
  })

describe("a session", () => {
  it.scopedLive("that is removed: its stream is cut, its idle connection closed, new requests are 404", () =>
    Effect.gen(function* () {
      const lab = yield* twoSessions
      yield* lab.proxy.repo.remove("first")
      assert.strictEqual(yield* lab.onFirst.streams.gone, "reset")
      yield* lab.first.deserted
      assert.strictEqual((yield* lab.onFirst.asks.ask(request("GET /first/x"))).status, 404)
      yield* assertUntouched(lab)
    }),
  )

  it.scopedLive("that is sent elsewhere: nothing stays on the old server, new requests reach the new one", () =>
    Effect.gen(function* () {
      const lab = yield* twoSessions
      const next = yield* RawOrigin.start(answering(answer("200 OK", "next")))
      yield* lab.proxy.repo.set("first", { url: next.url })
      yield* inForce
      assert.strictEqual((yield* lab.onFirst.asks.ask(request("GET /first/x"))).text, "next")
      assert.strictEqual(yield* lab.onFirst.streams.gone, "reset")
      yield* lab.first.deserted
      yield* assertUntouched(lab)
      // This server was started after the proxy and is gone before it: its idle connection has to be let go here.
      yield* lab.proxy.repo.remove("first")
      yield* next.deserted
    }),
  )

  it.scopedLive("that is removed and stored again at the same address does not inherit connections", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      yield* client.ask(get)
      yield* proxy.repo.remove("app")
      yield* proxy.repo.add({ id: "app", url: origin.url, status: "active" })
      yield* inForce
      assert.strictEqual((yield* client.ask(get)).text, "hello")
      assert.strictEqual(origin.connections.length, 2)
      yield* (yield* origin.connection(0)).gone
    }),
  )

  it.scopedLive("that is stopped takes no new request, and what is under way goes on", () =>
    Effect.gen(function* () {
      const lab = yield* twoSessions
      yield* lab.proxy.repo.set("first", { status: "stopped" })
      yield* inForce
      assert.strictEqual((yield* lab.onFirst.asks.ask(request("GET /first/x"))).status, 503)
      yield* (yield* lab.first.connection(0)).send(chunk("second"))
      yield* lab.onFirst.streams.seen("second")
      yield* lab.proxy.repo.set("first", { status: "ready" })
      yield* inForce
      assert.strictEqual((yield* lab.onFirst.asks.ask(request("GET /first/x"))).text, "hello")
      yield* assertUntouched(lab)
    }),
  )

  it.scopedLive("whose removal meets a request that waits for its head: the client is not left waiting", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      yield* client.send(get)
      yield* origin.request()
      yield* proxy.repo.remove("app")
      const got = yield* client.response()
      assert.include([404, 502, 503], got.status)
      yield* origin.deserted
    }),
  )
})
