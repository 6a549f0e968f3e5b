import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { Deadline, Deadlines, type Expirable } from "../../src/clock/Deadlines.js"

/** How late a deadline may be told of, in milliseconds. */
const lateness = 6

class Item implements Expirable {
  readonly deadline = new Deadline(this)
  expiredAt: Array<number> = []
  whenExpired = (): void => {}

  readonly expire = (): void => {
    this.expiredAt.push(performance.now())
    this.whenExpired()
  }
}

describe("Deadlines", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("expire once, not before their time", () => {
    const deadlines = new Deadlines(100)
    const item = new Item()
    deadlines.start(item.deadline)
    vi.advanceTimersByTime(99)
    assert.deepStrictEqual(item.expiredAt, [])
    vi.advanceTimersByTime(1_000)
    assert.strictEqual(item.expiredAt.length, 1)
  })

  it("never expire where their length is 0", () => {
    const deadlines = new Deadlines(0)
    const item = new Item()
    deadlines.start(item.deadline)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("do not expire once they are stopped, and may be stopped twice", () => {
    const deadlines = new Deadlines(100)
    const item = new Item()
    deadlines.start(item.deadline)
    deadlines.stop(item.deadline)
    deadlines.stop(item.deadline)
    vi.advanceTimersByTime(1_000)
    assert.deepStrictEqual(item.expiredAt, [])
  })

  it("keep one timer, and none when nothing runs", () => {
    const deadlines = new Deadlines(100)
    const items = Array.from({ length: 50 }, () => new Item())
    for (const item of items) {
      deadlines.start(item.deadline)
      vi.advanceTimersByTime(1)
      assert.strictEqual(vi.getTimerCount(), 1)
    }
    vi.advanceTimersByTime(1_000)
    assert.isTrue(items.every(({ expiredAt }) => expiredAt.length === 1))
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("stop all at once", () => {
    const deadlines = new Deadlines(100)
    const item = new Item()
    deadlines.start(item.deadline)
    deadlines.clear()
    vi.advanceTimersByTime(1_000)
    assert.deepStrictEqual(item.expiredAt, [])
    deadlines.start(item.deadline)
    vi.advanceTimersByTime(1_000)
    assert.strictEqual(item.expiredAt.length, 1)
  })

  it("may be started, stopped and cleared from within one that expires", () => {
    const deadlines = new Deadlines(100)
    const [first, second, third] = [new Item(), new Item(), new Item()]
    first.whenExpired = () => {
      deadlines.stop(second.deadline)
      if (first.expiredAt.length === 1) deadlines.start(first.deadline)
    }
    for (const item of [first, second, third]) deadlines.start(item.deadline)
    vi.advanceTimersByTime(1_000)
    assert.deepStrictEqual(
      [first, second, third].map(({ expiredAt }) => expiredAt.length),
      [2, 0, 1],
    )
    third.whenExpired = () => deadlines.clear()
    for (const item of [third, second]) deadlines.start(item.deadline)
    vi.advanceTimersByTime(1_000)
    assert.deepStrictEqual([second.expiredAt.length, third.expiredAt.length], [0, 2])
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("keep their time, whatever the order of starts and stops", () => {
    const act = fc.record({
      item: fc.nat({ max: 4 }),
      starts: fc.boolean(),
      pause: fc.nat({ max: 40 }),
    })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), fc.integer({ min: 1, max: 60 }), (acts, length) => {
        const deadlines = new Deadlines(length)
        const items = Array.from({ length: 5 }, () => new Item())
        const due = new Map<Item, number>()
        for (const { item: index, starts, pause } of acts) {
          const item = items[index] ?? new Item()
          if (starts) {
            deadlines.start(item.deadline)
            due.set(item, performance.now() + length)
          } else {
            deadlines.stop(item.deadline)
            due.delete(item)
          }
          vi.advanceTimersByTime(pause)
          const now = performance.now()
          for (const other of items) {
            const expiry = due.get(other)
            for (const at of other.expiredAt.splice(0)) {
              if (expiry === undefined) return assert.fail("expired, though it was not running")
              assert.isTrue(at >= expiry && at <= expiry + lateness, `expired at ${at}, due at ${expiry}`)
              due.delete(other)
            }
            const still = due.get(other)
            assert.isTrue(still === undefined || still + lateness >= now, "is due, and has not expired")
          }
        }
        deadlines.clear()
      }),
    )
  })
})
