import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { createServer } from "node:net"
import { DownstreamProtocol, RequestBroken } from "../../src/domain/ProxyError.js"
import { layerConnections } from "../../src/downstream/ConnectionDownstream.js"
import type { Answer, RequestBody, ResponseHead } from "../../src/downstream/Downstream.js"
import { fairNow } from "../support/FairClock.js"
import { textOf as exposed, valueIn } from "../support/Numbers.js"
import { layerUndici } from "../undici/UndiciDownstream.js"
import type { LiveSession } from "../../src/sessions/LiveSession.js"
import { Call } from "../../src/step/Call.js"
import { bytes as bytesOf, empty } from "../../src/wire/Body.js"
import { answer, chunk, lastChunk, response } from "../support/HttpText.js"
import { answering, inTurn, RawOrigin, saying, type Script, silent } from "../support/RawOrigin.js"
import {
  asEffect,
  asListener,
  type DownstreamLayer,
  callAt,
  sessionAt,
  startDownstream,
  startDownstreamLab,
  TestUpload,
  textOf,
  trailersOf,
  type Way,
} from "./DownstreamLab.js"

const layers: ReadonlyArray<readonly [name: string, layer: DownstreamLayer]> = [
  ["own connections", layerConnections],
  ["undici", layerUndici],
]
const ways: ReadonlyArray<readonly [name: string, way: Way]> = [
  ["as an Effect", asEffect],
  ["by callback", asListener],
]

const hello = answer("200 OK", "hello")
const chunked = "Transfer-Encoding: chunked"

const bytes = (text: string, asChunks = false, trailers: ReadonlyArray<string> = []): RequestBody =>
  bytesOf(Buffer.from(text, "latin1"), asChunks, trailers)

/** Closes the connection behind the first request, and answers on every other. */
const staleBehind = (first: string): Script =>
  inTurn(
    (connection) =>
      Effect.zipRight(saying(first)(connection), connection.request).pipe(Effect.zipRight(connection.reset)),
    answering(hello),
  )

/** A server of one connection, on which it answers one request and not the next; its port. */
const listeningOnce: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function* () {
  const server = yield* Effect.acquireRelease(Effect.sync(createServer), (made) => Effect.sync(() => made.close()))
  server.once("connection", (socket) => {
    server.close()
    socket.once("data", () => socket.write(hello))
    socket.once("data", () => socket.once("data", () => socket.resetAndDestroy()))
  })
  yield* Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
})

/** Says these bytes, which have no body; and `hello` to a request for `/again`, on this connection or another. */
const answeringBodiless =
  (head: string): Script =>
  (connection) =>
    Effect.gen(function* () {
      for (;;) {
        const { target } = yield* connection.request
        yield* connection.send(target === "/again" ? hello : head)
      }
    })

