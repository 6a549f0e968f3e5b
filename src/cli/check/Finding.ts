import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { printable } from "../../wire/PrintableText.js"
import { asClause } from "../Report.js"
import type { Style } from "../Style.js"

/** What was found of one thing. The names are those of `--json`. */
export interface Finding {
  readonly check: string
  readonly result: "ok" | "warn" | "fail"
  readonly message: string
  /** What to do about it; null where there is nothing to do. */
  readonly todo: string | null
}

/** Makes the findings of one check. */
export const findingsOf = (check: string) => ({
  ok: (message: string): Finding => ({ check, result: "ok", message, todo: null }),
  warn: (message: string, todo: string): Finding => ({ check, result: "warn", message, todo }),
  fail: (message: string, todo: string): Finding => ({ check, result: "fail", message, todo }),
})

/** Of several results the worst. */
export const worstOf = (findings: ReadonlyArray<Finding>): Finding["result"] => {
  const has = (result: Finding["result"]): boolean => findings.some((finding) => finding.result === result)
  return has("fail") ? "fail" : has("warn") ? "warn" : "ok"
}

/** What is wrong with the database. */
export const unavailable = (check: string, { hint, problem }: StoreUnavailable): Finding =>
  findingsOf(check).fail(problem, asClause(hint))

const nameWidth = 13
const resultWidth = 4
const colours = { ok: "green", warn: "yellow", fail: "red" } as const

/** A finding on a line, and below it what to do. */
export const findingLines = ({ check, message, result, todo }: Finding, style: Style): string => {
  const mark = style[colours[result]](result.padEnd(resultWidth))
  const line = `${mark}  ${check.padEnd(nameWidth)}  ${printable(message)}`
  const margin = " ".repeat(resultWidth + nameWidth + 4)
  return todo === null ? line : `${line}\n${margin}-> ${printable(todo)}`
}
