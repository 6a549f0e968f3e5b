import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { type RequestBroken, ResponseBroken } from "../../src/domain/ProxyError.js"
import { BodyStages, type SessionStages } from "../../src/http/BodyStages.js"
import { forwardWith, RequestHooks } from "../../src/http/RequestHooks.js"
import type { TrafficRecord } from "../../src/telemetry/TrafficRecord.js"
import { TrafficObservers } from "../../src/traffic/TrafficObservers.js"
import { perChunk, type Stage } from "../../src/wire/Stage.js"
import { answer, chunk, lastChunk, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { answering, saying } from "../support/RawOrigin.js"

const chunked = "Transfer-Encoding: chunked"
const get = "GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n"
const post = (body: string) =>
  `POST /app/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

/** Says everything twice. */
const twice = <E>(): Stage<E> =>
  perChunk(() => ({ chunk: (bytes) => Buffer.concat([bytes, bytes]), end: () => new Uint8Array(0) }), { resizes: true })

const large = "x".repeat(70_000)

const asStream = <E>({ resizes, stream }: Stage<E>): Stage<E> => ({ resizes, stream })

const ways: ReadonlyArray<readonly [way: string, stage: <E>() => Stage<E>]> = [
  ["on callbacks", twice],
  ["as a Stream", <E>() => asStream(twice<E>())],
]

for (const [way, stage] of ways) {
  describe(`a stage, ${way}`, () => {
    const download = BodyStages.layer({ download: () => [stage()] })
    const upload = BodyStages.layer({ upload: () => [stage()] })

    for (const [what, script, text] of [
      ["that is whole, with a length", answering(answer("200 OK", "hello")), "hellohello"],
      ["that is large", answering(response("200 OK", [chunked], chunk(large) + lastChunk())), large + large],
      ["that ends with its connection", saying(response("200 OK", [], "until"), "finish"), "untiluntil"],
    ] as const) {
      it.scopedLive(`changes the content of an answer ${what}, which says no length any more`, () =>
        Effect.gen(function* () {
          const { ask } = yield* startLab({ hooks: download, script })
          const got = yield* ask(get)
          assert.deepStrictEqual(
            [got.status, got.text, got.value("content-length"), got.value("transfer-encoding")],
            [200, text, undefined, "chunked"],
          )
        }),
      )
    }

    it.scopedLive("passes trailers by", () =>
      Effect.gen(function* () {
        const said = response("200 OK", [chunked], chunk("a") + lastChunk(["X-T: 1"]))
        const { ask } = yield* startLab({ hooks: download, script: answering(said) })
        assert.deepStrictEqual((yield* ask(get)).trailers, [["X-T", "1"]])
      }),
    )

    it.scopedLive("takes what is said of the bytes as they were away from them", () =>
      Effect.gen(function* () {
        const said = answer("200 OK", "hello", ["Content-Digest: sha-256=:YQ==:", 'ETag: "1"'])
        const got = yield* (yield* startLab({ hooks: download, script: answering(said) })).ask(get)
        assert.deepStrictEqual([got.value("content-digest"), got.value("etag")], [undefined, '"1"'])
      }),
    )

    it.scopedLive("leaves an answer without content as it is, but for a length that would be wrong", () =>
      Effect.gen(function* () {
        const { ask } = yield* startLab({
          hooks: download,
          script: answering(response("200 OK", ["Content-Length: 5"])),
        })
        const got = yield* ask("HEAD /app/x HTTP/1.1\r\nHost: h\r\n\r\n")
        assert.deepStrictEqual([got.status, got.text, got.value("content-length")], [200, "", undefined])
      }),
    )

    it.scopedLive("is passed by no answer of the proxy's own", () =>
      Effect.gen(function* () {
        const { ask } = yield* startLab({ hooks: download })
        assert.strictEqual((yield* ask("GET /health HTTP/1.1\r\nHost: h\r\n\r\n")).text, "OK")
      }),
    )

    for (const [what, pieces, text] of [
      ["that is held", [post("abc")], "abcabc"],
      ["that is large", [post("x".repeat(100_000))], "x".repeat(200_000)],
      ["in chunks", [`POST /app/x HTTP/1.1\r\nHost: h\r\n${chunked}\r\n\r\n`, chunk("abc"), lastChunk()], "abcabc"],
    ] as const) {
      it.scopedLive(`changes the content of a request ${what}, which goes on in chunks`, () =>
        Effect.gen(function* () {
          const { ask, origin } = yield* startLab({ hooks: upload })
          assert.strictEqual((yield* ask(...pieces)).status, 200)
          const request = yield* origin.request()
          assert.deepStrictEqual([request.framing, request.value("content-length")], ["chunked", undefined])
          assert.strictEqual(request.text, text)
        }),
      )
    }
  })
}

describe("a stage that fails", () => {
  const broken = new ResponseBroken({ sessionId: "app", address: "a", problem: "the stage said no" })
  const failing: Stage<ResponseBroken> = { stream: () => Stream.fail(broken), resizes: false }
  const throwing: Stage<ResponseBroken> = perChunk(
    () => ({
      chunk: () => {
        throw new Error("a bug of a stage")
      },
      end: () => new Uint8Array(0),
    }),
    { resizes: false },
  )

  for (const [what, stage, told] of [
    ["with an error", failing, "the stage said no"],
    ["by throwing, on callbacks", throwing, "a bug of a stage"],
    ["by throwing, as a Stream", asStream(throwing), "a bug of a stage"],
  ] as const) {
    it.scopedLive(`${what}: the client's connection is reset, the log says so, and others go on`, () =>
      Effect.gen(function* () {
        let isFirst = true
        const hooks = BodyStages.layer({
          download: () => {
            const stages = isFirst ? [stage] : []
            isFirst = false
            return stages
          },
        })
        const { ask, proxy } = yield* startLab({ hooks })
        const client = yield* proxy.connect
        yield* client.send(get)
        assert.strictEqual(yield* client.gone, "reset")
        assert.include(proxy.log.join("\n"), told, proxy.log.join("\n"))
        assert.strictEqual((yield* ask(get)).text, "hello")
      }),
    )
  }
})

