import { Deferred, Effect, Exit, FiberId, Iterable, type Scope } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import type { SessionRow } from "../SessionRepo.js"

/** How questions are put together. */
export interface Lane<A> {
  /** Answers many at once. `knownOf`: the row that is known already. */
  readonly ask: (
    keys: ReadonlyArray<string>,
    knownOf: (key: string) => SessionRow | undefined,
  ) => Effect.Effect<(key: string) => A, StoreUnavailable>
  /** Queries under way at most. */
  readonly underWay: number
  /** Questions of so long come into one query, in milliseconds; 0: those of one turn of the event loop. */
  readonly collects: number
  /** Who waits longer, in milliseconds, is told why; absent: nobody is. */
  readonly patience?: number
}

/** Asks for one of many. */
export interface Batches<A> {
  readonly find: (key: string, known?: SessionRow) => Effect.Effect<A, StoreUnavailable>
  /** Everybody who waits is told that there is no answer. */
  readonly failAll: (fault: StoreUnavailable) => void
}

/** Keys of one query at most. */
const mostKeys = 200

const crowded = new StoreUnavailable({
  problem: "too many ask for sessions that are not known here: the database has not been asked within a second",
  hint: "Look for who asks for so many ids, and for what slows the database down.",
  isLate: true,
})

const slow = new StoreUnavailable({
  problem: "the database has not answered within a second",
  hint: "Look at pg_stat_activity and pg_locks: it may be busy, or another program holds a lock on the tables.",
  isLate: true,
})

class Question<A> {
  readonly answer = Deferred.unsafeMake<A, StoreUnavailable>(FiberId.none)

  constructor(
    readonly key: string,
    readonly known: SessionRow | undefined,
    /** How many queries were answered before it came. */
    readonly cameAt: number,
  ) {}
}

/**
 * Puts questions for single rows together. Ids that are not known are a way to the database for anybody: by a query for each
 * that would cost it some twenty times as much, and there would be as many at a time as anybody likes.
 */
export const batches = <A>(lane: Lane<A>): Effect.Effect<Batches<A>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const [waiting, asked] = [new Set<Question<A>>(), new Set<Question<A>>()]
    // Opened by who asks, which is a plain call in a fiber of his own.
    const some = Effect.unsafeMakeLatch(false)
    const queue: Queue<A> = { asked, some, waiting, answered: 0 }
    yield* Effect.replicateEffect(Effect.forkScoped(Effect.forever(round(lane, queue))), lane.underWay)
    const { patience } = lane
    // Whoever was not asked for while others were answered has too many before him. Else nobody gets an answer.
    const whyLate = (question: Question<A>): StoreUnavailable =>
      waiting.has(question) && queue.answered > question.cameAt ? crowded : slow
    const waitFor = (question: Question<A>): Effect.Effect<A, StoreUnavailable> =>
      patience === undefined
        ? Deferred.await(question.answer)
        : Effect.timeoutFail(Deferred.await(question.answer), {
            duration: patience,
            onTimeout: () => whyLate(question),
          })
    return {
      find: (key, known) =>
        Effect.suspend(() => {
          const question = new Question<A>(key, known, queue.answered)
          waiting.add(question)
          some.unsafeOpen()
          return Effect.ensuring(
            waitFor(question),
            Effect.sync(() => waiting.delete(question)),
          )
        }),
      failAll: (fault) => {
        for (const { answer } of [...waiting, ...asked]) Deferred.unsafeDone(answer, fault)
        waiting.clear()
      },
    }
  })

interface Queue<A> {
  readonly waiting: Set<Question<A>>
  readonly asked: Set<Question<A>>
  readonly some: Effect.Latch
  /** How many queries were answered. */
  answered: number
}

/** One query, for what has come together. */
const round = <A>({ ask, collects }: Lane<A>, queue: Queue<A>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { asked, some, waiting } = queue
    yield* some.await
    yield* collects === 0 ? nextTurn : Effect.sleep(collects)
    const questions = Array.from(Iterable.take(waiting, mostKeys))
    for (const question of questions) {
      waiting.delete(question)
      asked.add(question)
    }
    if (waiting.size === 0) some.unsafeClose()
    if (questions.length === 0) return
    const known = new Map(questions.map((question) => [question.key, question.known]))
    const found = yield* Effect.exit(ask(Array.from(known.keys()), (key) => known.get(key)))
    if (Exit.isSuccess(found)) queue.answered++
    for (const question of questions) {
      asked.delete(question)
      Deferred.unsafeDone(
        question.answer,
        Exit.map(found, (answerOf) => answerOf(question.key)),
      )
    }
  })
