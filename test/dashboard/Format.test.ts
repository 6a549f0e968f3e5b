import { assert, describe, it } from "@effect/vitest"
import * as Format from "../../src/dashboard/Format.js"

describe("figures of the dashboard", () => {
  it("are short, and a dash where nothing is known", () => {
    const counts = [0, 9.5, 12, 950, 999.9, 1_000, 12_449, 999_960, 3_100_000, null].map(Format.count)
    assert.deepStrictEqual(counts, ["0", "9.5", "12", "950", "1.0k", "1.0k", "12.4k", "1.0M", "3.1M", "–"])
    assert.deepStrictEqual([0, 17, 1_234, 5e9].map(Format.bytes), ["0 B", "17 B", "1.2 kB", "5.0 GB"])
    assert.deepStrictEqual([0, 0.42, 18.3, 2_460, 65_000].map(Format.milliseconds), [
      "0 ms",
      "0.4 ms",
      "18 ms",
      "2.5 s",
      "1m",
    ])
    assert.deepStrictEqual([0, 59.9, 61, 4_000, 200_000].map(Format.duration), ["0s", "59s", "1m", "1h 06m", "2d 7h"])
    assert.deepStrictEqual([0, 0.4, 8, 9.94, 9.97, 12, 1_500].map(Format.rate), [
      "0",
      "0.4",
      "8.0",
      "9.9",
      "10",
      "12",
      "1.5k",
    ])
  })

  it("of a time are those of the reader's clock, with the date where it is not of today", () => {
    const now = new Date(2026, 0, 5, 14, 0, 0)
    assert.strictEqual(Format.moment(new Date(2026, 0, 5, 9, 2, 9).toISOString(), now), "09:02:09")
    assert.strictEqual(Format.moment(new Date(2025, 11, 31, 9, 2, 9).toISOString(), now), "2025-12-31 09:02:09")
    assert.strictEqual(Format.moment("yesterday", now), "yesterday")
  })
})
