import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { SessionNotFound } from "../../src/domain/ProxyError.js"
import { sent, startRequestLab, TestRequest, textOf } from "./RequestLab.js"

describe("a request on its way", () => {
  it.scoped("goes to the server of the session that its path names, with the rest of the path", () =>
    Effect.gen(function* () {
      const { asked, forwarder } = yield* startRequestLab()
      const request = new TestRequest("/alice/notes?x=%2F", ["X-Mine", "1"], "PUT", "content")
      const answer = yield* forwarder.forward(request)
      assert.strictEqual(yield* textOf(answer), "hello")
      assert.deepStrictEqual(request.joined, ["alice"])
      const [first] = asked
      assert.deepStrictEqual(
        [first?.session, first?.head.method, first?.head.target, first?.text],
        ["alice", "PUT", "/base/notes?x=%2F", "content"],
      )
      assert.deepStrictEqual(
        [sent(first, "host"), sent(first, "x-mine"), sent(first, "x-forwarded-prefix"), sent(first, "x-forwarded-for")],
        ["server.example:8000", "1", "/alice", "192.0.2.1"],
      )
    }),
  )

  const refusals: ReadonlyArray<readonly [what: string, request: TestRequest, tag: string]> = [
    ["to a session that is not there", new TestRequest("/nobody/x"), "SessionNotFound"],
    ["to a session that does not forward", new TestRequest("/bob/x"), "SessionUnavailable"],
    ["to the route of WebSockets", new TestRequest("/ws/alice"), "UpgradeRequired"],
    ["with a path that cannot be decoded", new TestRequest("/%zz/"), "BadRequest"],
    [
      "that may be read in two ways",
      new TestRequest("/alice/", ["Content-Length", "1", "Content-Length", "2"]),
      "BadRequest",
    ],
    ["of the method CONNECT", new TestRequest("/alice/", [], "CONNECT"), "BadRequest"],
    ["with more content than allowed", new TestRequest("/alice/", ["Content-Length", "101"], "POST"), "BodyTooLarge"],
    ["with a longer target than allowed", new TestRequest(`/alice/${"x".repeat(100)}`), "TargetTooLong"],
  ]
  for (const [what, request, tag] of refusals) {
    it.scoped(`fails ${what}, and no server is asked`, () =>
      Effect.gen(function* () {
        const { asked, forwarder } = yield* startRequestLab({ settings: { maxBodyBytes: 100, maxTargetBytes: 100 } })
        const error = yield* Effect.flip(forwarder.forward(request))
        assert.strictEqual(error._tag, tag)
        assert.deepStrictEqual([asked, request.joined], [[], []])
      }),
    )
  }

  it.scoped("fails as joining its session fails", () =>
    Effect.gen(function* () {
      const { asked, forwarder } = yield* startRequestLab()
      const request = new TestRequest("/alice/")
      request.refusal = new SessionNotFound({ sessionId: "alice" })
      assert.strictEqual(yield* Effect.flip(forwarder.forward(request)), request.refusal)
      assert.deepStrictEqual(asked, [])
    }),
  )

  it.scoped("fails when it has been through this proxy before", () =>
    Effect.gen(function* () {
      const { asked, forwarder } = yield* startRequestLab()
      yield* forwarder.forward(new TestRequest("/alice/"))
      const via = sent(asked[0], "via") ?? ""
      const error = yield* Effect.flip(forwarder.forward(new TestRequest("/alice/", ["Via", via])))
      assert.strictEqual(error._tag, "LoopDetected")
    }),
  )

  it.scoped("is answered by the proxy where it asks for its health, which is bad once that drains", () =>
    Effect.gen(function* () {
      const { forwarder, traffic } = yield* startRequestLab()
      const reply = yield* Effect.flip(forwarder.forward(new TestRequest("/health")))
      assert.deepStrictEqual(reply._tag === "Reply" && [reply.status, reply.body], [200, "OK"])
      const wrong = yield* Effect.flip(forwarder.forward(new TestRequest("/health", [], "PUT")))
      assert.strictEqual(wrong._tag, "MethodNotAllowed")
      yield* traffic.startDraining
      assert.strictEqual((yield* Effect.flip(forwarder.forward(new TestRequest("/health"))))._tag, "Draining")
      assert.strictEqual((yield* forwarder.forward(new TestRequest("/alice/"))).status, 200)
    }),
  )

  it.scoped("is served while the proxy closes connections, unless it is late", () =>
    Effect.gen(function* () {
      const { forwarder, traffic } = yield* startRequestLab()
      traffic.startClosing()
      assert.strictEqual((yield* forwarder.forward(new TestRequest("/alice/"))).status, 200)
      const late = new TestRequest("/alice/")
      late.isLate = true
      assert.strictEqual((yield* Effect.flip(forwarder.forward(late)))._tag, "Draining")
    }),
  )

  it.scoped("has its refusal at once, without a fiber, where nothing has to be waited for", () =>
    Effect.gen(function* () {
      const { forwarder } = yield* startRequestLab()
      yield* forwarder.forward(new TestRequest("/alice/"))
      assert.isTrue(Exit.isExit(forwarder.forward(new TestRequest("/health"))))
    }),
  )
})
