import { Context, Data, type Effect, type Scope } from "effect"
import type { Answers, AnswerOf, QuestionOf } from "./Questions.js"

/** A process has not answered in time, or it is gone. */
export class ProcessSilent extends Data.TaggedError("ProcessSilent") {}

/** Which of several processes it is. */
export interface WorkerName {
  /** As in the log and in metrics. */
  readonly name: string
  readonly generation: number
}

/** What a process says. `from` is `undefined` where it is the only one. */
export interface Answered<A> {
  readonly from: WorkerName | undefined
  readonly answer: A
}

/** What processes say, and the names of those that did not answer in time. */
export interface Gathered<A> {
  readonly found: ReadonlyArray<Answered<A>>
  readonly missing: ReadonlyArray<string>
}

/** Puts together what several processes have counted, so that no number falls when one of them ends or does not answer. */
export interface CountMemory {
  /** The counted cells of all, in place of those that have just come. */
  readonly counted: (found: ReadonlyArray<Answered<Float64Array>>) => Float64Array
  readonly series: (found: ReadonlyArray<Answered<AnswerOf<"series">>>) => Effect.Effect<AnswerOf<"series">>
}

/** Which records a reader wants. */
export type FollowQuery = Omit<QuestionOf<"tail">, "reader">

/** What the process tells of itself that has the admin listener, and is none of those that serve. */
export type Supervisor = Pick<Answers, "process" | "snapshot">

/**
 * The processes that serve, as the admin listener asks them: all that it knows of the data plane. It may be this process alone. What
 * becomes of their answers is beside this, in files that are named after what they tell.
 */
export class Fleet extends Context.Tag("@ss-proxy/Fleet")<
  Fleet,
  {
    /** Asks all at once. */
    readonly ask: <A>(
      question: (process: Answers<ProcessSilent>) => Effect.Effect<A, ProcessSilent>,
    ) => Effect.Effect<Gathered<A>>
    /** Follows what is over in all of them, for the scope. Gives what waits for the next events, as `serverEvents` takes it. */
    readonly follow: (query: FollowQuery) => Effect.Effect<Effect.Effect<string>, never, Scope.Scope>
    readonly memory: CountMemory
    readonly supervisor: Supervisor | undefined
  }
>() {}

export type FleetService = typeof Fleet.Service

/** The answers alone. */
export const answersIn = <A>({ found }: Gathered<A>): ReadonlyArray<A> => found.map(({ answer }) => answer)
