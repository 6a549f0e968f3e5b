import { describe, expect, it } from "@effect/vitest"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import { Cause } from "effect"
import { CommandFailed, UsageError } from "../../src/cli/Failure.js"
import { reportCause } from "../../src/cli/Report.js"
import { styleOf } from "../../src/cli/Style.js"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"

const plain = styleOf(process.stderr.isTTY ? process.stdout : process.stderr)

const report = (cause: Parameters<typeof reportCause>[0], detailed = false) => reportCause(cause, plain, detailed)

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
    const foreseenByTheLibrary = ValidationError.invalidArgument(HelpDoc.p("Missing argument"))
    expect(report(Cause.fail(foreseenByTheLibrary))).toEqual({
      text: "ss-proxy: Missing argument; see ss-proxy --help",
      exitCode: 2,
    })
  })

  it("asks to report a defect, and shows its stack only to who asks for detail", () => {
    const brief = report(Cause.die(new TypeError("x is undefined")))
    expect(brief.exitCode).toBe(1)
    expect(brief.text).toMatch(/^ss-proxy: internal error: x is undefined; this is a bug, please report it[^\n]*$/)
    expect(report(Cause.die(new TypeError("x is undefined")), true).text).toMatch(/\n.*Report\.test\.ts/)
  })
})
