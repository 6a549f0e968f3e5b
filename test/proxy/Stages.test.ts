import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, Stream } from "effect"
import { type RequestBroken, ResponseBroken } from "../../src/domain/ProxyError.js"
import { BodyStages, type SessionStages } from "../../src/http/BodyStages.js"
import { forwardWith, RequestHooks } from "../../src/http/RequestHooks.js"
import type { TrafficRecord } from "../../src/telemetry/TrafficRecord.js"
import { TrafficObservers } from "../../src/traffic/TrafficObservers.js"
import { firstValue } from "../../src/wire/HeaderFields.js"
import { perChunk, type Stage } from "../../src/wire/Stage.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { answer, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { answering, saying, type Script, silent } from "../support/RawOrigin.js"

const key = "dGhlIHNhbXBsZSBub25jZQ=="
const chunked = "Transfer-Encoding: chunked"
const get = "GET /app/x HTTP/1.1\r\nHost: h\r\n\r\n"
const post = (body: string) =>
  `POST /app/x HTTP/1.1\r\nHost: h\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

/** Says everything twice. */
const twice: Stage = perChunk(
  () => ({ chunk: (bytes) => Buffer.concat([bytes, bytes]), end: () => new Uint8Array(0) }),
  { resizes: true },
)

const large = "x".repeat(70_000)

const asStream = <E>({ resizes, stream }: Stage<E>): Stage<E> => ({ resizes, stream })

const ways: ReadonlyArray<readonly [way: string, stage: Stage]> = [
  ["on callbacks", twice],
  ["as a Stream", asStream(twice)],
]

const ignoring = { end: () => {}, fail: () => {}, defect: () => {} }

for (const [way, stage] of ways) {
  describe(`a stage, ${way}`, () => {
    const download = BodyStages.layer({ download: () => [stage] })
    const upload = BodyStages.layer({ upload: () => [stage] })

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

/** Gives an empty chunk before each one, and before the end. */
const hesitating: Stage = {
  stream: (body) => Stream.flatMap(body, (bytes) => Stream.make(new Uint8Array(0), bytes)),
  fused: (next) => ({
    chunk: (bytes) => {
      next.chunk(new Uint8Array(0))
      return next.chunk(bytes)
    },
    end: (trailers) => {
      next.chunk(new Uint8Array(0))
      next.end(trailers)
    },
    fail: (error) => next.fail(error),
    defect: (cause) => next.defect(cause),
  }),
  resizes: true,
}

describe("a stage that gives chunks without bytes", () => {
  for (const [way, stage] of [
    ["on callbacks", hesitating],
    ["as a Stream", asStream(hesitating)],
  ] as const) {
    it.scopedLive(`does not end a content with them, ${way}: what is behind would be taken for another message`, () =>
      Effect.gen(function* () {
        const hooks = BodyStages.layer({ download: () => [stage], upload: () => [stage] })
        const { origin, proxy } = yield* startLab({ hooks })
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(post("POST /other HTTP/1.1"))).text, "hello")
        assert.strictEqual((yield* origin.request()).text, "POST /other HTTP/1.1")
        assert.strictEqual((yield* client.ask(get)).text, "hello")
      }),
    )
  }
})

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

/** What a client is told where a hook or a stage has thrown before there was an answer. */
const internalError = [500, "internal_error", "ss-proxy; error=proxy_internal_error"]
const saidOf = (got: HttpMessage) => [got.status, JSON.parse(got.text).code, got.value("proxy-status")]

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
        const log = proxy.log.join("\n")
        assert.include(log, "a bug of a stage")
        assert.include(log, "a defect in a stage of this program (download)")
        yield* proxy.quiet
      }),
    )
  }

  /** More of the answer is still to come, whoever reads it. */
  const unfinished = saying(response("200 OK", [chunked], chunk("hello")))
  for (const [what, script] of [
    ["", answering(answer("200 OK", "hello"))],
    [", for an answer in motion", unfinished],
  ] as const) {
    it.scopedLive(`when it is chosen${what}: the client is answered 500, and the server's connection is given up`, () =>
      Effect.gen(function* () {
        const { ask, origin, proxy } = yield* startLab({ hooks: BodyStages.layer({ download: bug }), script })
        assert.deepStrictEqual(saidOf(yield* ask(get)), internalError)
        assert.include(proxy.log.join("\n"), "a defect in a stage of this program (download)")
        if (script === unfinished) yield* (yield* origin.connection()).gone
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
    it.scopedLive(`${what}: the client is answered 500, the log says so, and others go on`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks: BodyStages.layer({ upload }) })
        const client = yield* proxy.connect
        for (const piece of pieces) yield* client.send(piece)
        assert.deepStrictEqual(saidOf(yield* client.response()), internalError)
        const log = proxy.log.join("\n")
        assert.include(log, "a bug of a stage")
        assert.include(log, "a defect in a stage of this program (upload)")
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

  for (const [what, hook] of [
    ["throws", bug],
    ["dies, later", () => Effect.zipRight(Effect.yieldNow(), Effect.die(new Error("a bug of a stage")))],
    ["changes what it may not", () => forwardWith({ set: ["Content-Length", "1"] })],
  ] as const) {
    it.scopedLive(`that ${what} is named in the log, its client is answered 500, and others go on`, () =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<TrafficRecord>()
        const observer = TrafficObservers.layer((record) => Deferred.succeed(ended, record))
        const { proxy } = yield* startLab({ hooks: Layer.merge(RequestHooks.layer(hook), observer) })
        const client = yield* proxy.connect
        assert.deepStrictEqual(saidOf(yield* client.ask(get)), internalError)
        const log = proxy.log.join("\n")
        assert.include(log, "a defect in a hook of this program")
        assert.include(log, "session=app")
        assert.notInclude(log, "please report")
        assert.deepStrictEqual(
          [(yield* Deferred.await(ended)).status, (yield* Deferred.await(ended)).end],
          [500, "complete"],
        )
        assert.strictEqual((yield* client.ask("GET /health HTTP/1.1\r\nHost: h\r\n\r\n")).status, 200)
      }),
    )
  }

  it.scopedLive("that throws at a WebSocket handshake has its client answered 500, too", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startLab({ hooks: RequestHooks.layer(bug) })
      const fields = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${key}`,
      ]
      assert.deepStrictEqual(saidOf(yield* ask(request("GET /ws/app", fields))), internalError)
      assert.lengthOf(origin.connections, 0)
    }),
  )

  it.scopedLive("that waits, and refuses, leaves no word of a fiber in the log", () =>
    Effect.gen(function* () {
      const hooks = Layer.merge(
        RequestHooks.layer(() => Effect.zipRight(Effect.sleep(1), new Forbidden())),
        Logger.minimumLogLevel(LogLevel.Debug),
      )
      const { ask, proxy } = yield* startLab({ hooks })
      assert.strictEqual((yield* ask(get)).status, 403)
      const log = proxy.log.join("\n")
      assert.include(log, "refused")
      assert.notInclude(log, "Fiber terminated")
    }),
  )
})

class Infected extends Data.TaggedError("Infected")<{}> {
  readonly answer = { status: 422, code: "infected", detail: "There is a virus in it.", fields: ["X-Why", "rule 8"] }
}

/** Lets no `!` through. */
const strict: Stage<Infected> = {
  stream: (body) => Stream.mapEffect(body, (bytes) => (bytes.includes(33) ? new Infected() : Effect.succeed(bytes))),
  fused: (next) => ({
    chunk: (bytes) => {
      if (!bytes.includes(33)) return next.chunk(bytes)
      next.fail(new Infected())
      return "consumed"
    },
    end: (trailers) => next.end(trailers),
    fail: (error) => next.fail(error),
    defect: (cause) => next.defect(cause),
  }),
  resizes: false,
}

for (const [way, stage] of [
  ["on callbacks", strict],
  ["as a Stream", asStream(strict)],
] as const) {
  describe(`a stage that refuses, ${way}`, () => {
    const upload = BodyStages.layer({ upload: () => [stage] })

    for (const [what, pieces] of [
      ["that is held", [post("abc!")]],
      ["that is large", [post(`${large}!`)]],
      ["that still comes", [`POST /app/x HTTP/1.1\r\nHost: h\r\n${chunked}\r\n\r\n`, chunk("abc"), chunk("!")]],
    ] as const) {
      it.scopedLive(`content ${what}, has its answer sent, and the server's connection is given up`, () =>
        Effect.gen(function* () {
          const { origin, proxy } = yield* startLab({ hooks: upload, script: silent })
          const client = yield* proxy.connect
          for (const piece of pieces) yield* client.send(piece)
          const got = yield* client.response()
          assert.deepStrictEqual(
            [...saidOf(got), got.value("x-why"), got.value("content-type")],
            [422, "infected", "ss-proxy; error=http_request_denied", "rule 8", "application/problem+json"],
          )
          yield* origin.deserted
          assert.notInclude(proxy.log.join("\n"), "defect")
        }),
      )
    }

    it.scopedLive("a request whose answer is on its way cuts it, and the log says why", () =>
      Effect.gen(function* () {
        const begun: Script = (connection) =>
          Effect.zipRight(
            Effect.orDie(connection.seen("abc")),
            connection.send(response("200 OK", [chunked], chunk("event"))),
          )
        const { origin, proxy } = yield* startLab({ hooks: upload, script: begun })
        const client = yield* proxy.connect
        yield* client.send(`POST /app/x HTTP/1.1\r\nHost: h\r\n${chunked}\r\n\r\n${chunk("abc")}`)
        yield* client.seen("event")
        yield* client.send(chunk("!"))
        assert.strictEqual(yield* client.gone, "reset")
        assert.include(proxy.log.join("\n"), "Infected: There is a virus in it.")
        yield* origin.deserted
      }),
    )

    it.scopedLive("content of an answer cuts it; the log names the error, and does not blame the server", () =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<TrafficRecord>()
        const hooks = Layer.merge(
          BodyStages.layer({ download: () => [stage] }),
          TrafficObservers.layer((record) => Deferred.succeed(ended, record)),
        )
        const { origin, proxy } = yield* startLab({ hooks, script: answering(answer("200 OK", "abc!")) })
        const client = yield* proxy.connect
        yield* client.send(get)
        assert.strictEqual(yield* client.gone, "reset")
        const log = proxy.log.join("\n")
        assert.include(log, "Infected: There is a virus in it.")
        assert.include(log, "fault=proxy")
        assert.notInclude(log, "defect")
        assert.strictEqual((yield* Deferred.await(ended)).end, "proxy")
        assert.strictEqual(origin.connections.length, 1)
      }),
    )

    it.scopedLive("with an answer that cannot be sent is a defect of its own", () =>
      Effect.gen(function* () {
        const error = { _tag: "Odd", answer: { status: 200, code: "odd", detail: "Odd." } }
        const odd: Stage<typeof error> = {
          stream: () => Stream.fail(error),
          ...(stage.fused === undefined
            ? {}
            : { fused: (next) => ({ ...ignoring, chunk: () => (next.fail(error), "consumed") }) }),
          resizes: false,
        }
        const { ask, proxy } = yield* startLab({ hooks: BodyStages.layer({ upload: () => [odd] }) })
        assert.deepStrictEqual(saidOf(yield* ask(post("abc"))), internalError)
        assert.include(proxy.log.join("\n"), "a defect in a stage of this program (upload)")
      }),
    )
  })
}

