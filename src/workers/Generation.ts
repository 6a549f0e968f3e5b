import { Clock, Effect, Option } from "effect"
import { Deaths } from "./Deaths.js"
import type * as Messages from "./Messages.js"
import type { WorkerPool } from "./WorkerPool.js"
import { WorkerFailed } from "./WorkerFailed.js"
import type { Ending, WorkerProcess } from "./WorkerProcess.js"

/** How long until the next try where a worker cannot begin, though others serve; milliseconds. */
const retryDelay = 1_000

/** What a worker says of itself when it begins. */
export type Begun = typeof Messages.ready.body.Type

const logDeath = ({ number, pid }: WorkerProcess, { connections, lastWords, loopDelay }: Ending): Effect.Effect<void> =>
  Effect.logError(`worker ${number} ${lastWords}; another one takes its place`).pipe(
    Effect.annotateLogs({ pid, connections, loop_delay_ms: Math.round(loopDelay) }),
  )

/** Workers of one start or reload: as many as there are to be, each in its place. */
export class Generation {
  private constructor(
    private readonly pool: WorkerPool,
    readonly number: number,
    private readonly places: ReadonlyArray<WorkerProcess>,
    /** What the first of them said. */
    readonly begun: Begun,
  ) {}

  /** Starts all of them. They accept connections by then, or it fails with what the first one said that cannot, and none is left. */
  static readonly begin = (pool: WorkerPool, number: number): Effect.Effect<Generation, WorkerFailed> =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: pool.count }, (_, index) => index + 1)
      const places = yield* Effect.forEach(numbers, (place) => pool.begin(place, number))
      const begun = yield* Effect.forEach(places, (worker) => worker.begun, { concurrency: "unbounded" })
      const [first] = begun
      if (first === undefined) return yield* Effect.dieMessage("a generation without workers")
      return new Generation(pool, number, places, first)
    }).pipe(Effect.onError(() => Effect.sync(() => pool.retire(number))))

  /** Replaces workers that die, or that are told to stop, for as long as it runs. Fails where one place has had too many deaths. */
  get keep(): Effect.Effect<never, WorkerFailed> {
    const kept = Effect.forEach(this.places, (worker) => this.keepPlace(worker), {
      concurrency: "unbounded",
      discard: true,
    })
    return Effect.zipRight(kept, Effect.never)
  }

  private keepPlace(first: WorkerProcess): Effect.Effect<never, WorkerFailed> {
    const { number: place } = first
    const deaths = new Deaths()
    const next = this.pool.begin(place, this.number)
    /**
     * Rests before the next start, unless there is to be none. One that says why it cannot begin, such as a database that is
     * away, is no reason to end those that serve.
     */
    const rest = ({ couldNotBegin, lastWords }: Ending) =>
      Effect.gen(this, function* () {
        if (couldNotBegin && this.pool.servesWithout(place)) return yield* Effect.sleep(retryDelay)
        const delay = deaths.add(yield* Clock.currentTimeMillis)
        if (delay === undefined)
          return yield* new WorkerFailed({
            problem: `worker ${place} has died too often within half a minute; the last one ${lastWords}`,
            exitCode: 1,
          })
        yield* Effect.sleep(delay)
      })
    const replaced = (worker: WorkerProcess) =>
      Effect.gen(function* () {
        yield* Effect.logInfo(`worker ${place} is replaced: it was told to stop`)
        const fresh = yield* next
        const begun = yield* Effect.either(fresh.begun)
        if (begun._tag === "Left") {
          const { problem } = begun.left
          yield* Effect.annotateLogs(Effect.logError(`worker ${place} goes on: no other one can begin`), { problem })
          yield* Effect.timeoutOption(worker.ended, retryDelay)
          return worker
        }
        worker.retire(true)
        return fresh
      })
    const after = (worker: WorkerProcess) =>
      Effect.gen(function* () {
        const ending = yield* Effect.raceFirst(
          Effect.asSome(worker.ended),
          Effect.as(worker.wantsReplacement, Option.none()),
        )
        if (Option.isNone(ending)) return yield* replaced(worker)
        yield* logDeath(worker, ending.value)
        yield* rest(ending.value)
        return yield* next
      })
    return Effect.zipRight(Effect.iterate(first, { while: () => true, body: after }), Effect.never)
  }
}
