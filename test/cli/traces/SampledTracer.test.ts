import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Option, Tracer } from "effect"
import { sampledTracer, SpanIds } from "../../../src/cli/traces/SampledTracer.js"
import type { Sampling } from "../../../src/cli/traces/TraceVariables.js"
import { clientSpan } from "../../../src/telemetry/Spans.js"

const low = "0".repeat(31) + "1"
const high = "f".repeat(32)

/** Spans begun by a tracer of these rules, where a trace id that begins with 0 is in the share. */
const lab = (sampling: Sampling) =>
  Effect.map(Effect.tracer, (recording) => {
    const tracer = sampledTracer(recording, new SpanIds(), sampling, (id) => id.startsWith("0"))
    return (parent: Option.Option<Tracer.AnySpan>) => tracer.span("name", parent, Context.empty(), [], 0n, "server")
  })

const byParent = { byParent: true, share: 0.5 }
const byShare = { byParent: false, share: 0.5 }
const client = (traceId: string, sampled: boolean, trusted: boolean) =>
  clientSpan({ traceId, parentId: "b7ad6b7169203331", sampled }, trusted)

describe("what is recorded", () => {
  it.effect("is for the parent to say, where it is trusted and the sampler is parentbased", () =>
    Effect.gen(function* () {
      const begin = yield* lab(byParent)
      assert.isTrue(begin(client(high, true, true)).sampled)
      assert.isFalse(begin(client(low, false, true)).sampled)
    }),
  )

  it.effect("follows from the trace id, where the parent is trusted and the sampler is not parentbased", () =>
    Effect.gen(function* () {
      const begin = yield* lab(byShare)
      assert.isTrue(begin(client(low, false, true)).sampled)
      assert.isFalse(begin(client(high, true, true)).sampled)
    }),
  )

  it.effect("is the share of a stranger's requests, whatever they say", () =>
    Effect.gen(function* () {
      for (const sampling of [byParent, byShare]) {
        const begin = yield* lab(sampling)
        for (const [traceId, flag] of [
          [low, true],
          [high, true],
          [low, false],
          [high, false],
        ] as const) {
          let recorded = 0
          for (let asked = 0; asked < 10_000; asked++) if (begin(client(traceId, flag, false)).sampled) recorded++
          // 5,000 are expected, with a standard deviation of 50.
          assert.isTrue(recorded > 4_600 && recorded < 5_400, `${recorded}`)
        }
      }
    }),
  )

  it.effect("is nothing of a stranger's where the sampler is off, and all where it is always on", () =>
    Effect.gen(function* () {
      const off = yield* lab({ byParent: true, share: 0 })
      const on = yield* lab({ byParent: true, share: 1 })
      for (let asked = 0; asked < 1_000; asked++) {
        assert.isFalse(off(client(low, true, false)).sampled)
        assert.isTrue(on(client(high, false, false)).sampled)
      }
    }),
  )

  it.effect("is the whole of a trace, or nothing of it", () =>
    Effect.gen(function* () {
      const begin = yield* lab(byParent)
      for (const parent of [begin(client(high, true, true)), begin(client(high, false, true))])
        assert.strictEqual(begin(Option.some(parent)).sampled, parent.sampled)
    }),
  )

  it.effect("has ids of its own where it is not sampled, too", () =>
    Effect.gen(function* () {
      const begin = yield* lab({ byParent: true, share: 0 })
      const span = begin(client(high, false, true))
      assert.strictEqual(span.traceId, high)
      assert.match(span.spanId, /^[0-9a-f]{16}$/)
      assert.strictEqual(span.spanId, span.spanId)
    }),
  )
})
