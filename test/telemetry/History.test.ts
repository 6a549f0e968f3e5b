import { assert, describe, it } from "@effect/vitest"
import { Cells } from "../../src/telemetry/Cells.js"
import { History, mostSamples } from "../../src/telemetry/History.js"
import { quantileOf } from "../../src/telemetry/Quantile.js"
import { Counters } from "../../src/telemetry/Telemetry.js"
import { Totals } from "../../src/telemetry/Totals.js"

const nothing = { requests: 0, streams: 0, websockets: 0, connections: 0, loopUtilization: 0 }

/** So many requests that took so many milliseconds each. */
const ended = (counters: Counters, times: number, status: number, milliseconds: number): void => {
  for (let time = 0; time < times; time++)
    counters.exchangeEnded(
      {
        method: "GET",
        status,
        error: undefined,
        isOwnAnswer: false,
        end: status === 0 ? "server" : "complete",
        bytesIn: 10,
        bytesOut: 100,
        isHandshake: false,
      },
      milliseconds,
    )
}

const totalsOf = (counters: Counters): Totals => {
  const totals = new Totals()
  totals.read(counters.counted)
  return totals
}

describe("the history of the last quarter of an hour", () => {
  it("has rates by the time that has really passed, however late the look is", () => {
    const counters = new Counters()
    const history = new History()
    const before = totalsOf(counters)
    ended(counters, 30, 200, 3)
    ended(counters, 10, 0, 3)
    history.add(before, totalsOf(counters), 20_000, 5_000, nothing)
    const { answers, bytesIn, bytesOut, errors, time } = history.before(0)
    assert.deepStrictEqual(answers, [0.5, 0, 1.5, 0, 0, 0])
    assert.deepStrictEqual([bytesIn, bytesOut, errors, time], [20, 200, 0.5, 5_000])
  })

  it("has the latencies of a second alone, and none of a second without requests", () => {
    const counters = new Counters()
    const history = new History()
    ended(counters, 1_000, 200, 4_000)
    const first = totalsOf(counters)
    ended(counters, 98, 200, 7)
    ended(counters, 2, 500, 900)
    const second = totalsOf(counters)
    history.add(first, second, 1_000, 0, nothing)
    history.add(second, second, 1_000, 0, nothing)
    const { p50, p99 } = history.before(1)
    assert.isTrue(p50 > 5 && p50 < 10, String(p50))
    assert.isTrue(p99 > 500 && p99 <= 1_000, String(p99))
    assert.isNaN(history.before(0).p50)
    assert.isNaN(history.before(1).firstByteP99)
  })

  it("keeps the last 900", () => {
    const history = new History()
    const totals = new Totals()
    for (let date = 1; date <= mostSamples + 5; date++) history.add(totals, totals, 1_000, date, nothing)
    assert.strictEqual(history.size, mostSamples)
    assert.strictEqual(history.before(0).time, mostSamples + 5)
    assert.strictEqual(history.before(mostSamples - 1).time, 6)
  })

  it("never tells of less than nothing", () => {
    const history = new History()
    const [more, less] = [new Totals(), new Totals()]
    const cells = new Cells()
    less.read(cells)
    more.values.fill(7)
    history.add(more, less, 1_000, 0, nothing)
    assert.deepStrictEqual(history.before(0).answers, [0, 0, 0, 0, 0, 0])
  })
})

describe("a quantile", () => {
  it("lies on a straight line in its bucket; what is beyond the last bound counts as that", () => {
    const bounds = [1, 2, 4]
    assert.strictEqual(quantileOf(bounds, Float64Array.of(9, 0, 4, 0, 0), 1, 0.5), 1.5)
    assert.strictEqual(quantileOf(bounds, Float64Array.of(0, 0, 0, 3), 0, 0.99), 4)
    assert.isNaN(quantileOf(bounds, Float64Array.of(0, 0, 0, 0), 0, 0.5))
  })
})