for (const [layerName, layer] of layers) {
  for (const [wayName, via] of ways) {
    describe(`Downstream: ${layerName}, ${wayName}`, () => {
      const lab = (script: Script, settings: Parameters<typeof startDownstreamLab>[2] = {}) =>
        startDownstreamLab(layer, script, settings)

      it.scopedLive("gives status, reason and fields as they came, with order, case and duplicates", () =>
        Effect.gen(function* () {
          const lines = [
            "Set-Cookie: a=1",
            "x-LOWER:  v ",
            "SET-COOKIE: b=2",
            "Content-Length: 2",
            "X-\u00fc".slice(0, 2) + "B: \u00fc",
          ]
          const { call } = yield* lab(saying(response("299 Quite Fine", lines, "ok")))
          const { status, reason, fields, body } = yield* via(call())
          assert.deepStrictEqual(
            [status, reason, fields],
            [
              299,
              "Quite Fine",
              ["Set-Cookie", "a=1", "x-LOWER", "v", "SET-COOKIE", "b=2", "Content-Length", "2", "X-B", "\u00fc"],
            ],
          )
          assert.strictEqual(body._tag, "Bytes")
        }),
      )

      it.scopedLive("sends method, target and fields as they are given", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello))
          const fields = ["X-One", "1", "Cookie", "a=1", "x-one", "\u00e4", "TE", "trailers"]
          yield* via(call({ method: "PROPFIND", target: "/%2F//..;a?b&%zz\u00fc?", fields }))
          const { names, target, startLine } = yield* origin.request()
          assert.strictEqual(target, "/%2F//..;a?b&%zz\u00fc?")
          assert.isTrue(startLine.startsWith("PROPFIND "))
          assert.deepStrictEqual(
            names.filter((name) => /^(?:x-one|cookie|te)$/i.test(name)),
            ["X-One", "Cookie", "x-one", "TE"],
          )
          assert.strictEqual((yield* origin.request()).value("host"), origin.authority)
        }),
      )

      for (const [what, said, body] of [
        ["with a length", hello, "hello"],
        ["in chunks", response("200 OK", [chunked], chunk("hel") + chunk("lo") + lastChunk()), "hello"],
        ["that is empty", answer("200 OK", ""), ""],
      ] as const) {
        it.scopedLive(`gives a body ${what} whole, where it arrives with its head`, () =>
          Effect.gen(function* () {
            const { call } = yield* lab(answering(said))
            const got = yield* via(call())
            assert.strictEqual(got.body._tag, body === "" ? "Empty" : "Bytes")
            assert.strictEqual(yield* textOf(got), body)
          }),
        )
      }

      it.scopedLive("gives a body in motion, chunk by chunk as it comes", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(saying(response("200 OK", [chunked])))
          const got = yield* via(call())
          if (got.body._tag !== "Moving") return assert.fail("the body is whole")
          const { source } = got.body
          const connection = yield* origin.connection()
          for (const piece of ["one", "two"]) {
            yield* connection.send(chunk(piece))
            assert.strictEqual(Buffer.from(yield* source.pull).toString(), piece)
          }
          yield* connection.send(lastChunk(["X-T: 1"]))
          assert.strictEqual((yield* Effect.flip(source.pull))._tag, "None")
          assert.deepStrictEqual(source.trailers, ["X-T", "1"])
        }),
      )

      it.scopedLive("gives trailers with their case, duplicates too", () =>
        Effect.gen(function* () {
          const { call } = yield* lab(
            answering(response("200 OK", [chunked], chunk("a") + lastChunk(["X-T: 1", "x-t: 2"]))),
          )
          const got = yield* via(call())
          yield* textOf(got)
          assert.deepStrictEqual(trailersOf(got), ["X-T", "1", "x-t", "2"])
        }),
      )

      it.scopedLive("ends a body with the connection where nothing else frames it", () =>
        Effect.gen(function* () {
          const { call } = yield* lab(saying(response("200 OK", [], "until the end"), "finish"))
          assert.strictEqual(yield* textOf(yield* via(call())), "until the end")
        }),
      )

      it.scopedLive("gives a body whole to a reader that was slow, though the server left meanwhile", () =>
        Effect.gen(function* () {
          const size = 1 << 20
          const { call } = yield* lab(saying(response("200 OK", [], "x".repeat(size)), "finish"))
          const got = yield* via(call())
          if (got.body._tag !== "Moving") return assert.fail("the body is whole")
          const { source } = got.body
          let taken = 0
          while (taken < size) {
            taken += (yield* source.pull).byteLength
            yield* Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
          }
          assert.strictEqual((yield* Effect.flip(source.pull))._tag, "None")
          assert.strictEqual(taken, size)
        }),
      )

      it.scopedLive("takes no more from the server than the reader does", () =>
        Effect.gen(function* () {
          const size = 64 << 20
          let written = 0
          const piece = Buffer.alloc(1 << 20)
          const { call, origin } = yield* lab((connection) =>
            Effect.gen(function* () {
              yield* connection.request
              yield* connection.send(response("200 OK", [`Content-Length: ${size}`]))
              for (; written < size; written += piece.byteLength) yield* connection.send(piece)
            }),
          )
          const got = yield* via(call())
          if (got.body._tag !== "Moving") return assert.fail("the body is whole")
          yield* got.body.source.pull
          // Whatever the kernel buffers, the writer comes to a halt: two looks in a row see the same.
          let seen = -1
          while (seen !== written) {
            seen = written
            yield* Effect.sleep(60)
          }
          assert.isBelow(written, size / 2)
          got.body.source.cancel()
          yield* origin.deserted
        }),
      )

      for (const [method, status] of [
        ["HEAD", "200 OK"],
        ["GET", "204 No Content"],
        ["GET", "304 Not Modified"],
      ] as const) {
        it.scopedLive(`reads no body of ${method} with ${status}, and keeps its Content-Length`, () =>
          Effect.gen(function* () {
            const length = status.startsWith("204") ? [] : ["Content-Length: 5"]
            const { call } = yield* lab(answeringBodiless(response(status, length)))
            const got = yield* via(call({ method }))
            assert.deepStrictEqual(
              got.fields,
              length.flatMap((line) => line.split(": ")),
            )
            assert.strictEqual(got.body._tag, "Empty")
            assert.strictEqual(yield* textOf(yield* via(call({ target: "/again" }))), "hello")
          }),
        )
      }

      it.scopedLive("sends content that is held in chunks, where it came so", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello))
          yield* via(call({ method: "POST", body: bytes("abc", true) }))
          const { framing, text } = yield* origin.request()
          assert.deepStrictEqual([framing, text], ["chunked", "abc"])
        }),
      )

      it.scopedLive("sends content that is held with its length", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello))
          yield* via(call({ method: "POST", fields: ["Content-Length", "5"], body: bytes("\u00ff\u0000abc") }))
          const { framing, text } = yield* origin.request()
          assert.deepStrictEqual([framing, text], ["length", "\u00ff\u0000abc"])
        }),
      )

      for (const asChunks of [true, false]) {
        it.scopedLive(`sends content in motion ${asChunks ? "in chunks" : "with its length"}, as it comes`, () =>
          Effect.gen(function* () {
            const { call, origin } = yield* lab(answering(hello))
            const upload = new TestUpload()
            const fields = asChunks ? [] : ["Content-Length", "6"]
            const asked = yield* Effect.fork(via(call({ method: "PUT", fields, body: upload.body(asChunks) })))
            upload.push("one")
            yield* origin.seen("one")
            upload.push("two")
            upload.source.end()
            yield* Fiber.join(asked)
            const { framing, text } = yield* origin.request()
            assert.deepStrictEqual([framing, text], [asChunks ? "chunked" : "length", "onetwo"])
          }),
        )

        it.scopedLive(`never lets broken content look complete at the server (${asChunks ? "chunks" : "length"})`, () =>
          Effect.gen(function* () {
            const { call, origin } = yield* lab(silent)
            const upload = new TestUpload()
            const fields = asChunks ? [] : ["Content-Length", "6"]
            const asked = yield* Effect.fork(via(call({ method: "PUT", fields, body: upload.body(asChunks) })))
            upload.push("one")
            yield* origin.seen("one")
            upload.source.fail(new RequestBroken({ problem: "gone" }))
            const error = yield* Effect.flip(Fiber.join(asked))
            assert.strictEqual(error._tag, "RequestBroken")
            yield* origin.deserted
            assert.deepStrictEqual(origin.requests, [])
          }),
        )
      }

      it.scopedLive("stops an upload that the server has answered already, and closes the connection", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab((connection) =>
            Effect.zipRight(connection.head, connection.send(answer("413 Too Large", "no"))),
          )
          const upload = new TestUpload()
          const asked = yield* Effect.fork(via(call({ method: "PUT", body: upload.body() })))
          upload.push("one")
          const got = yield* Fiber.join(asked)
          assert.strictEqual(got.status, 413)
          assert.strictEqual(yield* textOf(got), "no")
          yield* upload.refused
          yield* origin.deserted
        }),
      )

      it.scopedLive("uses a connection again", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello))
          for (let count = 0; count < 3; count++) yield* Effect.flatMap(via(call()), textOf)
          assert.deepStrictEqual([origin.requests.length, origin.connections.length], [3, 1])
        }),
      )

      for (const [what, said] of [
        ["the server closes it", answer("200 OK", "hello", ["Connection: close"])],
        ["HTTP/1.0 closes it", hello.replace("1.1", "1.0")],
        ["the server keeps it for a second only", answer("200 OK", "hello", ["Keep-Alive: timeout=1"])],
      ] as const) {
        it.scopedLive(`does not use a connection again where ${what}`, () =>
          Effect.gen(function* () {
            const { call, origin } = yield* lab(answering(said))
            const asked = fairNow()
            yield* Effect.flatMap(via(call()), textOf)
            yield* origin.deserted
            assert.isBelow(fairNow() - asked, 900)
            yield* Effect.flatMap(via(call()), textOf)
            assert.strictEqual(origin.connections.length, 2)
          }),
        )
      }

      it.scopedLive("closes a connection that has been idle for long enough", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello), { poolIdleTimeout: 50 })
          yield* Effect.flatMap(via(call()), textOf)
          yield* origin.deserted
        }),
      )

      it.scopedLive("keeps no more idle connections than it may", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello), { poolIdleConnections: 1 })
          yield* Effect.all([via(call()), via(call())], { concurrency: 2 })
          yield* origin.connection(1)
          yield* Effect.flatMap(via(call()), textOf)
          assert.strictEqual(origin.connections.length, 2)
          assert.isAtMost(origin.open.length, 2)
        }),
      )

      it.scopedLive("tries once more where a pooled connection turns out to be stale", () =>
        Effect.gen(function* () {
          const { call, counters, origin } = yield* lab(staleBehind(hello))
          yield* Effect.flatMap(via(call()), textOf)
          const again = yield* via(call({ method: "POST", fields: ["Content-Length", "2"], body: bytes("ab") }))
          assert.strictEqual(yield* textOf(again), "hello")
          assert.strictEqual(origin.connections.length, 2)
          assert.deepStrictEqual(
            origin.requests.map(({ text }) => text),
            ["", "ab", "ab"],
          )
          assert.strictEqual(valueIn(yield* exposed(counters), "ss_proxy_downstream_retries_total"), 1)
        }),
      )

      it.scopedLive("does not try again what cannot be said again", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(staleBehind(hello))
          yield* Effect.flatMap(via(call()), textOf)
          const upload = new TestUpload()
          upload.push("ab")
          upload.source.end()
          const error = yield* Effect.flip(via(call({ method: "POST", body: upload.body() })))
          assert.strictEqual(error._tag, "DownstreamReset")
          assert.strictEqual(origin.connections.length, 1)
        }),
      )

      it.scopedLive("does not try again on a connection that is new", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab((connection) => Effect.zipRight(connection.request, connection.reset))
          const error = yield* Effect.flip(via(call()))
          assert.strictEqual(error._tag, "DownstreamReset")
          assert.strictEqual(origin.connections.length, 1)
        }),
      )

      it.scopedLive("closes the idle connections of a session that ends, and of no other", () =>
        Effect.gen(function* () {
          const { call, origin, session } = yield* lab(answering(hello))
          const other = sessionAt(origin.url, "other")
          yield* Effect.flatMap(via(call()), textOf)
          yield* Effect.flatMap(via(call({}, other)), textOf)
          session.end("removed")
          const first = yield* origin.connection()
          yield* first.gone
          assert.strictEqual(origin.open.length, 1)
          yield* Effect.flatMap(via(call({}, other)), textOf)
          assert.strictEqual(origin.connections.length, 2)
        }),
      )

      it.scopedLive("shares no connection between two lifetimes of a session", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello))
          const lifetimes: ReadonlyArray<LiveSession> = [sessionAt(origin.url), sessionAt(origin.url)]
          for (const lifetime of [...lifetimes, ...lifetimes]) yield* Effect.flatMap(via(call({}, lifetime)), textOf)
          assert.deepStrictEqual(
            origin.connections.map(({ text }) => text.split("GET /x").length - 1),
            [2, 2],
          )
        }),
      )

      it.scopedLive("keeps no connection for a session that has ended meanwhile", () =>
        Effect.gen(function* () {
          const { call, origin, session } = yield* lab(saying(response("200 OK", ["Content-Length: 5"])))
          const got = yield* via(call())
          session.end("removed")
          yield* (yield* origin.connection()).send("hello")
          assert.strictEqual(yield* textOf(got), "hello")
          yield* origin.deserted
        }),
      )

      it.scopedLive("hangs on a session's lifetime only while it keeps connections for it", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(answering(hello), { poolIdleTimeout: 50 })
          const unwatched = yield* Deferred.make<void>()
          const nothing = { watched: () => {}, failing: () => {}, recovered: () => {} }
          const watcher = { ...nothing, unwatched: () => Deferred.unsafeDone(unwatched, Exit.void) }
          const session = sessionAt(origin.url, "app", watcher)
          yield* Effect.flatMap(via(call({}, session)), textOf)
          assert.isTrue(session.isWatched)
          yield* Deferred.await(unwatched)
          yield* origin.deserted
        }),
      )

      it.scopedLive("hangs on no session whose one connection was stale, and whose server is gone", () =>
        Effect.gen(function* () {
          const port = yield* listeningOnce
          const call = callAt(yield* startDownstream(layer))
          const session = sessionAt(`http://127.0.0.1:${port}`)
          assert.strictEqual(yield* Effect.flatMap(via(call({}, session)), textOf), "hello")
          const error = yield* Effect.flip(via(call({}, session)))
          if (error._tag !== "DownstreamUnreachable") return assert.fail(error._tag)
          assert.strictEqual(error.reason, "refused")
          assert.isFalse(session.isWatched)
        }),
      )

      it.scopedLive("fails where nobody listens", () =>
        Effect.gen(function* () {
          const port = yield* Effect.scoped(Effect.map(RawOrigin.start(silent), (origin) => origin.port))
          const call = callAt(yield* startDownstream(layer))
          const error = yield* Effect.flip(via(call({}, sessionAt(`http://127.0.0.1:${port}`))))
          if (error._tag !== "DownstreamUnreachable") return assert.fail(error._tag)
          assert.deepStrictEqual([error.reason, error.address], ["refused", `127.0.0.1:${port}`])
        }),
      )

      it.scopedLive("fails where the name means nothing", () =>
        Effect.gen(function* () {
          const call = callAt(yield* startDownstream(layer))
          const error = yield* Effect.flip(via(call({}, sessionAt("http://no-such-host.invalid"))))
          if (error._tag !== "DownstreamUnreachable") return assert.fail(error._tag)
          assert.strictEqual(error.reason, "dns")
        }),
      )

      it.scopedLive("fails where connecting takes too long", () =>
        Effect.gen(function* () {
          const origin = yield* RawOrigin.start(silent)
          const call = callAt(yield* startDownstream(layer, { connectTimeout: 50 }))
          // The server never says a word of TLS.
          const error = yield* Effect.flip(via(call({}, sessionAt(`https://${origin.authority}`))))
          if (error._tag !== "DownstreamUnreachable") return assert.fail(error._tag)
          assert.strictEqual(error.reason, "timeout")
        }),
      )

      it.scopedLive("fails where the server does not speak TLS", () =>
        Effect.gen(function* () {
          const origin = yield* RawOrigin.start((connection) => connection.send("no TLS here\r\n\r\n"))
          const call = callAt(yield* startDownstream(layer))
          const error = yield* Effect.flip(via(call({}, sessionAt(`https://${origin.authority}`))))
          if (error._tag !== "DownstreamUnreachable") return assert.fail(error._tag)
          assert.strictEqual(error.reason, "tls")
        }),
      )

      for (const [what, said, then] of [
        ["ends the connection before it answers", "", "finish"],
        ["resets the connection before it answers", "", "reset"],
        ["ends the connection in its head", "HTTP/1.1 200 OK\r\nContent-", "finish"],
        ["ends the connection behind an interim response", response("103 Early Hints"), "finish"],
      ] as const) {
        it.scopedLive(`fails where the server ${what}`, () =>
          Effect.gen(function* () {
            const { call } = yield* lab(saying(said, then))
            const error = yield* Effect.flip(via(call()))
            assert.strictEqual(error._tag, "DownstreamReset")
          }),
        )
      }

      it.scopedLive("fails where no head comes in time, and closes the connection", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(silent, { timeout: 60 })
          const error = yield* Effect.flip(via(call()))
          if (error._tag !== "DownstreamTimeout") return assert.fail(error._tag)
          assert.strictEqual(error.milliseconds, 60)
          yield* origin.deserted
        }),
      )

      it.scopedLive("counts the time for the head from the last byte of the request", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(silent, { timeout: 100 })
          const upload = new TestUpload()
          const asked = yield* Effect.fork(via(call({ method: "PUT", body: upload.body() })))
          upload.push("one")
          yield* origin.seen("one")
          yield* Effect.sleep(250)
          upload.push("two")
          yield* origin.seen("two")
          upload.source.end()
          const ended = performance.now()
          const error = yield* Effect.flip(Fiber.join(asked))
          assert.strictEqual(error._tag, "DownstreamTimeout")
          assert.isAbove(performance.now() - ended, 90)
        }),
      )

      it.scopedLive("does not time out behind the head", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(saying(response("200 OK", ["Content-Length: 5"])), { timeout: 60 })
          const got = yield* via(call())
          yield* Effect.sleep(200)
          yield* (yield* origin.connection()).send("hello")
          assert.strictEqual(yield* textOf(got), "hello")
        }),
      )

      for (const [what, said, then] of [
        ["ends before its length is there", response("200 OK", ["Content-Length: 9"], "hello"), "finish"],
        ["is reset before its length is there", response("200 OK", ["Content-Length: 9"], "hello"), "reset"],
        ["ends before its last chunk", response("200 OK", [chunked], chunk("hello")), "finish"],
        ["is reset before its last chunk", response("200 OK", [chunked], chunk("hello")), "reset"],
        ["is reset and has no frame but the connection", response("200 OK", [], "hello"), "reset"],
      ] as const) {
        it.scopedLive(`fails a body that ${what}`, () =>
          Effect.gen(function* () {
            const { call } = yield* lab(saying(said, then))
            const got = yield* Effect.either(via(call()))
            // A reset may overtake the head.
            if (got._tag === "Left") return assert.strictEqual(got.left._tag, "DownstreamReset")
            const error = yield* Effect.flip(textOf(got.right))
            assert.strictEqual(error._tag, "ResponseBroken")
          }),
        )
      }

      it.scopedLive("fails a body that breaks a rule in its midst", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(saying(response("200 OK", [chunked], chunk("hello"))))
          const got = yield* via(call())
          yield* (yield* origin.connection()).send("no chunk size\r\n")
          const error = yield* Effect.flip(textOf(got))
          assert.strictEqual(error._tag, "ResponseBroken")
          yield* origin.deserted
        }),
      )

      for (const [what, said] of [
        ["garbage", "\u0000\u0001\u0002 what is this\r\n\r\n"],
        ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
        ["two lengths", response("200 OK", ["Content-Length: 5", "Content-Length: 6"], "hello!")],
        ["both kinds of framing", response("200 OK", ["Content-Length: 5", chunked], chunk("hello") + lastChunk())],
        ["a head without end", `HTTP/1.1 200 OK\r\n${`X-A: ${"a".repeat(1_000)}\r\n`.repeat(200)}`],
        ["a status below 100", answer("099 Odd", "hello")],
        ["a control byte in its reason", answer("200 O\u0001K", "hello")],
        ["a transfer coding nobody knows", response("200 OK", ["Transfer-Encoding: gzip"], "hello")],
        ["chunked twice", response("200 OK", [chunked, chunked], chunk("hello") + lastChunk())],
        ["interim responses without end", response("103 Early Hints", ["A: 1"]).repeat(100)],
        ["101 unasked", response("101 Switching Protocols", ["Upgrade: x", "Connection: Upgrade"])],
      ] as const) {
        it.scopedLive(`fails where the server says ${what}, and closes the connection`, () =>
          Effect.gen(function* () {
            const { call, origin } = yield* lab(saying(said))
            const error = yield* Effect.flip(via(call()))
            assert.instanceOf(error, DownstreamProtocol)
            yield* origin.deserted
          }),
        )
      }

      it.scopedLive("closes the connection at once when a call is interrupted before its head", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(silent)
          const asked = yield* Effect.fork(via(call()))
          yield* origin.request()
          yield* Fiber.interrupt(asked)
          yield* origin.deserted
        }),
      )

      it.scopedLive("gives up connecting when a call is interrupted", () =>
        Effect.gen(function* () {
          const origin = yield* RawOrigin.start(silent)
          const call = callAt(yield* startDownstream(layer))
          const asked = yield* Effect.fork(via(call({}, sessionAt(`https://${origin.authority}`))))
          yield* origin.connection()
          yield* Fiber.interrupt(asked)
          yield* origin.deserted
        }),
      )

      it.scopedLive("counts what it gave up connecting to once at most, however often that is said", () =>
        Effect.gen(function* () {
          const { counters, call, origin } = yield* lab(silent)
          const dialling = call({}, sessionAt(`https://${origin.authority}`))
          if (!(dialling instanceof Call)) return
          dialling.start({ settled: () => {} }, () => () => {})
          yield* origin.connection()
          for (let time = 0; time < 2; time++) dialling.cancel()
          yield* origin.deserted
          const cancelled = 'ss_proxy_downstream_dials_total{result="cancelled"}'
          assert.isAtMost(valueIn(yield* exposed(counters), cancelled) ?? 0, 1)
        }),
      )

      it.scopedLive("closes the connection at once when a body is not wanted any more", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(saying(response("200 OK", [chunked], chunk("hello"))))
          const got = yield* via(call())
          if (got.body._tag !== "Moving") return assert.fail("the body is whole")
          got.body.source.cancel()
          yield* origin.deserted
        }),
      )

      it.scopedLive("stops taking content when a call is interrupted", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* lab(silent)
          const upload = new TestUpload()
          const asked = yield* Effect.fork(via(call({ method: "PUT", body: upload.body() })))
          upload.push("one")
          yield* origin.seen("one")
          yield* Fiber.interrupt(asked)
          yield* upload.refused
          yield* origin.deserted
          assert.deepStrictEqual(origin.requests, [])
        }),
      )

      it.scopedLive("leaves nothing open when its layer closes", () =>
        Effect.gen(function* () {
          const origin = yield* RawOrigin.start(answering(hello))
          const scope = yield* Scope.make()
          const call = callAt(yield* Scope.extend(startDownstream(layer), scope))
          const session = sessionAt(origin.url)
          const ask: Effect.Effect<Answer, unknown> = via(call({}, session))
          yield* Effect.all([ask, via(call({}, session))], { concurrency: 2 })
          yield* Scope.close(scope, Exit.void)
          yield* origin.deserted
        }),
      )
    })
  }

  for (const [wayName, via] of ways) {
    describe(`Downstream: ${layerName}, ${wayName}, interim responses`, () => {
      it.scopedLive("are told as they come, before the answer", () =>
        Effect.gen(function* () {
          const early = response("103 Early Hints", ["Link: </a>", "link: </b>"])
          const { call, origin } = yield* startDownstreamLab(layer, answering(early + early + hello, hello))
          const heads: Array<ResponseHead> = []
          yield* Effect.flatMap(via(call({ informational: (head) => heads.push(head) })), textOf)
          const hints = { status: 103, reason: "Early Hints", fields: ["Link", "</a>", "link", "</b>"] }
          assert.deepStrictEqual(
            heads.map(({ status, reason, fields }) => ({ status, reason, fields })),
            [hints, hints],
          )
          yield* Effect.flatMap(via(call()), textOf)
          assert.strictEqual(origin.connections.length, 1)
        }),
      )

      it.scopedLive("let a client go on that waits for 100 before it sends", () =>
        Effect.gen(function* () {
          const { call, origin } = yield* startDownstreamLab(layer, (connection) =>
            layerName === "undici"
              ? answering(hello)(connection)
              : connection.head.pipe(
                  Effect.zipRight(connection.send(response("100 Continue"))),
                  Effect.zipRight(connection.seen("0\r\n\r\n")),
                  Effect.orDie,
                  Effect.zipRight(connection.send(hello)),
                ),
          )
          const upload = new TestUpload()
          const informational = ({ status }: ResponseHead): void => {
            if (status !== 100) return
            upload.push("content")
            upload.source.end()
          }
          const ask = { method: "PUT", fields: ["Expect", "100-continue"], body: upload.body(), informational }
          assert.strictEqual(yield* Effect.flatMap(via(call(ask)), textOf), "hello")
          yield* origin.seen("content")
        }),
      )
    })
  }
}

