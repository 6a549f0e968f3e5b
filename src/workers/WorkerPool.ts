import { Effect, ExecutionStrategy, Exit, Scope } from "effect"
import type { HeldSockets } from "./HeldSocket.js"
import { beatInterval, type Notice } from "./Messages.js"
import { type WorkerPlan, WorkerProcess } from "./WorkerProcess.js"
import type { Workers, WorkerWatcher } from "./Workers.js"

/** A worker that has not said that it accepts connections by then is killed; milliseconds. */
const longestStart = 60_000

/** What every worker is started with. */
export interface PoolOptions {
  /** The file of their program, as it is now: a new version may have been put in its place. */
  readonly file: () => string
  readonly sockets: HeldSockets
  /** How many work at a time. */
  readonly count: number
  /** What else each is told at its start. */
  readonly task: () => Omit<WorkerPlan["task"], "number" | "count" | "generation">
  /** For how many seconds a worker may be silent. */
  readonly longestSilence: number
}

/** All workers that live, whatever they do: those that begin, those that work, those that retire. */
export class WorkerPool {
  private readonly live = new Set<WorkerProcess>()
  private readonly watchers = new Set<WorkerWatcher>()
  private started = 0

  private constructor(
    private readonly options: PoolOptions,
    private readonly scope: Scope.Scope,
  ) {}

  /** The pool; its workers are killed with the scope. */
  static readonly make = (options: PoolOptions): Effect.Effect<WorkerPool, never, Scope.Scope> =>
    Effect.gen(function* () {
      const pool = new WorkerPool(options, yield* Effect.scope)
      yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(beatInterval), pool.endSilent)))
      return pool
    })

  get count(): number {
    return this.options.count
  }

  /** For those who ask them. */
  get service(): typeof Workers.Service {
    return {
      all: () => Array.from(this.live).filter(({ hasBegun }) => hasBegun),
      watch: (watcher) => {
        this.watchers.add(watcher)
        return () => void this.watchers.delete(watcher)
      },
    }
  }

  /** Whether others than those in one place accept connections. */
  servesWithout(place: number): boolean {
    return Array.from(this.live).some((one) => one.hasBegun && !one.isRetiring && one.number !== place)
  }

  /** Starts a worker, which need not be ready yet. */
  begin(number: number, generation: number): Effect.Effect<WorkerProcess> {
    const { count, file, sockets, task } = this.options
    const plan = (): WorkerPlan => ({
      file: file(),
      descriptor: sockets.descriptorFor(number),
      name: `${number}.${++this.started}`,
      task: { ...task(), number, count, generation },
    })
    return Effect.gen(this, function* () {
      const own = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
      const worker = yield* Scope.extend(WorkerProcess.start(plan()), own)
      this.live.add(worker)
      for (const { came } of this.watchers) came?.(worker)
      // A fiber takes over whether it may be interrupted, and these are to be.
      yield* Effect.forkIn(Effect.interruptible(this.endSlow(worker)), own)
      const buried = Effect.zipRight(this.buryAtEnd(worker), Scope.close(own, Exit.void))
      yield* Effect.forkIn(Effect.interruptible(buried), this.scope)
      return worker
    }).pipe(Effect.uninterruptible)
  }

  /** Tells all workers of a generation to retire, while others go on. */
  retire(generation: number): void {
    for (const worker of this.live) if (!worker.isRetiring && worker.generation === generation) worker.retire(true)
  }

  /** How many generations but this one have workers that live. */
  othersThan(generation: number): number {
    return new Set(Array.from(this.live, (worker) => worker.generation).filter((one) => one !== generation)).size
  }

  /** Tells all workers to retire, for the proxy stops. None is started from then on. */
  retireAll(): void {
    this.options.sockets.letGo()
    for (const worker of this.live) if (!worker.isRetiring) worker.retire(false)
  }

  /** Tells all something. */
  tell<A, I>(notice: Notice<A, I>, told: NoInfer<A>): void {
    for (const worker of this.live) worker.tell(notice, told)
  }

  /** Kills all, for a process that ends at once. */
  readonly kill = (): void => {
    for (const worker of this.live) worker.kill()
  }

  /** Ends when none is left of those that live now. */
  get gone(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach(Array.from(this.live), ({ ended }) => ended, { concurrency: "unbounded", discard: true }),
    )
  }

  private buryAtEnd(worker: WorkerProcess): Effect.Effect<void> {
    return Effect.flatMap(worker.ended, ({ exitCode, lastWords }) => {
      this.live.delete(worker)
      for (const { gone } of this.watchers) gone?.(worker)
      if (!worker.isRetiring || exitCode === 0) return Effect.void
      const { number, pid } = worker
      return Effect.annotateLogs(Effect.logWarning(`worker ${number}, which retired, ${lastWords}`), { pid })
    })
  }

  private endSlow(worker: WorkerProcess): Effect.Effect<void> {
    return Effect.sleep(longestStart).pipe(
      Effect.zipRight(
        Effect.suspend(() => {
          if (worker.hasBegun) return Effect.void
          worker.kill()
          return Effect.logError(`worker ${worker.number} does not come to accept connections: it is killed`)
        }),
      ),
    )
  }

  /** Kills those that are stuck. Rounds are counted, and not the time: where this process itself was stopped, nobody was silent. */
  private get endSilent(): Effect.Effect<void> {
    const silent = () => Array.from(this.live).filter((worker) => worker.countSilence() === this.options.longestSilence)
    const end = (worker: WorkerProcess) => {
      worker.kill()
      const { number, pid } = worker
      return Effect.annotateLogs(Effect.logError(`worker ${number} is stuck: it is killed`), { pid })
    }
    return Effect.suspend(() => Effect.forEach(silent(), end, { discard: true }))
  }
}