const bug = (): never => {
  throw new Error("a bug of a stage")
}

describe("a stage of an answer that throws where it is not given a chunk", () => {
  const fused = (form: NonNullable<Stage<ResponseBroken>["fused"]>): Stage<ResponseBroken> => ({
    stream: (body) => body,
    fused: form,
    resizes: false,
  })
  const inMotion = answering(response("200 OK", [chunked], chunk(large) + lastChunk()))
  for (const [what, download, script] of [
    ["when it is chosen", bug, answering(answer("200 OK", "hello"))],
    ["when it is chosen, for an answer in motion", bug, inMotion],
    ["when it is made", () => [fused(bug)], inMotion],
    ["when it is made, as a Stream", () => [{ stream: bug, resizes: false }], inMotion],
    [
      "when it is to let go",
      () => [fused((next) => ({ ...next, released: bug }))],
      saying(response("200 OK", [], "until"), "finish"),
    ],
  ] as const) {
    it.scopedLive(`${what}: the client's connection is reset, the log says so, and others go on`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks: BodyStages.layer({ download }), script })
        const client = yield* proxy.connect
        yield* client.send(get)
        assert.strictEqual(yield* client.gone, "reset")
        assert.include(proxy.log.join("\n"), "a bug of a stage")
        yield* proxy.quiet
      }),
    )
  }
})

describe("a stage of a request's content that throws where it is not given a chunk", () => {
  const fused = (form: NonNullable<Stage<RequestBroken>["fused"]>): Stage<RequestBroken> => ({
    stream: (body) => body,
    fused: form,
    resizes: false,
  })
  for (const [what, upload, pieces] of [
    ["when it is chosen", bug, [post("abc")]],
    ["when it is chosen, for content in motion", bug, [post("abcdef").slice(0, -3)]],
    ["when it is made", () => [fused(bug)], [post("abc")]],
    ["when it is made, for content in motion", () => [fused(bug)], [post("abcdef").slice(0, -3)]],
    ["when it is to let go", () => [fused((next) => ({ ...next, released: bug }))], [post("abc")]],
  ] as const) {
    it.scopedLive(`${what}: the client's connection is reset, the log says so, and others go on`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks: BodyStages.layer({ upload }) })
        const client = yield* proxy.connect
        for (const piece of pieces) yield* client.send(piece)
        assert.strictEqual(yield* client.gone, "reset")
        assert.include(proxy.log.join("\n"), "a bug of a stage")
        yield* proxy.quiet
      }),
    )
  }
})

describe("what interrupts itself", () => {
  const interrupting: Stage<ResponseBroken> = { stream: () => Stream.fromEffect(Effect.interrupt), resizes: false }
  for (const [what, hooks] of [
    ["a hook", RequestHooks.layer(() => Effect.interrupt)],
    [
      "a hook that waits for a fiber that was interrupted",
      RequestHooks.layer(() => Effect.flatMap(Effect.fork(Effect.interrupt), Fiber.join)),
    ],
    ["a stage", BodyStages.layer({ download: () => [interrupting] })],
  ] as const) {
    it.scopedLive(`${what}: its client does not wait for ever, and the log says so`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks })
        const client = yield* proxy.connect
        yield* client.send(get)
        assert.strictEqual(yield* client.gone, "reset")
        assert.include(proxy.log.join("\n"), "a defect in ss-proxy")
        yield* proxy.quiet
      }),
    )
  }
})

