import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Either, FastCheck as fc, Fiber, Option, Stream } from "effect"
import { type ChunkProducer, ChunkSource, type Consumption } from "../../src/wire/ChunkSource.js"

/** A producer that counts, and checks that it is asked to pause and to resume in turn. */
class Recorder implements ChunkProducer {
  paused = false
  pauses = 0
  resumes = 0
  cancels = 0

  readonly pause = (): void => {
    assert.isFalse(this.paused, "paused twice")
    this.paused = true
    this.pauses++
  }

  readonly resume = (): void => {
    assert.isTrue(this.paused, "resumed without a pause")
    this.paused = false
    this.resumes++
  }

  readonly cancel = (): void => {
    this.cancels++
  }
}

const makeSource = (highWater = 8) => {
  const producer = new Recorder()
  return { producer, source: new ChunkSource<string>(producer, highWater) }
}

/** A consumer that takes what `wants` says, and records what it was told. */
class Taker {
  readonly taken: Array<number> = []
  ends: Array<ReadonlyArray<string> | string> = []
  wants = true

  readonly consumer = {
    chunk: (chunk: Uint8Array): Consumption => {
      assert.deepStrictEqual(this.ends, [], "a chunk behind the end")
      this.taken.push(...chunk)
      return this.wants ? "consumed" : "full"
    },
    end: (trailers: ReadonlyArray<string>): void => void this.ends.push(trailers),
    fail: (error: string): void => void this.ends.push(error),
    defect: () => assert.fail("a defect"),
  }
}

type Step = { readonly do: "push"; readonly size: number } | { readonly do: "demand" | "hold" | "take" }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("push" as const), size: fc.integer({ min: 0, max: 6 }) }),
  fc.record({ do: fc.constantFrom("demand" as const, "hold" as const, "take" as const) }),
)

const script = fc.record({
  steps: fc.array(step, { maxLength: 40 }),
  consumeAt: fc.nat({ max: 40 }),
  fails: fc.boolean(),
  highWater: fc.integer({ min: 1, max: 12 }),
})

/** Numbered bytes, so that what is lost, doubled or out of order shows. */
const numbered = (from: number, size: number) => Uint8Array.from({ length: size }, (_, index) => (from + index) % 251)

describe("a ChunkSource that is consumed", () => {
  it("delivers everything once and in order, then its end, whatever the order of calls", () => {
    fc.assert(
      fc.property(script, ({ steps, consumeAt, fails, highWater }) => {
        const { producer, source } = makeSource(highWater)
        const taker = new Taker()
        let pushed = 0
        let consuming = false
        const consume = (): void => {
          consuming = true
          source.consume(taker.consumer)
        }
        for (const [index, next] of steps.entries()) {
          if (index === consumeAt) consume()
          if (next.do === "push") {
            source.push(numbered(pushed, next.size))
            pushed += next.size
          } else if (next.do === "demand" && consuming) {
            taker.wants = true
            source.demand()
          } else if (next.do === "hold") {
            taker.wants = false
          }
        }
        if (fails) source.fail("broken")
        else source.end(["T", "1"])
        if (!consuming) consume()
        taker.wants = true
        source.demand()
        assert.deepStrictEqual(taker.taken, [...numbered(0, pushed)])
        assert.deepStrictEqual(taker.ends, [fails ? "broken" : ["T", "1"]])
        assert.strictEqual(producer.cancels, 0)
        assert.isTrue(source.isFinished)
      }),
      { numRuns: 500 },
    )
  })

  it("has paused its producer exactly while too much waits or the consumer holds", () => {
    fc.assert(
      fc.property(script, ({ steps, highWater }) => {
        const { producer, source } = makeSource(highWater)
        const taker = new Taker()
        source.consume(taker.consumer)
        let pushed = 0
        for (const next of steps) {
          if (next.do === "push") {
            // A producer that minds the pause, as all of ours do.
            if (producer.paused) continue
            source.push(numbered(pushed, next.size))
            pushed += next.size
          } else if (next.do === "demand") {
            taker.wants = true
            source.demand()
            assert.isFalse(producer.paused, "paused though everything was taken")
            assert.strictEqual(taker.taken.length, pushed)
          } else {
            taker.wants = false
          }
        }
        assert.isAtMost(pushed - taker.taken.length, highWater + 6)
      }),
      { numRuns: 300 },
    )
  })

  it("puts together what waits in very many pieces, in memory of its own, and loses none of it", () => {
    const { source } = makeSource(Infinity)
    let rooms = 0
    let room: Buffer | undefined
    for (let index = 0; index < 100_000; index++) {
      if (room === undefined) rooms++
      const piece = room ?? Buffer.alloc(1)
      piece[0] = index
      // What is needed no more is written over.
      room = source.push(piece) ? undefined : piece
    }
    assert.isBelow(rooms, 200)
    const sizes: Array<number> = []
    let next = 0
    source.consume({
      chunk: (chunk) => {
        for (const byte of chunk) if (byte !== (next++ & 0xff)) throw new Error(`byte ${next - 1} is ${byte}`)
        sizes.push(chunk.byteLength)
        return "consumed"
      },
      end: () => {},
      fail: () => {},
      defect: () => {},
    })
    assert.strictEqual(next, 100_000)
    assert.isBelow(sizes.length, 200)
  })

  it("cancels its producer once, and then takes and gives nothing", () => {
    const { producer, source } = makeSource()
    const taker = new Taker()
    source.push(numbered(0, 3))
    source.cancel()
    source.cancel()
    source.push(numbered(3, 3))
    source.end()
    source.consume(taker.consumer)
    assert.strictEqual(producer.cancels, 1)
    assert.deepStrictEqual(taker.taken, [])
  })

  it("does not cancel a producer that has finished", () => {
    const { producer, source } = makeSource()
    source.end()
    source.cancel()
    assert.strictEqual(producer.cancels, 0)
  })

  it("keeps to its first end", () => {
    const { source } = makeSource()
    const taker = new Taker()
    source.fail("first")
    source.end(["T", "1"])
    source.fail("second")
    source.push(numbered(0, 1))
    source.consume(taker.consumer)
    assert.deepStrictEqual([taker.taken, taker.ends], [[], ["first"]])
  })

  it("may be cancelled from within a chunk", () => {
    const { producer, source } = makeSource()
    const taken: Array<Uint8Array> = []
    source.push(numbered(0, 1))
    source.push(numbered(1, 1))
    source.consume({
      chunk: (chunk) => {
        taken.push(chunk)
        source.cancel()
        return "consumed"
      },
      end: () => assert.fail("ended"),
      fail: () => assert.fail("failed"),
      defect: () => assert.fail("a defect"),
    })
    assert.deepStrictEqual([taken.length, producer.cancels], [1, 1])
  })
})

