import { Data } from "effect"

/** A worker cannot begin, or died too often. `problem`: a phrase on a line. */
export class WorkerFailed extends Data.TaggedError("WorkerFailed")<{
  readonly problem: string
  readonly exitCode: number
}> {
  override get message(): string {
    return this.problem
  }
}
