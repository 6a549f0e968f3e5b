import { assert, describe, it } from "@effect/vitest"
import { EndOfTurn, type TurnListener } from "../../src/clock/EndOfTurn.js"

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))

describe("EndOfTurn", () => {
  it("tells each that waits once, in order, and not before the turn is over", async () => {
    const turn = new EndOfTurn<TurnListener>()
    const told: Array<number> = []
    for (const name of [1, 2, 3]) turn.add({ turnEnded: () => void told.push(name) })
    await Promise.resolve()
    assert.deepStrictEqual(told, [])
    await nextTurn()
    assert.deepStrictEqual(told, [1, 2, 3])
    await nextTurn()
    assert.deepStrictEqual(told, [1, 2, 3])
  })

  it("tells who comes while it tells others at the end of another turn", async () => {
    const turn = new EndOfTurn<TurnListener>()
    const told: Array<string> = []
    const late = { turnEnded: () => void told.push("late") }
    turn.add({
      turnEnded: () => {
        told.push("early")
        turn.add(late)
      },
    })
    await nextTurn()
    assert.deepStrictEqual(told, ["early"])
    await nextTurn()
    assert.deepStrictEqual(told, ["early", "late"])
  })
})