describe("stages that are chosen by a head", () => {
  it.scopedLive("see the status and the fields of an answer, and change fields of it", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [session: string, status: number, type: string | undefined]> = []
      const first = BodyStages.layer({
        download: ({ id }, { status, fields }) => {
          seen.push([id, status, firstValue(fields, "content-type")])
          if (firstValue(fields, "content-type") !== "text/event-stream") return []
          return { stages: [twice], drop: ["Content-Encoding"], set: ["content-type", "text/plain"] }
        },
      })
      const second = BodyStages.layer({
        download: ({ id }, { status, fields }) => {
          seen.push([id, status, firstValue(fields, "content-type")])
          return { stages: [], add: ["X-Second", String(firstValue(fields, "content-length"))] }
        },
      })
      const { ask } = yield* startLab({
        hooks: second.pipe(Layer.provide(first)),
        script: answering(
          answer("201 Created", "hello", ["Content-Type: text/event-stream", "Content-Encoding: x"]),
          answer("200 OK", "plain", ["Content-Type: text/html"]),
        ),
      })
      const changed = yield* ask(get)
      assert.deepStrictEqual(
        [changed.text, ...["content-type", "content-encoding", "x-second"].map((name) => changed.value(name))],
        ["hellohello", "text/plain", undefined, "undefined"],
      )
      const plain = yield* ask(get)
      assert.deepStrictEqual(
        [plain.text, ...["content-type", "content-length", "x-second"].map((name) => plain.value(name))],
        ["plain", "text/html", "5", "5"],
      )
      assert.deepStrictEqual(seen, [
        ["app", 201, "text/event-stream"],
        ["app", 201, "text/plain"],
        ["app", 200, "text/html"],
        ["app", 200, "text/html"],
      ])
    }),
  )

  it.scopedLive("see the head of a request as its server gets it, and change fields of it", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [method: string, target: string, user: string | undefined]> = []
      const stages = BodyStages.layer({
        upload: (_session, { fields, method, target }) => {
          seen.push([method, target, firstValue(fields, "x-user")])
          return method === "POST" ? { stages: [twice], set: ["X-Twice", "yes"] } : []
        },
      })
      const hooks = Layer.merge(
        stages,
        RequestHooks.layer(() => forwardWith({ set: ["X-User", "alice"] })),
      )
      const { ask, origin } = yield* startLab({ hooks, base: "/base" })
      yield* ask(post("abc"))
      const request = yield* origin.request()
      assert.deepStrictEqual([request.text, request.value("x-twice")], ["abcabc", "yes"])
      yield* ask(get)
      assert.deepStrictEqual(seen, [
        ["POST", "/base/x", "alice"],
        ["GET", "/base/x", "alice"],
      ])
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
  const buggy: ReadonlyArray<
    readonly [what: string, stages: SessionStages, request: string, end: "reset" | "answered"]
  > = [
    ["a stage for answers where it is made", { download: () => [throwing("made")] }, get, "reset"],
    ["a stage for requests where it is made", { upload: () => [throwing("made")] }, post("abc"), "answered"],
    ["a stage for answers where it is released", { download: () => [throwing("released")] }, get, "reset"],
    ["a stage for requests where it is released", { upload: () => [throwing("released")] }, post("abc"), "answered"],
    ["the choice of stages for answers", { download: failing }, get, "answered"],
    ["the choice of stages for requests", { upload: failing }, post("abc"), "answered"],
    ["the fields for answers", { download: () => ({ stages: [], set: ["a bug where", "1"] }) }, get, "answered"],
    ["the fields for requests", { upload: () => ({ stages: [], set: ["a bug where", "1"] }) }, get, "answered"],
  ]
  for (const [what, stages, request, end] of buggy) {
    it.scopedLive(`end their own exchange and nothing else: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks: BodyStages.layer(stages) })
        const client = yield* proxy.connect
        yield* client.send(request)
        if (end === "reset") assert.strictEqual(yield* client.gone, "reset")
        else assert.deepStrictEqual(saidOf(yield* client.response()), internalError)
        assert.include(proxy.log.join("\n"), "a bug where")
        assert.include(proxy.log.join("\n"), "a defect in a stage of this program")
      }),
    )
  }

  for (const [way, form] of [
    ["on callbacks", (stage: Stage) => stage],
    ["as a Stream", (stage: Stage) => asStream(stage)],
  ] as const) {
    for (const [what, change] of [
      ["longer", (bytes: Uint8Array) => Buffer.concat([bytes, bytes])],
      ["shorter", (bytes: Uint8Array) => bytes.subarray(1)],
    ] as const) {
      it.scopedLive(`are to blame, and not the server, where an answer is ${what} than it says, ${way}`, () =>
        Effect.gen(function* () {
          const stage = form(perChunk(() => ({ chunk: change, end: () => new Uint8Array(0) }), { resizes: false }))
          const { proxy } = yield* startLab({
            hooks: BodyStages.layer({ download: () => [stage] }),
            settings: { idleTimeout: 60_000 },
          })
          const client = yield* proxy.connect
          yield* client.send(get)
          assert.strictEqual(yield* client.gone, "reset")
          const log = proxy.log.join("\n")
          assert.include(log, "a defect in a stage of this program (download)")
          assert.include(log, "resizes")
          assert.notInclude(log, "response broke off")
        }),
      )
    }
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
          const stage = perChunk(() => ({ chunk: change, end: () => new Uint8Array(0) }), { resizes: false })
          const { proxy } = yield* startLab({ hooks: BodyStages.layer({ upload: () => [stage] }) })
          const client = yield* proxy.connect
          yield* client.send(post(body))
          assert.deepStrictEqual(saidOf(yield* client.response()), internalError)
          assert.include(proxy.log.join("\n"), "resizes")
        }),
      )
    }
  }
})

describe("what interrupts itself", () => {
  const interrupting: Stage = { resizes: true, stream: () => Stream.fromEffect(Effect.interrupt) }
  const joining = Effect.flatMap(Effect.fork(Effect.interrupt), Fiber.join)
  const interrupted: ReadonlyArray<
    readonly [what: string, hooks: Layer.Layer<never>, end: "reset" | "answered", said: string]
  > = [
    ["a hook", RequestHooks.layer(() => Effect.interrupt), "answered", "a hook"],
    ["a hook that waits for a fiber that was interrupted", RequestHooks.layer(() => joining), "answered", "a hook"],
    ["a stage for answers", BodyStages.layer({ download: () => [interrupting] }), "reset", "a stage"],
    ["a stage for requests", BodyStages.layer({ upload: () => [interrupting] }), "answered", "a stage"],
  ]
  for (const [what, hooks, end, said] of interrupted) {
    it.scopedLive(`does not keep its client waiting, and the log says so: ${what}`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ hooks })
        const client = yield* proxy.connect
        yield* client.send(post("abc"))
        if (end === "reset") assert.strictEqual(yield* client.gone, "reset")
        else assert.deepStrictEqual(saidOf(yield* client.response()), internalError)
        assert.include(proxy.log.join("\n"), `a defect in ${said} of this program`)
        yield* proxy.quiet
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
