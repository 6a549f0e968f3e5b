import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, TestClock } from "effect"
import { StoreUnavailable } from "../../../src/domain/ProxyError.js"
import { batches, type Lane } from "../../../src/sessions/postgres/UnknownRows.js"

/** What was asked at a time, and waits for the test to answer. */
interface Asked {
  readonly keys: ReadonlyArray<string>
  readonly answer: Deferred.Deferred<void, StoreUnavailable>
}

const start = (lane: Pick<Lane<string>, "underWay" | "patience">) =>
  Effect.gen(function* () {
    const asked: Array<Asked> = []
    const { failAll, find } = yield* batches<string>({
      collects: 1,
      ...lane,
      ask: (keys) =>
        Effect.gen(function* () {
          const answer = yield* Deferred.make<void, StoreUnavailable>()
          asked.push({ keys, answer })
          yield* Deferred.await(answer)
          return (key) => `row of ${key}`
        }),
    })
    const ask = (keys: ReadonlyArray<string>) => Effect.forEach(keys, (key) => Effect.fork(Effect.exit(find(key))))
    /** Lets what is collected be asked. */
    const later = Effect.zipRight(Effect.yieldNow(), TestClock.adjust(1))
    return { ask, asked, failAll, later }
  })

/** What somebody is told who gets no answer. */
const faultOf = (fiber: Fiber.Fiber<Exit.Exit<string, StoreUnavailable>> | undefined) =>
  fiber === undefined ? Effect.dieMessage("nobody has asked") : Effect.flip(Effect.flatten(Fiber.join(fiber)))

const range = (count: number) => Array.from({ length: count }, (_, index) => `s${index}`)

describe("questions for single rows", () => {
  it.scoped("are asked together, 200 at a time, and never more than two times at once", () =>
    Effect.gen(function* () {
      const { ask, asked, later } = yield* start({ underWay: 2 })
      const fibers = yield* ask(range(500))
      yield* later
      yield* later
      assert.deepStrictEqual(
        asked.map(({ keys }) => keys.length),
        [200, 200],
      )
      for (const { answer } of asked) yield* Deferred.succeed(answer, undefined)
      yield* later
      assert.deepStrictEqual(asked[2]?.keys, range(500).slice(400))
      yield* Effect.forEach(asked, ({ answer }) => Deferred.succeed(answer, undefined))
      const answers = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(
        answers,
        range(500).map((key) => Exit.succeed(`row of ${key}`)),
      )
    }),
  )

  it.scoped("of one row are one question, and fail together", () =>
    Effect.gen(function* () {
      const { ask, asked, later } = yield* start({ underWay: 2 })
      const fibers = yield* ask(["a", "a", "b"])
      yield* later
      assert.deepStrictEqual(asked[0]?.keys, ["a", "b"])
      const fault = new StoreUnavailable({ problem: "it is away", hint: "Wait." })
      for (const { answer } of asked) yield* Deferred.fail(answer, fault)
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), Array(3).fill(Exit.fail(fault)))
    }),
  )

  it.scoped("wait no longer than they may, and are not asked any more then", () =>
    Effect.gen(function* () {
      const { ask, asked, later } = yield* start({ underWay: 1, patience: 1_000 })
      yield* ask(["a"])
      yield* later
      const [late] = yield* ask(["b"])
      yield* later
      yield* TestClock.adjust(1_000)
      const fault = yield* faultOf(late)
      assert.isTrue(fault.isLate)
      // The first one is not answered either, which a lock on the table may be the reason of.
      assert.include(fault.message, "has not answered within a second")
      for (const one of asked) yield* Deferred.succeed(one.answer, undefined)
      yield* later
      assert.deepStrictEqual(
        asked.map(({ keys }) => keys),
        [["a"]],
      )
    }),
  )

  it.scoped("are told that there are too many of them only where others are answered", () =>
    Effect.gen(function* () {
      const { ask, asked, later } = yield* start({ underWay: 1, patience: 1_000 })
      const fibers = yield* ask(range(450))
      yield* later
      yield* Deferred.succeed(asked[0]?.answer ?? (yield* Deferred.make<void, StoreUnavailable>()), undefined)
      yield* later
      yield* TestClock.adjust(1_000)
      // Of the second query, which is not answered; and of a third one, which nobody came to.
      assert.include((yield* faultOf(fibers[200])).message, "has not answered")
      assert.include((yield* faultOf(fibers[449])).message, "too many ask")
    }),
  )

  it.scoped("are all told at once that there is no answer, asked or not", () =>
    Effect.gen(function* () {
      const { ask, asked, failAll, later } = yield* start({ underWay: 1 })
      const first = yield* ask(["a"])
      yield* later
      const second = yield* ask(["b"])
      yield* Effect.yieldNow()
      const fault = new StoreUnavailable({ problem: "it is away", hint: "Wait." })
      failAll(fault)
      assert.deepStrictEqual(yield* Effect.forEach([...first, ...second], Fiber.join), [
        Exit.fail(fault),
        Exit.fail(fault),
      ])
      assert.strictEqual(asked.length, 1)
    }),
  )
})
