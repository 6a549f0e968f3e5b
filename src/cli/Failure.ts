import { Data } from "effect"

/** The command line or a variable is wrong. `message` says on one line what is wrong and what is allowed. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** A command failed. `problem` is the cause, `hint` says what to do about it; each is a phrase on one line. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly problem: string
  readonly hint: string
}> {}
