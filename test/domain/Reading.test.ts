import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Option } from "effect"
import { byteSize, duration, positiveByteSize, positiveSeconds, seconds } from "../../src/domain/Reading.js"

const milliseconds = { "": 1_000, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const bytes = Object.fromEntries(
  Object.entries({ "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }).flatMap(([unit, size]) =>
    (unit === "" ? ["", "b"] : [unit, `${unit}b`, `${unit}ib`]).map((spelling) => [spelling, size] as const),
  ),
)

/** A unit in any case, and what one of it is. */
const unitOf = (units: Readonly<Record<string, number>>) =>
  FastCheck.tuple(FastCheck.constantFrom(...Object.entries(units)), FastCheck.boolean()).map(
    ([[unit, size], isLarge]) => [isLarge ? unit.toUpperCase() : unit, size] as const,
  )

const amount = FastCheck.nat({ max: 2_000 })

describe("a time", () => {
  it("is read with each unit, and in seconds without one, wherever a time is read", () => {
    FastCheck.assert(
      FastCheck.property(amount, unitOf(milliseconds), (count, [unit, size]) => {
        const found = Option.some(count * size)
        expect(duration.read(`${count}${unit}`)).toEqual(found)
        expect(seconds.read(`${count}${unit}`)).toEqual(Option.filter(found, seconds.is))
        expect(positiveSeconds.read(`${count}${unit}`)).toEqual(
          Option.filter(found, (value) => value > 0 && seconds.is(value)),
        )
      }),
    )
  })

  it("may have a fraction, of which a part of a millisecond counts as a whole one", () => {
    const read = (text: string) => Option.getOrUndefined(seconds.read(text))
    expect([".5", "1.", "1.5m", "0.1ms", "1.0011s", "0.07h"].map(read)).toEqual([500, 1_000, 90_000, 1, 1_002, 252_000])
  })

  it("is shown as a text that means the same", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.nat({ max: 2_147_483_000 }), (value) => {
        expect(seconds.read(seconds.show(value))).toEqual(Option.some(value))
        expect(duration.read(duration.show(value))).toEqual(Option.some(value))
      }),
    )
  })

  it.each(["", "s", "1 s", "1h30m", "1w", "-1", "+1", "1e3", "0x10", "١s", ".", ".s", "2147484", "25d"])(
    "is none of %j, where at most 24 days are",
    (text) => expect(seconds.read(text)).toEqual(Option.none()),
  )
})

describe("a size", () => {
  it("is read with each spelling of a unit, which is always one of 1024", () => {
    FastCheck.assert(
      FastCheck.property(amount, unitOf(bytes), (count, [unit, size]) => {
        const found = Option.some(count * size)
        expect(byteSize.read(`${count}${unit}`)).toEqual(found)
        expect(positiveByteSize.read(`${count}${unit}`)).toEqual(Option.filter(found, (value) => value > 0))
      }),
    )
  })

  it("is shown as a text that means the same", () => {
    FastCheck.assert(
      FastCheck.property(amount, unitOf(bytes), (count, [, size]) => {
        expect(byteSize.read(byteSize.show(count * size))).toEqual(Option.some(count * size))
      }),
    )
  })

  it.each(["", "k", "1 k", "1.5m", "1t", "1ib", "1kk", "1bk", "-1", "9007199254740993", "9999999g"])(
    "is none of %j",
    (text) => expect(byteSize.read(text)).toEqual(Option.none()),
  )
})