/** Asks twice, and tells whether that took one connection. */
const isReused = (layer: DownstreamLayer, said: string, method: string) =>
  Effect.gen(function* () {
    const { call, origin } = yield* startDownstreamLab(layer, answeringBodiless(said))
    yield* call({ method })
    yield* Effect.flatMap(call({ target: "/again" }), textOf)
    return origin.connections.length === 1
  })

/** The names of the fields that arrive, framing and the connection's own included. */
const namesSent = (layer: DownstreamLayer, method: string, fields: ReadonlyArray<string>, body: RequestBody) =>
  Effect.gen(function* () {
    const { call, origin } = yield* startDownstreamLab(layer, answering(hello))
    yield* call({ method, fields, body })
    return (yield* origin.request()).names
  })

interface Difference {
  readonly what: string
  readonly why: string
  readonly observe: (layer: DownstreamLayer) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly own: unknown
  readonly undici: unknown
}

/** All that undici does not do as our own connections do, and why. Each row is observed on both. */
const differences: ReadonlyArray<Difference> = [
  {
    what: "the place and spelling of Host and Content-Length",
    why: "undici writes both itself, and always says that it keeps the connection",
    observe: (layer) => namesSent(layer, "POST", ["Content-Length", "2", "X-A", "1"], bytes("ab")),
    own: ["Host", "Content-Length", "X-A"],
    undici: ["host", "connection", "X-A", "content-length"],
  },
  {
    what: "Content-Length: 0 of a GET",
    why: "undici leaves it out where the method does not call for content",
    observe: (layer) => namesSent(layer, "GET", ["Content-Length", "0"], empty),
    own: ["Host", "Content-Length"],
    undici: ["host", "connection"],
  },
  {
    what: "a POST that says nothing of content",
    why: "undici says that there is none",
    observe: (layer) => namesSent(layer, "POST", [], empty),
    own: ["Host"],
    undici: ["host", "connection", "content-length"],
  },
  {
    what: "trailers of a request",
    why: "undici has none",
    observe: (layer) =>
      Effect.gen(function* () {
        const { call, origin } = yield* startDownstreamLab(layer, answering(hello))
        yield* call({ method: "POST", body: bytes("ab", true, ["X-T", "1"]) })
        const { framing, text, trailers } = yield* origin.request()
        return [framing, text, trailers]
      }),
    own: ["chunked", "ab", [["X-T", "1"]]],
    undici: ["chunked", "ab", []],
  },
  {
    what: "when the head of a request leaves whose content is in motion",
    why: "undici writes it together with the first chunk; so a server cannot refuse before that",
    observe: (layer) =>
      Effect.gen(function* () {
        const { call, origin } = yield* startDownstreamLab(layer, silent)
        const asked = yield* Effect.fork(call({ method: "PUT", body: new TestUpload().body() }))
        const connection = yield* origin.connection()
        yield* Effect.sleep(50)
        const { text } = connection
        yield* Fiber.interrupt(asked)
        return text.includes("PUT /x")
      }),
    own: true,
    undici: false,
  },
  {
    what: "Expect: 100-continue",
    why: "undici refuses to send it; the client is told to continue by the layer",
    observe: (layer) =>
      Effect.gen(function* () {
        const { call, origin } = yield* startDownstreamLab(layer, answering(hello))
        const upload = new TestUpload()
        upload.push("content")
        upload.source.end()
        yield* call({ method: "PUT", fields: ["Expect", "100-continue"], body: upload.body() })
        return (yield* origin.request()).value("expect")
      }),
    own: "100-continue",
    undici: undefined,
  },
  {
    what: "a 100 that nobody asked for",
    why: "undici takes it for a broken response",
    observe: (layer) =>
      Effect.gen(function* () {
        const { call } = yield* startDownstreamLab(layer, answering(response("100 Continue") + hello))
        const got = yield* Effect.either(call())
        return got._tag === "Right" ? got.right.status : got.left._tag
      }),
    own: 200,
    undici: "DownstreamProtocol",
  },
  {
    what: "two empty lines before the status line",
    why: "undici's parser forgives it",
    observe: (layer) =>
      Effect.gen(function* () {
        const { call } = yield* startDownstreamLab(layer, saying(`\r\n\r\n${hello}`))
        const got = yield* Effect.either(call())
        return got._tag === "Right" ? got.right.status : got.left._tag
      }),
    own: "DownstreamProtocol",
    undici: 200,
  },
  {
    what: "a reason with bytes beyond ASCII",
    why: "undici reads it as UTF-8 and drops what is none",
    observe: (layer) =>
      Effect.gen(function* () {
        const { call } = yield* startDownstreamLab(layer, answering(answer("200 caf\u00e9", "hello")))
        return (yield* call()).reason
      }),
    own: "caf\u00e9",
    undici: "caf?",
  },
  {
    what: "the connection behind a 304 that has a Content-Length",
    why: "undici waits for a body there, so that the connection has to be given up",
    observe: (layer) => isReused(layer, response("304 Not Modified", ["Content-Length: 5"]), "GET"),
    own: true,
    undici: false,
  },
  {
    what: "the connection behind the answer to HEAD that announces no body",
    why: "undici's parser expects a body until the end of the connection",
    observe: (layer) => isReused(layer, response("200 OK"), "HEAD"),
    own: true,
    undici: false,
  },
]

describe("where undici differs from our own connections", () => {
  for (const { what, why, observe, ...expected } of differences) {
    it.scopedLive(`${what}: ${why}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* observe(layerConnections), expected.own)
        assert.deepStrictEqual(yield* observe(layerUndici), expected.undici)
      }),
    )
  }
})
