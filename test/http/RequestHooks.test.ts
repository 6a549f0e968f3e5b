import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Data, Effect, Exit, Layer } from "effect"
import type { OwnError } from "../../src/domain/ProxyError.js"
import { forwardUnchanged, forwardWith, type HookRequest, RequestHooks } from "../../src/http/RequestHooks.js"
import { describeError, reply } from "../../src/wire/Reply.js"
import { handshake, sent, startRequestLab, TestRequest } from "./RequestLab.js"

class Unpaid extends Data.TaggedError("Unpaid")<{}> {
  readonly answer = { status: 402, code: "unpaid", detail: "The account is empty.", fields: ["X-Pay", "now"] }
}

describe("a hook before forwarding", () => {
  it.scoped("sees the session and what the client asks for", () =>
    Effect.gen(function* () {
      const seen: Array<HookRequest> = []
      const hooks = RequestHooks.layer((request) => {
        seen.push(request)
        return forwardUnchanged
      })
      const { forwarder } = yield* startRequestLab({ hooks })
      yield* forwarder.forward(new TestRequest("/alice/x", ["X-A", "1"], "PUT"))
      const [first] = seen
      assert.deepStrictEqual(
        [first?.session.id, first?.method, first?.target, first?.fields, first?.client.address, first?.requestId],
        ["alice", "PUT", "/alice/x", ["X-A", "1"], "192.0.2.1", "request-1"],
      )
    }),
  )

  it.scoped("adds, replaces and drops fields, whatever their case, and the next hook does so behind it", () =>
    Effect.gen(function* () {
      const hooks = RequestHooks.layer(() => forwardWith({ set: ["X-Late", "2"] })).pipe(
        Layer.provide(
          RequestHooks.layer(() =>
            forwardWith({ drop: ["x-gone"], set: ["X-Set", "new", "x-late", "1"], add: ["X-Also", "b"] }),
          ),
        ),
      )
      const { asked, forwarder } = yield* startRequestLab({ hooks })
      const fields = ["X-Gone", "1", "x-set", "old", "X-SET", "older", "X-Also", "a", "X-Stays", "1"]
      yield* forwarder.forward(new TestRequest("/alice/", fields))
      const got = asked[0]?.head.fields ?? []
      const named = (name: string) =>
        got.filter((_, index) => index % 2 === 1 && got[index - 1]?.toLowerCase() === name)
      assert.deepStrictEqual(["x-gone", "x-set", "x-also", "x-stays", "x-late"].map(named), [
        [],
        ["new"],
        ["a", "b"],
        ["1"],
        ["2"],
      ])
    }),
  )

  const unfit: ReadonlyArray<readonly [what: string, answer: Partial<OwnError["answer"]>]> = [
    ["a status that is no error", { status: 200 }],
    ["a status that is no number of three digits", { status: 404.5 }],
    ["a line break in a field", { fields: ["X-A", "1\r\nSet-Cookie: a=b"] }],
    ["a field without a value", { fields: ["X-A"] }],
    ["a field that frames the answer", { fields: ["Content-Length", "1"] }],
    ["a line break in Proxy-Status", { proxyStatus: "a\r\nX-B: 1" }],
  ]
  for (const [what, answer] of unfit) {
    it.scoped(`does not fail with ${what}`, () =>
      Effect.gen(function* () {
        const error = { _tag: "Own", answer: { status: 401, code: "own", detail: "No.", ...answer } }
        for (const failing of [Exit.fail(error), Effect.zipRight(Effect.yieldNow(), Effect.fail(error))]) {
          const { asked, forwarder } = yield* startRequestLab({ hooks: RequestHooks.layer(() => failing) })
          const exit = yield* Effect.exit(Effect.suspend(() => forwarder.forward(new TestRequest("/alice/"))))
          assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
          assert.lengthOf(asked, 0)
        }
      }),
    )
  }

  for (const [what, changes] of [
    ["Content-Length", { set: ["Content-Length", "1"] }],
    ["Transfer-Encoding", { add: ["transfer-encoding", "chunked"] }],
    ["Host", { drop: ["Host"] }],
    ["a name that is none", { add: ["X A", "1"] }],
    ["a line break in a value", { add: ["X-A", "1\r\nX-B: 2"] }],
    ["a name without a value", { add: ["X-A"] }],
  ] as const) {
    it.scoped(`cannot break the message: ${what} is a defect, and the server is not asked`, () =>
      Effect.gen(function* () {
        const hooks = RequestHooks.layer(() => Effect.flatMap(Effect.void, () => forwardWith(changes)))
        const { asked, forwarder } = yield* startRequestLab({ hooks })
        const exit = yield* Effect.exit(forwarder.forward(new TestRequest("/alice/")))
        assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Die")
        assert.deepStrictEqual(asked, [])
      }),
    )
  }

  it.scoped("answers itself, with a status of its own, and neither the server nor the next hook is asked", () =>
    Effect.gen(function* () {
      const hooks = RequestHooks.layer(() => assert.fail("asked behind an answer")).pipe(
        Layer.provide(RequestHooks.layer(() => Exit.succeed(reply(204, ["X-A", "1"], "")))),
      )
      const { asked, forwarder, upgrader } = yield* startRequestLab({ hooks })
      for (const way of [forwarder.forward(new TestRequest("/alice/")), upgrader.upgrade(handshake("/ws/alice"))]) {
        const answer = yield* Effect.flip(way)
        assert.deepStrictEqual(answer._tag === "Reply" && [answer.status, answer.fields], [204, ["X-A", "1"]])
      }
      assert.deepStrictEqual(asked, [])
    }),
  )

  it.scoped("fails with an error of its own, which has its answer", () =>
    Effect.gen(function* () {
      const { asked, forwarder } = yield* startRequestLab({ hooks: RequestHooks.layer(() => new Unpaid()) })
      const error = yield* Effect.flip(forwarder.forward(new TestRequest("/alice/")))
      if (error._tag !== "HookRefused") return assert.fail(error._tag)
      assert.instanceOf(error.error, Unpaid)
      const { status, code, detail, fields } = describeError(error)
      assert.deepStrictEqual([status, code, detail, fields], [402, "unpaid", "The account is empty.", ["X-Pay", "now"]])
      assert.deepStrictEqual(asked, [])
    }),
  )

  it.scoped("may be made of services, and may wait", () =>
    Effect.gen(function* () {
      class Accounts extends Context.Tag("test/Accounts")<Accounts, { readonly isPaid: Effect.Effect<boolean> }>() {}
      const hooks = RequestHooks.layerEffect(
        Effect.map(
          Accounts,
          ({ isPaid }) =>
            () =>
              Effect.flatMap(isPaid, (paid) => (paid ? forwardWith({ add: ["X-Paid", "yes"] }) : new Unpaid())),
        ),
      ).pipe(Layer.provide(Layer.succeed(Accounts, { isPaid: Effect.as(Effect.yieldNow(), true) })))
      const { asked, forwarder } = yield* startRequestLab({ hooks })
      yield* forwarder.forward(new TestRequest("/alice/"))
      assert.strictEqual(sent(asked[0], "x-paid"), "yes")
    }),
  )
})