class Forbidden extends Data.TaggedError("Forbidden")<{}> {
  readonly answer = { status: 403, code: "forbidden_here", detail: "Not for you.", fields: ["X-Why", "rule 7"] }
}

describe("a hook before forwarding", () => {
  it.scopedLive("changes what the server gets, and not what the client hears", () =>
    Effect.gen(function* () {
      const hooks = RequestHooks.layer(() => forwardWith({ drop: ["Cookie"], set: ["X-User", "alice"] }))
      const { ask, origin } = yield* startLab({ hooks })
      yield* ask("GET /app/x HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\nX-User: mallory\r\n\r\n")
      const request = yield* origin.request()
      assert.deepStrictEqual([request.value("cookie"), request.values("x-user")], [undefined, ["alice"]])
    }),
  )

  it.scopedLive("that refuses has its answer sent, with content of the request read past, and no server is asked", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ hooks: RequestHooks.layer(() => new Forbidden()) })
      const client = yield* proxy.connect
      const got = yield* client.ask(post("abc"))
      assert.deepStrictEqual(
        [got.status, got.value("x-why"), JSON.parse(got.text).code, got.value("proxy-status")],
        [403, "rule 7", "forbidden_here", "ss-proxy; error=http_request_denied"],
      )
      assert.strictEqual((yield* client.ask(get)).status, 403)
      assert.strictEqual(origin.connections.length, 0)
    }),
  )

  it.scopedLive("that waits is interrupted when its client leaves", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<boolean>()
      const hooks = RequestHooks.layer(() =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.zipRight(Effect.never),
          Effect.onExit((exit) => Deferred.succeed(ended, Exit.isInterrupted(exit))),
        ),
      )
      const { proxy } = yield* startLab({ hooks })
      const client = yield* proxy.connect
      yield* client.send(get)
      yield* Deferred.await(begun)
      client.socket.resetAndDestroy()
      assert.isTrue(yield* Deferred.await(ended))
      yield* proxy.quiet
      assert.notInclude(proxy.log.join("\n"), "a defect")
    }),
  )

  it.scopedLive("that waits is interrupted when its session is removed, and the client is told", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const hooks = RequestHooks.layer(() =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.zipRight(Effect.never),
          Effect.onExit(() => Deferred.succeed(ended, undefined)),
        ),
      )
      const { proxy } = yield* startLab({ hooks })
      const client = yield* proxy.connect
      yield* client.send(get)
      yield* Deferred.await(begun)
      yield* proxy.repo.remove("app")
      assert.strictEqual((yield* client.response()).status, 404)
      yield* Deferred.await(ended)
    }),
  )

  it.scopedLive("that throws resets its connection, and the log says so", () =>
    Effect.gen(function* () {
      const hooks = RequestHooks.layer(() => {
        throw new Error("a bug of a hook")
      })
      const ended = yield* Deferred.make<TrafficRecord>()
      const observer = TrafficObservers.layer((record) => Deferred.succeed(ended, record))
      const { proxy } = yield* startLab({ hooks: Layer.merge(hooks, observer) })
      const client = yield* proxy.connect
      yield* client.send(get)
      assert.strictEqual(yield* client.gone, "reset")
      assert.include(proxy.log.join("\n"), "a bug of a hook")
      assert.strictEqual((yield* Deferred.await(ended)).end, "proxy")
    }),
  )
})

/** A stage that throws in one of its functions, for both ways. */
const throwing = <E>(where: "made" | "demanded" | "released"): Stage<E> => ({
  resizes: true,
  stream: (body) => body,
  fused: (next) => {
    const fault = (): void => {
      throw new Error(`a bug where it is ${where}`)
    }
    if (where === "made") fault()
    return {
      chunk: (bytes) => next.chunk(bytes),
      end: (trailers) => next.end(trailers),
      fail: (error) => next.fail(error),
      defect: (cause) => next.defect(cause),
      ...(where === "demanded" ? { demanded: fault } : { released: fault }),
    }
  },
})

describe("a hook that cannot be interrupted", () => {
  it.scopedLive("does not keep the request of a client that has left", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const held = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<TrafficRecord>()
      const waiting = Effect.uninterruptible(
        Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(held)),
      ).pipe(Effect.zipRight(forwardWith({})))
      const hooks = Layer.merge(
        RequestHooks.layer(() => waiting),
        TrafficObservers.layer((record) => Deferred.succeed(ended, record)),
      )
      const { proxy } = yield* startLab({ hooks })
      const client = yield* proxy.connect
      yield* client.send(get)
      yield* Deferred.await(asked)
      yield* client.reset
      assert.strictEqual((yield* Deferred.await(ended)).end, "client")
      yield* Deferred.succeed(held, undefined)
    }),
  )
})

