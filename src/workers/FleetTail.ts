import { Effect, FiberMap, type Scope } from "effect"
import type { FollowQuery, ProcessSilent } from "../admin/fleet/Fleet.js"
import type { Answers } from "../admin/fleet/Questions.js"
import { randomHex } from "../wire/RandomHex.js"
import type { WorkerLink, Workers } from "./Workers.js"

/** So far a reader may be behind, in characters; then its workers are not asked, which count what they lose. */
const mostCharacters = 1_048_576

/** A worker that has no answer is asked again after so long, in milliseconds: it may be about to begin. */
const retryDelay = 100

/** Names the worker in each of its records; data of events have no line breaks. */
const named = (text: string, { name }: WorkerLink): string =>
  text.replaceAll("event: record\ndata: {", `event: record\ndata: {"worker":${JSON.stringify(name)},`)

/** What waits for one reader, of all workers. */
class Gathered {
  private texts: Array<string> = []
  private characters = 0

  private constructor(
    private readonly some: Effect.Latch,
    private readonly room: Effect.Latch,
  ) {}

  static readonly make = Effect.zipWith(
    Effect.makeLatch(false),
    Effect.makeLatch(true),
    (some, room) => new Gathered(some, room),
  )

  /** Waits while the reader is too far behind. */
  get hasRoom(): Effect.Effect<void> {
    return this.room.await
  }

  add(text: string): Effect.Effect<void> {
    if (text === "") return Effect.void
    this.texts.push(text)
    this.characters += text.length
    return this.characters < mostCharacters ? this.some.open : Effect.zipRight(this.room.close, this.some.open)
  }

  /** Waits for what comes next, and takes all of it. */
  get next(): Effect.Effect<string> {
    return this.some.await.pipe(
      Effect.zipRight(Effect.suspend(() => Effect.zipRight(this.some.close, this.room.open))),
      Effect.map(() => {
        const text = this.texts.join("")
        this.texts = []
        this.characters = 0
        return text
      }),
    )
  }
}

/** Follows what is over in all workers: in those that are there, and in those that come, until they are gone. */
export const followWorkers =
  ({ all, watch }: typeof Workers.Service, asked: (worker: WorkerLink) => Answers<ProcessSilent>) =>
  (query: FollowQuery): Effect.Effect<Effect.Effect<string>, never, Scope.Scope> =>
    Effect.gen(function* () {
      const question = { ...query, reader: randomHex(8) }
      const gathered = yield* Gathered.make
      // Before the fibers that ask, so that it comes behind them.
      yield* Effect.addFinalizer(() =>
        Effect.forEach(all(), (worker) => Effect.ignore(asked(worker).leave(question)), {
          concurrency: "unbounded",
          discard: true,
        }),
      )
      const run = yield* FiberMap.makeRuntime<never, string>()
      const follow = (worker: WorkerLink): void => {
        const { tail } = asked(worker)
        const round = tail(question).pipe(
          Effect.flatMap((text) => gathered.add(named(text, worker))),
          Effect.catchAll(() => Effect.sleep(retryDelay)),
          Effect.zipRight(gathered.hasRoom),
        )
        run(worker.name, Effect.forever(round))
      }
      const leave = watch({ came: follow, gone: ({ name }) => void run(name, Effect.void) })
      yield* Effect.addFinalizer(() => Effect.sync(leave))
      for (const worker of all()) follow(worker)
      return gathered.next
    })
