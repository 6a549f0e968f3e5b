import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, FastCheck as fc, Stream } from "effect"
import { type Fork, forkInto } from "../../src/step/Call.js"
import { type Body, bytes, empty, flowOf, moving, streamOf, through } from "../../src/wire/Body.js"
import { type ChunkProducer, ChunkSource, type Consumption } from "../../src/wire/ChunkSource.js"
import { perChunk, type Stage } from "../../src/wire/Stage.js"

type Failing = "source broke" | "stage broke"

const nothing = new Uint8Array(0)

/** Lets everything through as it is. */
const plain: Stage<Failing> = perChunk(() => ({ chunk: (chunk) => chunk, end: () => nothing }), { resizes: false })

/** Leaves every other byte out, counted over the whole content. */
const everyOther: Stage<Failing> = perChunk(
  () => {
    let seen = 0
    return { chunk: (chunk) => chunk.filter(() => seen++ % 2 === 0), end: () => nothing }
  },
  { resizes: true },
)

/** Adds the sum of what it saw behind the end. */
const summed: Stage<Failing> = perChunk(
  () => {
    let sum = 0
    return {
      chunk: (chunk) => {
        for (const byte of chunk) sum += byte
        return chunk
      },
      end: () => Uint8Array.of(sum & 0xff),
    }
  },
  { resizes: true },
)

/** Breaks off behind so many bytes. */
const breakingBehind = (limit: number): Stage<Failing> => ({
  stream: (body) => {
    let seen = 0
    return Stream.mapEffect(body, (chunk) => {
      seen += chunk.byteLength
      return seen > limit ? Exit.fail("stage broke" as const) : Exit.succeed(chunk)
    })
  },
  fused: (next) => {
    let seen = 0
    return {
      chunk: (chunk) => {
        seen += chunk.byteLength
        if (seen <= limit) return next.chunk(chunk)
        next.fail("stage broke")
        return "consumed"
      },
      end: (trailers) => next.end(trailers),
      fail: (error) => next.fail(error),
      defect: (cause) => next.defect(cause),
    }
  },
  resizes: false,
})

const stages: ReadonlyArray<readonly [name: string, stages: ReadonlyArray<Stage<Failing>>]> = [
  ["one that lets everything through", [plain]],
  ["one that leaves bytes out", [everyOther]],
  ["one that adds something behind the end", [summed]],
  ["one that breaks off", [breakingBehind(5)]],
  ["several", [plain, everyOther, summed, breakingBehind(40), plain]],
]

/** The same without its fused form, so that it runs as a Stream. */
const asStream = ({ resizes, stream }: Stage<Failing>): Stage<Failing> => ({ resizes, stream })

type Content = Exclude<Body<Failing>, { readonly _tag: "Empty" }>

const behind = (body: Content, passed: ReadonlyArray<Stage<Failing>>): Content => {
  const staged = through(body, passed)
  return staged._tag === "Empty" ? assert.fail("content became none") : staged
}

class Producer implements ChunkProducer {
  isPaused = false
  cancels = 0
  readonly pause = (): void => void (this.isPaused = true)
  readonly resume = (): void => void (this.isPaused = false)
  readonly cancel = (): void => void this.cancels++
}

/** What came of a body: its bytes, and how it ended. */
interface Outcome {
  readonly content: ReadonlyArray<number>
  readonly end: ReadonlyArray<string> | Failing | { readonly defect: unknown }
}

/** Takes a body as its sink does, holding whenever `holds` says so, and going on a turn later. */
const take = (body: Content, fork: Fork, holds: (count: number) => boolean = () => false): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const content: Array<number> = []
    let count = 0
    let isHeld = false
    const flow = flowOf(body, fork)
    const ended = (end: Outcome["end"]): void => resume(Effect.succeed({ content, end }))
    flow.consume({
      chunk: (chunk): Consumption => {
        assert.isFalse(isHeld, "a chunk while the sink holds")
        content.push(...chunk)
        isHeld = holds(count++)
        if (!isHeld) return "buffered"
        setImmediate(() => {
          isHeld = false
          flow.demand()
        })
        return "full"
      },
      end: ended,
      fail: ended,
      defect: (cause) => ended({ defect: cause }),
    })
    return Effect.sync(() => flow.cancel())
  })

const chunking = fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), { maxLength: 12 })
const ending = fc.constantFrom<ReadonlyArray<string> | "source broke">([], ["T", "1"], "source broke")

/** A body of these chunks, pushed a turn apart. */
const movingOf = (chunks: ReadonlyArray<Uint8Array>, end: ReadonlyArray<string> | "source broke") => {
  const source = new ChunkSource<Failing>(new Producer())
  const push = (index: number): void => {
    const chunk = chunks[index]
    if (chunk !== undefined) source.push(chunk)
    if (index < chunks.length) return void setImmediate(push, index + 1)
    if (typeof end === "string") source.fail(end)
    else source.end(end)
  }
  setImmediate(push, 0)
  return moving(source, true)
}

