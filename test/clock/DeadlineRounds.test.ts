import { assert, describe, it, vi } from "@effect/vitest"
import { DeadlineRounds } from "../../src/clock/DeadlineRounds.js"
import { Deadline } from "../../src/clock/Deadlines.js"

describe("DeadlineRounds", () => {
  it("give one round for each length, and keep few that nothing runs in, whatever lengths rows name", () => {
    const rounds = new DeadlineRounds()
    const deadline = new Deadline({ expire: () => {} })
    const running = rounds.of(5_000)
    running.start(deadline)
    for (let length = 10_000; length < 11_000; length++) rounds.of(length)
    assert.isAtMost(rounds.size, 65)
    assert.strictEqual(rounds.of(5_000), running)
    rounds.clear()
    assert.isFalse(deadline.isRunning)
  })

  it("leave no timer behind of a length that they have let go, however long it is", () => {
    vi.useFakeTimers()
    try {
      const rounds = new DeadlineRounds()
      const deadline = new Deadline({ expire: () => {} })
      for (let length = 3_600_000; length < 3_601_000; length++) {
        const round = rounds.of(length)
        round.start(deadline)
        round.stop(deadline)
      }
      assert.isAtMost(vi.getTimerCount(), 65)
    } finally {
      vi.useRealTimers()
    }
  })
})
