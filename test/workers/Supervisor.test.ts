import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, LogLevel, Queue, type Scope } from "effect"
import { setLogLevel } from "../../src/workers/Messages.js"
import { supervise } from "../../src/workers/Supervisor.js"
import type { WorkerPool } from "../../src/workers/WorkerPool.js"
import type { WorkerLink } from "../../src/workers/Workers.js"
import { type Part, playedBy } from "./PlayedWorkers.js"

/** Who comes and goes from now on. */
const comings = (pool: WorkerPool) =>
  Effect.gen(function* () {
    const [came, gone] = [yield* Queue.unbounded<WorkerLink>(), yield* Queue.unbounded<WorkerLink>()]
    pool.service.watch({
      came: (worker) => void came.unsafeOffer(worker),
      gone: (worker) => void gone.unsafeOffer(worker),
    })
    return { came, gone }
  })

const generations = (pool: WorkerPool) => pool.service.all().map(({ generation }) => generation)

const itQuietly = (name: string, test: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.scopedLive(name, () => Logger.withMinimumLogLevel(test(), LogLevel.None))

describe("a supervisor", () => {
  itQuietly("ends with what the first worker said that cannot begin, and leaves none", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["fails"])
      const { gone } = yield* comings(pool)
      const failure = yield* Effect.flip(supervise(pool))
      assert.deepInclude(failure, { problem: "the moon is too bright", exitCode: 2 })
      yield* Queue.takeN(gone, 2)
    }),
  )

  itQuietly("replaces a worker that dies, and no other one", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["works"])
      yield* supervise(pool)
      const { came } = yield* comings(pool)
      const [first, second] = pool.service.all()
      if (first === undefined || second === undefined) return assert.fail("there are to be two")
      process.kill(first.pid, "SIGKILL")
      const next = yield* Queue.take(came)
      assert.deepEqual([next.number, next.generation], [first.number, 1])
      assert.notStrictEqual(next.name, first.name)
      assert.isTrue(pool.service.all().includes(second))
    }),
  )

  itQuietly("ends at the fifth death in one place, with its last words", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["dies"], { count: 1 })
      const { came } = yield* comings(pool)
      const { failed } = yield* supervise(pool)
      const { problem } = yield* Effect.flip(failed)
      assert.include(problem, "worker 1 has died too often")
      assert.include(problem, "ended with exit code 3")
      assert.strictEqual(yield* Queue.size(came), 5)
    }),
  )

  itQuietly("does not end where the next worker in a place says why it cannot begin, and others serve", () =>
    Effect.gen(function* () {
      const parts: Array<Part> = ["works"]
      const pool = yield* playedBy(parts)
      const { failed } = yield* supervise(pool)
      const { came } = yield* comings(pool)
      const first = pool.service.all().find(({ number }) => number === 1)
      parts[0] = "fails"
      process.kill(first?.pid ?? assert.fail("there is to be a first"), "SIGKILL")
      // With the one that was killed these would be five deaths.
      yield* Effect.raceFirst(Queue.takeN(came, 4), failed)
      parts[0] = "works"
      yield* Effect.raceFirst(Queue.take(came), failed)
      yield* Effect.repeat(Effect.sleep(10), { until: () => generations(pool).length === 2 })
    }),
  )

  itQuietly("kills and replaces a worker of which nothing is heard", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["is silent"], { count: 1, longestSilence: 2 })
      const { gone, came } = yield* comings(pool)
      yield* supervise(pool)
      const first = yield* Queue.take(came)
      assert.strictEqual((yield* Queue.take(gone)).name, first.name)
      yield* Queue.take(came)
    }),
  )

  itQuietly("lets a worker retire that was told to stop, when another one has begun in its place", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["asks to be replaced"], { count: 1 })
      const { came, gone } = yield* comings(pool)
      yield* supervise(pool)
      const first = yield* Queue.take(came)
      const next = yield* Queue.take(came)
      assert.deepEqual([next.number, next.generation], [1, 1])
      assert.strictEqual((yield* Queue.take(gone)).name, first.name)
    }),
  )

  itQuietly("reloads once at a time: who asks meanwhile waits for the next one, together with the others", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["works", "begins when told"])
      const { reload } = yield* supervise(pool)
      const { came, gone } = yield* comings(pool)
      const first = yield* Effect.fork(reload)
      yield* Queue.takeN(came, 2)
      const others = yield* Effect.forEach([1, 2, 3], () => Effect.fork(reload))
      assert.deepEqual(generations(pool), [1, 1])
      pool.tell(setLogLevel, { level: "info" })
      assert.deepEqual(yield* Fiber.join(first), { generation: 2, workers: 2, version: "9.9.9" })
      const results = yield* Effect.forEach(others, Fiber.join)
      assert.deepEqual(
        results.map(({ generation }) => generation),
        [3, 3, 3],
      )
      yield* Queue.takeN(gone, 4)
      assert.deepEqual(generations(pool), [3, 3])
    }),
  )

  itQuietly("goes on as before where new workers cannot begin", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["works", "fails"])
      const { reload } = yield* supervise(pool)
      const before = pool.service.all()
      const { problem } = yield* Effect.flip(reload)
      assert.strictEqual(problem, "the moon is too bright")
      assert.deepEqual(
        before.filter((worker) => !pool.service.all().includes(worker)),
        [],
      )
      assert.strictEqual((yield* reload).generation, 3)
    }),
  )

  itQuietly("refuses a reload while the workers of three others still finish what they have begun", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["stays", "stays", "stays", "works"], { count: 1 })
      const { gone } = yield* comings(pool)
      const { reload } = yield* supervise(pool)
      for (const generation of [2, 3, 4]) assert.strictEqual((yield* reload).generation, generation)
      const { problem } = yield* Effect.flip(reload)
      assert.include(problem, "the workers of 3 reloads still finish what they have begun")
      assert.deepEqual(generations(pool), [1, 2, 3, 4])
      const [oldest] = pool.service.all()
      process.kill(oldest?.pid ?? assert.fail("there is to be one"), "SIGKILL")
      yield* Queue.take(gone)
      assert.strictEqual((yield* reload).generation, 5)
    }),
  )

  itQuietly("stops: all retire, none is replaced, and a reload that is under way comes to nothing", () =>
    Effect.gen(function* () {
      const pool = yield* playedBy(["works", "begins when told"])
      const { drain, reload } = yield* supervise(pool)
      const { came } = yield* comings(pool)
      const reloading = yield* Effect.fork(Effect.flip(reload))
      yield* Queue.takeN(came, 2)
      yield* drain
      assert.strictEqual((yield* Fiber.join(reloading)).problem, "the proxy stops")
      assert.deepEqual(pool.service.all(), [])
      assert.strictEqual((yield* Effect.flip(reload)).problem, "the proxy stops")
      assert.strictEqual(yield* Queue.size(came), 0)
    }),
  )
})