describe("stages with bugs", () => {
  const failing = (): never => {
    throw new Error("a bug where stages are chosen")
  }
  const buggy: ReadonlyArray<readonly [what: string, stages: SessionStages, request: string]> = [
    ["a stage for answers where it is made", { download: () => [throwing("made")] }, get],
    ["a stage for requests where it is made", { upload: () => [throwing("made")] }, post("abc")],
    ["a stage for answers where it is released", { download: () => [throwing("released")] }, get],
    ["a stage for requests where it is released", { upload: () => [throwing("released")] }, post("abc")],
    ["the choice of stages for answers", { download: failing }, get],
    ["the choice of stages for requests", { upload: failing }, post("abc")],
  ]
  for (const [what, stages, request] of buggy) {
    it.scopedLive(`end their own exchange and nothing else: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks: BodyStages.layer(stages) })
        const client = yield* proxy.connect
        yield* client.send(request)
        assert.strictEqual(yield* client.gone, "reset")
        assert.include(proxy.log.join("\n"), "a bug where")
      }),
    )
  }

  for (const [what, change] of [
    ["longer", (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.from("GET /b HTTP/1.1\r\n\r\n")])],
    ["shorter", (bytes: Uint8Array) => bytes.subarray(1)],
  ] as const) {
    for (const [size, body] of [
      ["held", "abc"],
      ["large", "x".repeat(100_000)],
    ] as const) {
      it.scopedLive(`do not make a request, ${size}, ${what} than it says`, () =>
        Effect.gen(function* () {
          const stage = perChunk<RequestBroken>(() => ({ chunk: change, end: () => new Uint8Array(0) }), {
            resizes: false,
          })
          const { proxy } = yield* startLab({ hooks: BodyStages.layer({ upload: () => [stage] }) })
          const client = yield* proxy.connect
          yield* client.send(post(body))
          assert.strictEqual(yield* client.gone, "reset")
          assert.include(proxy.log.join("\n"), "resizes")
        }),
      )
    }
  }
})

describe("what interrupts itself", () => {
  const interrupting = <E>(): Stage<E> => ({ resizes: true, stream: () => Stream.fromEffect(Effect.interrupt) })
  const interrupted: ReadonlyArray<readonly [what: string, hooks: Layer.Layer<never>]> = [
    ["a hook", RequestHooks.layer(() => Effect.interrupt)],
    ["a stage for answers", BodyStages.layer({ download: () => [interrupting()] })],
    ["a stage for requests", BodyStages.layer({ upload: () => [interrupting()] })],
  ]
  for (const [what, hooks] of interrupted) {
    it.scopedLive(`does not keep its client waiting: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks })
        const client = yield* proxy.connect
        yield* client.send(post("abc"))
        assert.strictEqual(yield* client.gone, "reset")
      }),
    )
  }
})

describe("an observer", () => {
  it.scopedLive("hears of each request that is over, with its numbers, whatever another observer does", () =>
    Effect.gen(function* () {
      const records: Array<TrafficRecord> = []
      const second = yield* Deferred.make<void>()
      const hooks = TrafficObservers.layer((record) => {
        records.push(record)
        return records.length === 2 ? Deferred.succeed(second, undefined) : Effect.void
      }).pipe(Layer.provide(TrafficObservers.layer(() => Effect.die("a bug of an observer"))))
      const { ask, proxy } = yield* startLab({ hooks })
      yield* ask(post("abc"))
      yield* ask("GET /nobody/ HTTP/1.1\r\nHost: h\r\nX-Request-Id: mine\r\n\r\n")
      yield* Deferred.await(second)
      assert.deepStrictEqual(
        records.map(({ kind, sessionId, method, target, status, end, bytesIn, retries }) => [
          [kind, sessionId, method, target],
          [status, end, bytesIn, retries],
        ]),
        [
          [
            ["request", "app", "POST", "/app/x"],
            [200, "complete", 3, 0],
          ],
          [
            ["request", "nobody", "GET", "/nobody/"],
            [404, "complete", 0, 0],
          ],
        ],
      )
      assert.strictEqual(records[0]?.bytesOut, 5)
      assert.strictEqual(records[1]?.requestId, "mine")
      assert.include(proxy.log.join("\n"), "a bug of an observer")
    }),
  )
})
