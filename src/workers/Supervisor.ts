import { Cause, Data, Deferred, Effect, Exit, Fiber, FiberSet, type Scope } from "effect"
import type { Reloaded } from "../admin/access/Reload.js"
import { type Begun, Generation } from "./Generation.js"
import { cut } from "./Messages.js"
import type { WorkerPool } from "./WorkerPool.js"
import type { WorkerFailed } from "./WorkerFailed.js"
import type { Workers } from "./Workers.js"

/** A reload has come to nothing; what was in force goes on. `problem`: a phrase. */
export class ReloadFailed extends Data.TaggedError("ReloadFailed")<{ readonly problem: string }> {
  override get message(): string {
    return this.problem
  }
}

/** Several workers on one port, and what may be asked of all of them. */
export interface Supervision {
  /** What the first worker of the start said. */
  readonly begun: Begun
  readonly workers: typeof Workers.Service
  /**
   * Starts as many workers anew, then lets the old ones retire. While it is under way another one waits, and whoever asks
   * then waits for that one. Nobody who stops waiting stops it.
   */
  readonly reload: Effect.Effect<Reloaded, ReloadFailed>
  /** Fails when workers die too often for the program to go on. */
  readonly failed: Effect.Effect<never, WorkerFailed>
  /** Lets all retire, and ends when they have. From then on none is replaced. */
  readonly drain: Effect.Effect<void>
  /** Tells all to cut what is left on them. */
  readonly cut: Effect.Effect<void>
  /** Kills all. */
  readonly kill: () => void
}

/**
 * So many generations may still finish what they began: each costs the memory of its workers for as long as somebody has a
 * stream or a WebSocket there, and reloads may come in a loop.
 */
const mostRetiring = 3

const tooMany = (count: number) =>
  new ReloadFailed({
    problem: `the workers of ${count} reloads still finish what they have begun, which --grace bounds; try again when some have ended`,
  })

const stopping = () => new ReloadFailed({ problem: "the proxy stops" })

/** Runs workers for as long as the scope lasts. They accept connections by then, or it fails with what the first one said that cannot. */
export const supervise = (pool: WorkerPool): Effect.Effect<Supervision, WorkerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const failed = yield* Deferred.make<never, WorkerFailed>()
    const scope = yield* Effect.scope
    const keep = (generation: Generation) =>
      generation.keep.pipe(
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause) ? Effect.void : Deferred.failCause(failed, cause),
        ),
        Effect.forkIn(scope),
      )

    let current = yield* Generation.begin(pool, 1)
    let keeper = yield* keep(current)
    let lastNumber = 1
    const { begun } = current

    const renew = Effect.gen(function* () {
      const retiring = pool.othersThan(current.number)
      if (retiring >= mostRetiring) return yield* tooMany(retiring)
      const next = yield* Generation.begin(pool, ++lastNumber)
      const { number: old } = current
      yield* Fiber.interrupt(keeper)
      pool.retire(old)
      current = next
      keeper = yield* keep(next)
      const { version } = next.begun
      yield* Effect.logInfo(`reloaded: ${pool.count} new workers; those from before retire`).pipe(
        Effect.annotateLogs({ generation: next.number, version }),
      )
      return { generation: next.number, workers: pool.count, version }
    }).pipe(
      Effect.catchAll(({ problem }) =>
        Effect.zipRight(
          Effect.annotateLogs(Effect.logError("reload failed; the workers from before go on"), { problem }),
          new ReloadFailed({ problem }),
        ),
      ),
    )
    const { reload, stop } = yield* onlyOneWaits(renew)

    const drain = Effect.gen(function* () {
      yield* stop
      yield* Fiber.interrupt(keeper)
      pool.retireAll()
      yield* pool.gone
    })
    return {
      begun,
      workers: pool.service,
      reload,
      failed: Deferred.await(failed),
      drain,
      cut: Effect.sync(() => pool.tell(cut, {})),
      kill: pool.kill,
    }
  })

/** Work that is done for whoever asks, once at a time: who asks while it is done waits for the next time, together with all that do. */
const onlyOneWaits = (work: Effect.Effect<Reloaded, ReloadFailed>) =>
  Effect.gen(function* () {
    const turn = yield* Effect.makeSemaphore(1)
    const fibers = yield* FiberSet.make<Reloaded, ReloadFailed>()
    let waiting: Fiber.Fiber<Reloaded, ReloadFailed> | undefined
    let isStopped = false
    const inTurn = turn.withPermits(1)(
      Effect.suspend(() => {
        waiting = undefined
        return work
      }),
    )
    const reload = Effect.gen(function* () {
      if (isStopped) return yield* stopping()
      waiting ??= yield* FiberSet.run(fibers, inTurn)
      const exit = yield* Fiber.await(waiting)
      return yield* Exit.isInterrupted(exit) ? stopping() : exit
    })
    const stop = Effect.suspend(() => {
      isStopped = true
      return FiberSet.clear(fibers)
    })
    return { reload, stop }
  })
