import * as HelpDoc from "@effect/cli/HelpDoc"
import type { ValidationError } from "@effect/cli/ValidationError"
import { Cause, Either } from "effect"
import { stripVTControlCharacters } from "node:util"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import type { SessionInvalid } from "../domain/Session.js"
import type { CommandFailed, UsageError } from "./Failure.js"
import { printable } from "../wire/PrintableText.js"
import type { WorkerFailed } from "../workers/WorkerFailed.js"
import type { Style } from "./Style.js"

/** Every way in which a command can fail. */
export type Failure = UsageError | CommandFailed | SessionInvalid | StoreUnavailable | ValidationError | WorkerFailed

/** What went wrong, without the name of the program, and the exit code. */
export interface Explanation {
  readonly problem: string
  readonly exitCode: 1 | 2
}

/** The message for a failure, and the exit code. */
export interface Report {
  readonly text: string
  readonly exitCode: 1 | 2
}

/** Turns a sentence into a clause: "Make the folder." becomes "make the folder". */
export const asClause = (sentence: string): string => {
  const bare = sentence.trim().replace(/\.$/, "")
  return /^[A-Z][a-z]/.test(bare) ? bare.charAt(0).toLowerCase() + bare.slice(1) : bare
}

/** The text of the first paragraph of a document. It is not rendered, because that would break it into lines. */
const firstText = (doc: HelpDoc.HelpDoc): string => {
  if (HelpDoc.isSequence(doc)) return firstText(doc.left)
  const span = HelpDoc.getSpan(doc)
  return span._tag === "Text" ? span.value : HelpDoc.toAnsiText(doc)
}

const explainFailure = (failure: Failure): Explanation => {
  switch (failure._tag) {
    case "UsageError":
      return { problem: printable(failure.message), exitCode: 2 }
    case "CommandFailed":
    case "StoreUnavailable":
      return { problem: printable(`${asClause(failure.problem)}; ${asClause(failure.hint)}`), exitCode: 1 }
    case "SessionInvalid":
      return { problem: printable(`${failure.problem}; see ss-proxy sessions add --help`), exitCode: 1 }
    // It is what its worker explained.
    case "WorkerFailed":
      return { problem: failure.problem, exitCode: failure.exitCode === 2 ? 2 : 1 }
    // Of several invalid values, only the first is reported.
    case "InvalidValue":
    case "MissingValue":
      return { problem: printable(firstText(failure.error)), exitCode: 2 }
    default: {
      const message = stripVTControlCharacters(HelpDoc.toAnsiText(failure.error))
        .trim()
        .replaceAll(/\s*\n\s*/g, " ")
      return { problem: printable(`${message}; see ss-proxy --help`), exitCode: 2 }
    }
  }
}

const defectHint = "this is a bug, please report it with what --log-level debug shows"

const explainDefect = (cause: Cause.Cause<unknown>, detailed: boolean): Explanation => {
  const defect = Cause.squash(cause)
  const message = defect instanceof Error ? defect.message : String(defect)
  const line = printable(`internal error: ${message}; ${defectHint}`)
  return {
    problem: detailed ? `${line}\n${Cause.pretty(cause, { renderErrorCause: true })}` : line,
    exitCode: 1,
  }
}

const reported = ({ exitCode, problem }: Explanation, style: Style): Report => ({
  text: `${style.red("ss-proxy:")} ${problem}`,
  exitCode,
})

/** Reports a defect on one line. `detailed`: with the whole cause below. */
export const reportDefect = (cause: Cause.Cause<unknown>, style: Style, detailed: boolean): Report =>
  reported(explainDefect(cause, detailed), style)

/** Explains the failure or the defect of a command on one line. `detailed`: with the whole cause of a defect. */
export const explainCause = (cause: Cause.Cause<Failure>, detailed: boolean): Explanation =>
  Either.match(Cause.failureOrCause(cause), {
    onLeft: explainFailure,
    onRight: (defect) => explainDefect(defect, detailed),
  })

/** The same, as it is written on standard error. */
export const reportCause = (cause: Cause.Cause<Failure>, style: Style, detailed: boolean): Report =>
  reported(explainCause(cause, detailed), style)
