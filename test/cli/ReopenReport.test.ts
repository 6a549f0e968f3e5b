import { afterEach, describe, expect, it, vi } from "vitest"
import { reopenReport } from "../../src/cli/run/AccessLogOutput.js"

afterEach(() => vi.restoreAllMocks())

describe("an access log that cannot be opened anew", () => {
  it("is told at once, then once a minute with how often it was tried, and at once when it fails again later", () => {
    const said: Array<unknown> = []
    const report = reopenReport((_message, fields) => said.push(fields))
    const error = Object.assign(new Error("it is a folder"), { code: "EISDIR" })
    let now = 5_000
    vi.spyOn(performance, "now").mockImplementation(() => now)
    for (; now <= 125_000; now += 10_000) report(error)
    now += 3_600_000
    report(error)
    expect(said).toEqual([1, 6, 6, 1].map((times) => ({ problem: "EISDIR", times })))
  })
})
