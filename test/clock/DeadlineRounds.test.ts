import { assert, describe, it } from "@effect/vitest"
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
})
