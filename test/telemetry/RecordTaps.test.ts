import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { RecordSink } from "../../src/telemetry/RecordSink.js"
import { RecordTaps } from "../../src/telemetry/RecordTaps.js"

const sink = (): RecordSink => ({ wants: () => true, write: () => {} })

describe("taps of records", () => {
  it.scoped("add who looks to every list there is or will be, until that has gone", () =>
    Effect.gen(function* () {
      const taps = new RecordTaps()
      const [own, one, other] = [sink(), sink(), sink()]
      const first = yield* taps.join([own])
      const leave = taps.attach(one)
      const second = yield* taps.join([])
      const leaveToo = taps.attach(other)
      assert.deepStrictEqual([first.length, second.length], [3, 2])
      leave()
      assert.isTrue(first[0] === own && first[1] === other && second[0] === other)
      leaveToo()
      assert.deepStrictEqual([first.length, second.length], [1, 0])
    }),
  )
})
