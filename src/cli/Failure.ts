import { Data } from "effect"

/** The words on the command line, or a variable, are wrong. `message` is one line: what is wrong, and what is allowed. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** What was asked for cannot be done. `problem` is the cause, `hint` what to do about it; each a phrase on one line. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly problem: string
  readonly hint: string
}> {}
