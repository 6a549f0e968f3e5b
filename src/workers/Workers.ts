import { Context, type Effect } from "effect"
import type { NoAnswer } from "./Channel.js"
import type { Notice, Question } from "./Messages.js"

/** A worker that accepts connections, or still has some: the supervisor's end of the talk with it. */
export interface WorkerLink {
  /** What tells it apart from every other one, of all generations: `2.1` is the second worker of the first generation. A replacement has its own. */
  readonly name: string
  /** 1 to the number of workers. */
  readonly number: number
  readonly generation: number
  readonly pid: number
  /** Asks it; the answer comes within a second, or there is none. */
  readonly ask: <A, I, B, J>(question: Question<A, I, B, J>, asked: NoInfer<A>) => Effect.Effect<B, NoAnswer>
  /** The same without a time limit, for an answer that is not given twice. */
  readonly askPatiently: WorkerLink["ask"]
  /** Tells it something. */
  readonly tell: <A, I>(notice: Notice<A, I>, told: NoInfer<A>) => void
  /** Calls `taker` for each notice of a kind, until the function is called that this returns. */
  readonly hear: <A, I>(notice: Notice<A, I>, taker: (told: NoInfer<A>) => void) => () => void
  /** Answers a kind of question of this worker, until the function is called that this returns. */
  readonly answer: <A, I, B, J>(question: Question<A, I, B, J>, answerTo: (asked: A) => Effect.Effect<B>) => () => void
}

/** Who hears how workers come and go. */
export interface WorkerWatcher {
  /** It has been started, and may be asked: its channel is open. It need not be ready, and answers what it can by then. */
  readonly came?: (worker: WorkerLink) => void
  /** It has ended, whatever the cause. All that it has told before has been heard. */
  readonly gone?: (worker: WorkerLink) => void
}

/** The workers of a supervisor. */
export class Workers extends Context.Tag("@ss-proxy/Workers")<
  Workers,
  {
    /** Those that live and have been ready, of every generation, those that retire among them. */
    readonly all: () => ReadonlyArray<WorkerLink>
    /** Tells `watcher` who comes and goes from now on, until the function is called that this returns. */
    readonly watch: (watcher: WorkerWatcher) => () => void
  }
>() {}
