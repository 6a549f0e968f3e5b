import { assert, describe, it } from "@effect/vitest"
import { samplerOf } from "../../../src/cli/traces/Sampling.js"
import { randomHex } from "../../../src/wire/RandomHex.js"

const low = `${"f".repeat(16)}${"0".repeat(15)}1`
const high = `${"0".repeat(16)}${"f".repeat(16)}`

describe("what is recorded", () => {
  it("is for the parent to say, where it is trusted and the sampler is parentbased", () => {
    const samples = samplerOf({ byParent: true, share: 0.5 })
    assert.isTrue(samples(high, "sampled"))
    assert.isFalse(samples(low, "unsampled"))
  })

  it("follows from the trace id, where the parent is trusted and the sampler is not parentbased", () => {
    const samples = samplerOf({ byParent: false, share: 0.5 })
    assert.isTrue(samples(low, "unsampled"))
    assert.isFalse(samples(high, "sampled"))
  })

  it("is the share of traces that begin here", () => {
    const samples = samplerOf({ byParent: true, share: 0.25 })
    let recorded = 0
    for (let asked = 0; asked < 40_000; asked++) if (samples(randomHex(16), "nothing")) recorded++
    // 10,000 are expected, with a standard deviation of 87.
    assert.isTrue(recorded > 9_400 && recorded < 10_600, `${recorded}`)
  })

  it("is the share of a stranger's requests, whatever trace id it chose", () => {
    for (const byParent of [true, false])
      for (const traceId of [low, high]) {
        const samples = samplerOf({ byParent, share: 0.5 })
        let recorded = 0
        for (let asked = 0; asked < 10_000; asked++) if (samples(traceId, "untrusted")) recorded++
        // 5,000 are expected, with a standard deviation of 50.
        assert.isTrue(recorded > 4_600 && recorded < 5_400, `${recorded}`)
      }
  })

  it("is nothing where the sampler is off, and everything where it is always on", () => {
    const [off, on] = [samplerOf({ byParent: true, share: 0 }), samplerOf({ byParent: true, share: 1 })]
    for (const parent of ["nothing", "untrusted"] as const)
      for (const traceId of [low, high, "0".repeat(32), "f".repeat(32)]) {
        assert.isFalse(off(traceId, parent))
        assert.isTrue(on(traceId, parent))
      }
  })
})
