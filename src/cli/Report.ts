import * as HelpDoc from "@effect/cli/HelpDoc"
import type { ValidationError } from "@effect/cli/ValidationError"
import { Cause, Either } from "effect"
import { stripVTControlCharacters } from "node:util"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import type { SessionInvalid } from "../domain/Session.js"
import type { CommandFailed, FailureCode, UsageError } from "./Failure.js"
import { printable, printableJson } from "../wire/PrintableText.js"
import type { WorkerFailed } from "../workers/WorkerFailed.js"
import type { Style } from "./Style.js"

/** Every way in which a command can fail. */
export type Failure = UsageError | CommandFailed | SessionInvalid | StoreUnavailable | ValidationError | WorkerFailed

/** The message for a failure, and the exit code. */
export interface Report {
  readonly text: string
  readonly exitCode: 1 | 2
}

/** How a failure is told. */
export interface Telling {
  readonly style: Style
  /** With the whole cause of a defect below it. */
  readonly detailed: boolean
  /** As JSON on one line, for a program. */
  readonly asJson: boolean
}

/** A failure, for people and for programs. */
interface Told {
  readonly code: FailureCode
  readonly message: string
  readonly hint: string | undefined
  /** What the text has below it. */
  readonly detail?: string
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

const usage = (message: string, hint?: string): Told => ({ code: "usage_error", message, hint })

const toldOf = (failure: Failure): Told => {
  switch (failure._tag) {
    case "UsageError":
      return usage(failure.message, failure.hint)
    case "CommandFailed":
      return {
        code: failure.code ?? "command_failed",
        message: asClause(failure.problem),
        hint: asClause(failure.hint),
      }
    case "StoreUnavailable":
      return { code: "store_unavailable", message: asClause(failure.problem), hint: asClause(failure.hint) }
    case "SessionInvalid":
      return { code: "session_invalid", message: failure.problem, hint: "see ss-proxy sessions add --help" }
    // It is what its worker has explained.
    case "WorkerFailed":
      return {
        code: failure.exitCode === 2 ? "usage_error" : "command_failed",
        message: failure.problem,
        hint: undefined,
      }
    // Of several invalid values, only the first is reported.
    case "InvalidValue":
    case "MissingValue":
      return usage(firstText(failure.error))
    default: {
      const message = stripVTControlCharacters(HelpDoc.toAnsiText(failure.error))
        .trim()
        .replaceAll(/\s*\n\s*/g, " ")
      return usage(message, "see ss-proxy --help")
    }
  }
}

const toldOfDefect = (cause: Cause.Cause<unknown>): Told => {
  const defect = Cause.squash(cause)
  return {
    code: "internal_error",
    message: `internal error: ${defect instanceof Error ? defect.message : String(defect)}`,
    hint: "this is a bug, please report it with what --log-level debug shows",
    detail: Cause.pretty(cause, { renderErrorCause: true }),
  }
}

const lineOf = ({ message, hint, detail }: Told, detailed: boolean): string => {
  const line = printable(hint === undefined ? message : `${message}; ${hint}`)
  return detailed && detail !== undefined ? `${line}\n${detail}` : line
}

const textOf = (told: Told, { asJson, detailed, style }: Telling): string => {
  const { code, message, hint } = told
  return asJson
    ? printableJson(JSON.stringify({ error: { code, message, hint: hint ?? null } }))
    : `${style.red("ss-proxy:")} ${lineOf(told, detailed)}`
}

const exitCodeOf = ({ code }: Told): Report["exitCode"] => (code === "usage_error" ? 2 : 1)

const report = (told: Told, telling: Telling): Report => ({ text: textOf(told, telling), exitCode: exitCodeOf(told) })

const toldOfCause = (cause: Cause.Cause<Failure>): Told =>
  Either.match(Cause.failureOrCause(cause), { onLeft: toldOf, onRight: toldOfDefect })

/** Reports a defect on one line. */
export const reportDefect = (cause: Cause.Cause<unknown>, telling: Telling): Report =>
  report(toldOfDefect(cause), telling)

/** Reports the failure or the defect of a command. */
export const reportCause = (cause: Cause.Cause<Failure>, telling: Telling): Report =>
  report(toldOfCause(cause), telling)

/** What went wrong, without the name of the program; and the exit code. `detailed`: with the whole cause of a defect. */
export const explainCause = (
  cause: Cause.Cause<Failure>,
  detailed: boolean,
): { readonly problem: string; readonly exitCode: number } => {
  const told = toldOfCause(cause)
  return { problem: lineOf(told, detailed), exitCode: exitCodeOf(told) }
}
