import { assert, describe, it } from "@effect/vitest"
import { SafetyNet } from "../../../src/sessions/postgres/SafetyNet.js"

describe("the safety net", () => {
  it("finds what was written and not told, and nothing else, however late the server counts", () => {
    const net = new SafetyNet(100, 0)
    assert.isFalse(net.isTorn(100, 10_000))
    net.named(3)
    assert.isFalse(net.isTorn(100, 11_000))
    assert.isFalse(net.isTorn(102, 12_000))
    assert.isFalse(net.isTorn(103, 13_000))
    assert.isTrue(net.isTorn(104, 14_000))
    assert.isFalse(net.isTorn(104, 15_000))
    net.named(1)
    assert.isFalse(net.isTorn(105, 16_000))
  })

  it("trusts a count that is short for a minute at most", () => {
    const net = new SafetyNet(0, 0)
    net.named(10)
    assert.isFalse(net.isTorn(9, 59_999))
    assert.isTrue(net.isTorn(9, 60_000))
    assert.isFalse(net.isTorn(9, 119_999))
    assert.isFalse(net.isTorn(9, 120_000))
  })

  it("finds that the server has lost its count", () => {
    const net = new SafetyNet(100, 0)
    assert.isTrue(net.isTorn(0, 10_000))
    assert.isFalse(net.isTorn(0, 20_000))
    assert.isTrue(net.isTorn(1, 30_000))
  })
})