describe("a ChunkSource that is pulled", () => {
  it.effect("delivers everything once and in order, then its end, however pulls and pushes meet", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(script, async ({ steps, fails, highWater }) => {
          const { producer, source } = makeSource(highWater)
          const taken: Array<number> = []
          const reader = Effect.runFork(
            Effect.flip(Effect.forever(Effect.map(source.pull, (chunk) => void taken.push(...chunk)))),
          )
          let pushed = 0
          for (const next of steps) {
            if (next.do === "push") {
              source.push(numbered(pushed, next.size))
              pushed += next.size
            } else {
              await Promise.resolve()
            }
          }
          if (fails) source.fail("broken")
          else source.end()
          const failure = await Effect.runPromise(Fiber.join(reader))
          assert.deepStrictEqual(failure, fails ? Option.some("broken") : Option.none())
          assert.deepStrictEqual(taken, [...numbered(0, pushed)])
          assert.strictEqual(producer.cancels, 0)
        }),
        { numRuns: 100 },
      ),
    ),
  )

  it.effect("lets its producer go on when what waited has been pulled", () =>
    Effect.gen(function* () {
      const { producer, source } = makeSource(4)
      source.push(numbered(0, 3))
      source.push(numbered(3, 3))
      assert.isTrue(producer.paused)
      yield* source.pull
      assert.isTrue(producer.paused)
      yield* source.pull
      assert.isFalse(producer.paused)
    }),
  )

  it.effect("loses nothing to a pull that is interrupted", () =>
    Effect.gen(function* () {
      const { source } = makeSource()
      const waiting = yield* Effect.fork(source.pull)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      source.push(numbered(0, 2))
      assert.deepStrictEqual([...(yield* source.pull)], [0, 1])
    }),
  )

  it.effect("is a Stream that cancels what is not read", () =>
    Effect.gen(function* () {
      const { producer, source } = makeSource()
      source.push(numbered(0, 1))
      source.push(numbered(1, 1))
      const first = yield* Stream.runCollect(Stream.take(source.stream, 1))
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(first).map((chunk) => [...chunk]),
        [[0]],
      )
      assert.strictEqual(producer.cancels, 1)
    }),
  )

  it.effect("is a Stream that fails behind what had arrived", () =>
    Effect.gen(function* () {
      const { producer, source } = makeSource()
      const seen = yield* Deferred.make<number>()
      source.push(numbered(7, 1))
      source.fail("broken")
      const ended = yield* Effect.either(
        Stream.runForEach(source.stream, (chunk) => Deferred.succeed(seen, chunk[0] ?? -1)),
      )
      assert.deepStrictEqual(ended, Either.left("broken"))
      assert.strictEqual(yield* Deferred.await(seen), 7)
      assert.strictEqual(producer.cancels, 0)
    }),
  )
})
