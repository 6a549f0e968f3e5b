import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { downstreamRetries, makeRetryCounter } from "../../src/downstream/Retries.js"

const label = Effect.tagMetrics("proxy", "of this test")

describe("the counter of retries", () => {
  it.effect("counts at once, under the labels of the Layer that it was made in", () =>
    Effect.gen(function* () {
      const count = yield* label(makeRetryCounter)
      const before = yield* Metric.value(downstreamRetries)
      count()
      count()
      assert.strictEqual((yield* label(Metric.value(downstreamRetries))).count, 2)
      assert.strictEqual((yield* Metric.value(downstreamRetries)).count, before.count)
    }),
  )
})
