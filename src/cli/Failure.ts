import { Data } from "effect"

/** What a program is told of a failure, by codes that stay the same, and when each is given. */
export const failureCodes = {
  usage_error: "a mistake on the command line or in a variable; exit code 2",
  session_not_found: "there is no session with this id",
  session_exists: "there is one already",
  session_invalid: "a session cannot have this id or this URL",
  store_unavailable: "the database cannot be read or written",
  live_not_found: "nothing live has this id",
  no_proxy: "no running proxy was found",
  proxy_failed: "a running proxy could not do what it was asked",
  not_ready: "`health`: a proxy is not up, or not ready",
  not_forwarded: "`explain`: the request would not be forwarded",
  checks_failed: "`check`: something failed",
  drain_ended: "`drain --wait`: somebody ended the drain",
  output_failed: "standard output cannot be written",
  command_failed: "anything else",
  internal_error: "a defect",
} as const

export type FailureCode = keyof typeof failureCodes

/** The command line or a variable is wrong: on one line, what is wrong, and what is allowed or where to look. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly message: string
  /** A phrase; absent where the message says it all. */
  readonly hint?: string
}> {}

/** A command failed. `problem` is the cause, `hint` says what to do about it; each is a phrase on one line. */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly problem: string
  readonly hint: string
  /** `command_failed` where there is none. */
  readonly code?: FailureCode
}> {}
