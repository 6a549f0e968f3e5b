import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TaggedError } from "../../src/domain/TaggedError.js"

class Broken extends TaggedError("Broken")<{ readonly detail: string; readonly cause?: unknown }> {
  readonly fault = "client"
}

describe("an error that is an answer", () => {
  it("has no stack, and leaves that of other errors as it was", () => {
    const limit = Error.stackTraceLimit
    assert.notMatch(new Broken({ detail: "d" }).stack ?? "", /\n\s+at /)
    assert.strictEqual(Error.stackTraceLimit, limit)
    assert.match(new Error("other").stack ?? "", /\n\s+at /)
  })

  it("is otherwise as Effect's own, and its cause keeps its stack", () => {
    const cause = new Error("cause")
    const broken = new Broken({ detail: "d", cause })
    assert.instanceOf(broken, Broken)
    assert.instanceOf(broken, Error)
    assert.deepInclude(broken, { _tag: "Broken", detail: "d", fault: "client", cause })
    assert.match(cause.stack ?? "", /\n\s+at /)
  })

  it.effect("fails an Effect, and is caught by its tag", () =>
    Effect.gen(function* () {
      const caught = yield* Effect.catchTag(new Broken({ detail: "d" }), "Broken", ({ detail }) =>
        Effect.succeed(detail),
      )
      assert.strictEqual(caught, "d")
    }),
  )
})
