import { describe, expect, it } from "@effect/vitest"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import { Cause } from "effect"
import { CommandFailed, failureCodes, UsageError } from "../../src/cli/Failure.js"
import { reportCause } from "../../src/cli/Report.js"
import { plainStyle } from "../../src/cli/Style.js"
import { textOf } from "../docs/Blocks.js"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"

const report = (cause: Parameters<typeof reportCause>[0], detailed = false) =>
  reportCause(cause, { style: plainStyle, detailed, asJson: false })

describe("the report of a failure", () => {
  it("is the cause and what to do, on one line, with exit code 1", () => {
    const failed = new CommandFailed({ problem: "there is no\nsession", hint: "look again" })
    expect(report(Cause.fail(failed))).toEqual({
      text: "ss-proxy: there is no\\x0asession; look again",
      exitCode: 1,
    })
    const store = new StoreUnavailable({
      problem: "x.db is a folder",
      hint: "Name a file in it.",
      cause: new Error("raw"),
    })
    expect(report(Cause.fail(store))).toEqual({ text: "ss-proxy: x.db is a folder; name a file in it", exitCode: 1 })
  })

  it("is exit code 2 for a mistake in the words", () => {
    expect(report(Cause.fail(new UsageError({ message: "no" })))).toEqual({ text: "ss-proxy: no", exitCode: 2 })
    const withHint = new UsageError({ message: "no", hint: "yes" })
    expect(report(Cause.fail(withHint))).toEqual({ text: "ss-proxy: no; yes", exitCode: 2 })
    const foreseenByTheLibrary = ValidationError.invalidArgument(HelpDoc.p("Missing argument"))
    expect(report(Cause.fail(foreseenByTheLibrary))).toEqual({
      text: "ss-proxy: Missing argument; see ss-proxy --help",
      exitCode: 2,
    })
  })

  it.each([
    [new UsageError({ message: "no" }), "usage_error", "no", null, 2],
    [ValidationError.invalidValue(HelpDoc.p('--port is "x"')), "usage_error", '--port is "x"', null, 2],
    [new CommandFailed({ problem: "It is full", hint: "Make room." }), "command_failed", "it is full", "make room", 1],
    [new CommandFailed({ code: "session_exists", problem: "a", hint: "b" }), "session_exists", "a", "b", 1],
    [new StoreUnavailable({ problem: "a\nb", hint: "c", cause: 0 }), "store_unavailable", "a\nb", "c", 1],
  ])("is JSON on one line for a program: %o", (failure, code, message, hint, exitCode) => {
    const told = reportCause(Cause.fail(failure), { style: plainStyle, detailed: true, asJson: true })
    expect(told.text).not.toContain("\n")
    expect(JSON.parse(told.text)).toEqual({ error: { code, message, hint } })
    expect(told.exitCode).toBe(exitCode)
  })

  it("has a code that the documents explain", () => {
    for (const [code, meaning] of Object.entries(failureCodes))
      expect(textOf("docs/CONFIGURATION.md")).toContain(`| \`${code}\` | ${meaning} |`)
  })

  it("asks to report a defect, and shows its stack only to who asks for detail", () => {
    const brief = report(Cause.die(new TypeError("x is undefined")))
    expect(brief.exitCode).toBe(1)
    expect(brief.text).toMatch(/^ss-proxy: internal error: x is undefined; this is a bug, please report it[^\n]*$/)
    expect(report(Cause.die(new TypeError("x is undefined")), true).text).toMatch(/\n.*Report\.test\.ts/)
  })
})
