import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Answered } from "../../src/admin/fleet/Fleet.js"
import type { AnswerOf } from "../../src/admin/fleet/Questions.js"
import { catalogue, cellCount } from "../../src/telemetry/Catalogue.js"
import { FleetMemory } from "../../src/workers/FleetMemory.js"

const { connections, connectionsAccepted } = catalogue

const said = <A>(name: string, answer: A): Answered<A> => ({ from: { name, generation: 1 }, answer })

/** The cells of a worker that has accepted so many connections, of which so many are open. */
const cells = (name: string, accepted: number, open: number): Answered<Float64Array> => {
  const values = new Float64Array(cellCount)
  values[connectionsAccepted.offset] = accepted
  values[connections.offset] = open
  return said(name, values)
}

const noneGone = () => Effect.succeed(new Set<string>())

const countsOf = (memory: FleetMemory, ...found: ReadonlyArray<Answered<Float64Array>>) => {
  const all = memory.counted(found)
  return [all[connectionsAccepted.offset], all[connections.offset]]
}

type Series = AnswerOf<"series">[number]

const numbers = (session: string, requests: number, webSockets = 0): Series => ({
  session,
  requests: [0, requests, 0, 0, 0, 0],
  bytesIn: requests * 10,
  bytesOut: 0,
  firstBytes: 0,
  firstByteTime: 0,
  webSockets,
})

const seriesOf = (memory: FleetMemory, ...found: ReadonlyArray<Answered<ReadonlyArray<Series>>>) =>
  Effect.map(memory.series(found), (all) =>
    all.map(({ bytesIn, requests, session, webSockets }) => [session, requests[1], bytesIn, webSockets]),
  )

describe("what a supervisor remembers of what its workers have counted", () => {
  it("never falls: who does not answer counts as before, and who is gone keeps what only grows", () => {
    const memory = new FleetMemory(0, noneGone)
    memory.came("1.1")
    memory.came("2.2")
    assert.deepStrictEqual(countsOf(memory, cells("1.1", 5, 2), cells("2.2", 7, 3)), [12, 5])
    assert.deepStrictEqual(countsOf(memory, cells("1.1", 6, 1)), [13, 4])
    memory.gone("2.2")
    assert.deepStrictEqual(countsOf(memory, cells("1.1", 6, 1)), [13, 1])
    memory.came("2.3")
    assert.deepStrictEqual(countsOf(memory, cells("1.1", 6, 1), cells("2.3", 1, 1)), [14, 2])
    assert.deepStrictEqual(countsOf(memory, cells("2.3", 0, 0)), [14, 1])
  })

  it("takes the last that a worker says before it ends, and nothing that comes behind its end", () => {
    const memory = new FleetMemory(1, noneGone)
    memory.came("1.1")
    assert.deepStrictEqual(countsOf(memory, cells("1.1", 5, 2)), [5, 2])
    memory.told("1.1", cells("1.1", 9, 0).answer, [])
    memory.gone("1.1")
    assert.deepStrictEqual(countsOf(memory, cells("1.1", 9, 0)), [9, 0])
  })

  it.effect("has numbers of sessions that never fall, also where a worker has given up its place or is gone", () =>
    Effect.gen(function* () {
      const memory = new FleetMemory(1, noneGone)
      memory.came("1.1")
      memory.came("2.2")
      const both = [said("1.1", [numbers("app", 3, 1)]), said("2.2", [numbers("app", 4), numbers("late", 2, 1)])]
      assert.deepStrictEqual(yield* seriesOf(memory, ...both), [
        ["app", 7, 70, 1],
        ["", 2, 20, 1],
      ])
      assert.deepStrictEqual(yield* seriesOf(memory, said("1.1", []), said("2.2", [numbers("app", 5)])), [
        ["app", 8, 80, 0],
        ["", 2, 20, 0],
      ])
      memory.gone("2.2")
      assert.deepStrictEqual(yield* seriesOf(memory, said("1.1", [numbers("app", 1)])), [
        ["app", 9, 90, 0],
        ["", 2, 20, 0],
      ])
    }),
  )

  it.effect("gives the place of a session whose row is gone to another", () =>
    Effect.gen(function* () {
      const memory = new FleetMemory(1, (ids) => Effect.succeed(new Set(ids)))
      memory.came("1.1")
      assert.deepStrictEqual(yield* seriesOf(memory, said("1.1", [numbers("app", 3)])), [
        ["app", 3, 30, 0],
        ["", 0, 0, 0],
      ])
      assert.deepStrictEqual(yield* seriesOf(memory, said("1.1", [])), [["", 0, 0, 0]])
      assert.deepStrictEqual(yield* seriesOf(memory, said("1.1", [numbers("late", 1)])), [
        ["late", 1, 10, 0],
        ["", 0, 0, 0],
      ])
    }),
  )
})