describe("stages do the same on callbacks as as a Stream:", () => {
  for (const [name, passed] of stages) {
    it.live(`${name}, over any chunks, whoever holds`, () =>
      Effect.gen(function* () {
        const fork = forkInto(yield* Effect.runtime<never>())
        const noFiber: Fork = () => assert.fail("a fiber for stages that are all fused")
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(chunking, ending, fc.integer({ min: 1, max: 4 }), async (chunks, end, every) => {
              const holds = (count: number) => count % every === 0
              const fused = behind(movingOf(chunks, end), passed)
              const streamed = behind(movingOf(chunks, end), passed.map(asStream))
              const mixed = behind(movingOf(chunks, end), [plain, ...passed.map(asStream)])
              const [first, second, third] = await Promise.all([
                Effect.runPromise(take(fused, noFiber, holds)),
                Effect.runPromise(take(streamed, fork, holds)),
                Effect.runPromise(take(mixed, fork, holds)),
              ])
              assert.deepStrictEqual(second, first)
              assert.deepStrictEqual(third, first)
            }),
            { numRuns: 60 },
          ),
        )
      }),
    )

    it.live(`${name}, over content that is here`, () =>
      Effect.gen(function* () {
        const fork = forkInto(yield* Effect.runtime<never>())
        const content = Uint8Array.from({ length: 30 }, (_, index) => index)
        const body = bytes<Failing>(content, false, ["T", "1"])
        const fused = yield* take(behind(body, passed), fork)
        assert.deepStrictEqual(yield* take(behind(body, passed.map(asStream)), fork), fused)
        // It is a description: the same again.
        assert.deepStrictEqual(yield* take(behind(body, passed), fork), fused)
      }),
    )
  }
})

const withTwo = (stage: Stage<Failing>) => {
  const producer = new Producer()
  const source = new ChunkSource<Failing>(producer)
  return { producer, source, body: behind(moving(source, true), [stage]) }
}

describe("a body that passes stages", () => {
  it("says no length any more where a stage changes it, and keeps it else", () => {
    const body = bytes<Failing>(Uint8Array.of(1), false)
    assert.isTrue(behind(body, [plain, everyOther]).chunked)
    assert.isFalse(behind(body, [plain]).chunked)
    assert.strictEqual(through(empty, [everyOther]), empty)
  })

  for (const [way, stage] of [
    ["on callbacks", plain],
    ["as a Stream", asStream(plain)],
  ] as const) {
    it.live(`${way}: stops its producer while the sink holds, and lets it go on`, () =>
      Effect.gen(function* () {
        const fork = forkInto(yield* Effect.runtime<never>())
        const { body, producer, source } = withTwo(stage)
        const flow = flowOf(body, fork)
        const taken = yield* Deferred.make<void>()
        const ended = yield* Deferred.make<void>()
        let chunks = 0
        flow.consume({
          chunk: () => {
            Deferred.unsafeDone(taken, Exit.void)
            return ++chunks === 1 ? "full" : "buffered"
          },
          end: () => Deferred.unsafeDone(ended, Exit.void),
          fail: () => assert.fail("failed"),
          defect: () => assert.fail("a defect"),
        })
        source.push(new Uint8Array(70_000))
        yield* Deferred.await(taken)
        source.push(new Uint8Array(70_000))
        assert.isTrue(producer.isPaused)
        flow.demand()
        while (producer.isPaused) yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
        source.end()
        yield* Deferred.await(ended)
        assert.strictEqual(chunks, 2)
      }),
    )

    it.live(`${way}: cancels its producer when nobody wants the rest, once`, () =>
      Effect.gen(function* () {
        const fork = forkInto(yield* Effect.runtime<never>())
        const { body, producer, source } = withTwo(stage)
        const flow = flowOf(body, fork)
        const unwanted = (): never => assert.fail("told something after a cancel")
        flow.consume({ chunk: unwanted, end: unwanted, fail: unwanted, defect: unwanted })
        flow.cancel()
        flow.cancel()
        source.push(Uint8Array.of(1))
        source.end()
        yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
        assert.strictEqual(producer.cancels, 1)
      }),
    )
  }

  it.live("cancels its producer when a stage breaks off", () =>
    Effect.gen(function* () {
      const fork = forkInto(yield* Effect.runtime<never>())
      for (const stage of [breakingBehind(1), asStream(breakingBehind(1))]) {
        const { body, producer, source } = withTwo(stage)
        const outcome = yield* Effect.fork(take(body, fork))
        yield* Effect.yieldNow()
        source.push(Uint8Array.of(1, 2))
        assert.deepStrictEqual(yield* outcome, { content: [], end: "stage broke" })
        assert.strictEqual(producer.cancels, 1)
      }
    }),
  )

  it.live("tells of a stage that throws, and of nothing behind that", () =>
    Effect.gen(function* () {
      const fork = forkInto(yield* Effect.runtime<never>())
      const throwing: Stage<Failing> = perChunk(
        () => ({
          chunk: () => {
            throw new Error("a bug")
          },
          end: () => nothing,
        }),
        { resizes: false },
      )
      for (const stage of [throwing, asStream(throwing)]) {
        const { end } = yield* take(behind(bytes<Failing>(Uint8Array.of(1)), [stage]), fork)
        assert.instanceOf("defect" in Object(end) && Object(end).defect, Error)
      }
    }),
  )

  it.effect("is a Stream for whoever wants one", () =>
    Effect.gen(function* () {
      const body = through(bytes<Failing>(Uint8Array.of(1, 2, 3)), [everyOther, summed])
      const chunks = yield* Stream.runCollect(streamOf(body))
      assert.strictEqual(Buffer.concat([...chunks]).toString("hex"), "010304")
      assert.strictEqual(yield* Stream.runCount(streamOf<Failing>(empty)), 0)
    }),
  )
})
