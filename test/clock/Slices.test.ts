import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Slices, type Steps } from "../../src/clock/Slices.js"

/** A step that takes at least so many milliseconds. */
const busyFor = (milliseconds: number): void => {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

/** Work of `count` steps, which writes down in which turn each was taken. */
class Recorded implements Steps {
  readonly turns: Array<number> = []

  constructor(
    private readonly count: number,
    private readonly turn: () => number,
    private readonly milliseconds: number,
  ) {}

  readonly step = (): boolean => {
    busyFor(this.milliseconds)
    this.turns.push(this.turn())
    return this.turns.length < this.count
  }
}

/** Counts the turns of the event loop from now on, until `isOver`. */
const turnsUntil = (start: (turn: () => number) => void, isOver: () => boolean): Effect.Effect<number> =>
  Effect.async((resume) => {
    let turn = 0
    start(() => turn)
    const next = (): void => {
      turn++
      if (isOver()) resume(Effect.succeed(turn))
      else setImmediate(next)
    }
    setImmediate(next)
  })

const countOf = (turns: ReadonlyArray<number>, turn: number): number => turns.filter((one) => one === turn).length

describe("Slices", () => {
  it("does what is little at once", () => {
    const work = new Recorded(3, () => 0, 0)
    new Slices().add(work)
    assert.strictEqual(work.turns.length, 3)
  })

  it("goes on with what waits behind work whose step throws", () => {
    const slices = new Slices()
    let thrown = 0
    const broken = (): boolean => {
      thrown++
      throw new Error("a defect")
    }
    assert.throws(() => slices.add({ step: broken }))
    const work = new Recorded(3, () => 0, 0)
    slices.add(work)
    assert.deepStrictEqual([thrown, work.turns.length], [1, 3])
  })

  it.live("takes a few steps of a millisecond in a turn, and all in the end", () =>
    Effect.gen(function* () {
      const works: Array<Recorded> = []
      const start = (turn: () => number): void => {
        const slices = new Slices()
        works.push(new Recorded(20, turn, 1), new Recorded(1, turn, 1), new Recorded(20, turn, 1))
        for (const work of works) slices.add(work)
      }
      const turns = yield* turnsUntil(start, () => works.every(({ turns }) => turns.length > 0) && doneBy(works) === 41)
      const taken = works.flatMap((work) => work.turns)
      // Four in a slice; between two looks at the clock of turns there may be two slices.
      for (let turn = 0; turn < turns; turn++) assert.isAtMost(countOf(taken, turn), 8)
      assert.deepStrictEqual(
        taken,
        taken.toSorted((one, other) => one - other),
      )
    }),
  )

  it.live("shares the slice of a turn among all that is added in it", () =>
    Effect.gen(function* () {
      const works: Array<Recorded> = []
      const start = (turn: () => number): void => {
        const slices = new Slices()
        for (let index = 0; index < 30; index++) works.push(new Recorded(1, turn, 1))
        for (const work of works) slices.add(work)
      }
      const turns = yield* turnsUntil(start, () => doneBy(works) === 30)
      assert.isAtLeast(turns, 6)
    }),
  )
})

function doneBy(works: ReadonlyArray<Recorded>): number {
  return works.reduce((sum, { turns }) => sum + turns.length, 0)
}
