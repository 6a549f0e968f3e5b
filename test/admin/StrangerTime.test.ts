import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { StrangerTime } from "../../src/admin/StrangerTime.js"

const busyFor = (milliseconds: number): void => {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

describe("the time of strangers", () => {
  it("is a share of the event loop's: a few are answered at once, others wait, and more are turned away", () => {
    let answered = 0
    const waiting: Array<Effect.Effect<void>> = []
    const fork = (effect: Effect.Effect<void>): unknown =>
      effect === work ? Effect.runSync(effect) : waiting.push(effect)
    const work = Effect.sync(() => {
      busyFor(5)
      answered++
    })
    const strangers = new StrangerTime(fork)
    const taken = Array.from({ length: 200 }, () => strangers.run(work)).filter((isTaken) => isTaken).length
    // One millisecond each, it was thought, of the fifty that there are at once.
    assert.isAtLeast(answered, 5)
    assert.isAtMost(answered, 50)
    assert.isAbove(waiting.length, 20)
    assert.strictEqual(taken, answered + waiting.length)
    assert.isBelow(taken, 200)
  })

  it("comes for each who waits", async () => {
    const strangers = new StrangerTime(Effect.runFork)
    let answered = 0
    await new Promise<void>((resolve) => {
      const work = Effect.sync(() => {
        busyFor(1)
        if (++answered === 60) resolve()
      })
      for (let count = 0; count < 60; count++) strangers.run(work)
      assert.isBelow(answered, 60)
    })
  })
})
