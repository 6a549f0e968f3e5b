import { describe, expect, it } from "@effect/vitest"
import { FailureSummary } from "../../src/log/FailureSummary.js"
import { liveBytes } from "../support/Memory.js"

describe("failures that go on", () => {
  it("do not keep the heads of the requests that failed", () => {
    const summary = new FailureSummary()
    const size = 30_000
    const before = liveBytes()
    for (let round = 0; round < 2; round++)
      for (let index = 0; index < 200; index++) {
        const head = Buffer.alloc(size, `/a-session-of-its-own-${index}/a-request-of-its-own`).toString("latin1")
        summary.isNews(head.slice(1, 25), "downstream_unreachable", head.slice(26, 48))
      }
    expect(liveBytes() - before).toBeLessThan((200 * size) / 4)
    expect(summary.round()).toHaveLength(200)
  })

  it("are news once, and counted from then on, for each session and cause by itself", () => {
    const summary = new FailureSummary()
    const news = [
      summary.isNews("alice", "downstream_unreachable", "1"),
      summary.isNews("alice", "downstream_unreachable", "2"),
      summary.isNews("alice", "downstream_timeout", "3"),
      summary.isNews("bob", "downstream_unreachable", "4"),
      summary.isNews("alice", "downstream_unreachable", "5"),
    ]
    expect(news).toEqual([true, false, true, true, false])
    expect(summary.round()).toEqual([{ session: "alice", cause: "downstream_unreachable", times: 2, requestId: "5" }])
  })

  it("are news again when a round has passed without them", () => {
    const summary = new FailureSummary()
    summary.isNews("alice", "c", "1")
    summary.isNews("alice", "c", "2")
    expect(summary.round()).toHaveLength(1)
    expect(summary.isNews("alice", "c", "3")).toBe(false)
    expect(summary.round()).toMatchObject([{ times: 1 }])
    expect(summary.round()).toEqual([])
    expect(summary.isEmpty).toBe(true)
    expect(summary.isNews("alice", "c", "4")).toBe(true)
  })

  it("take a bounded space: a million sessions are told of a thousand times, and then counted together", () => {
    const summary = new FailureSummary()
    let news = 0
    for (let count = 0; count < 1_000_000; count++) if (summary.isNews(`s${count}`, "c", "r")) news++
    expect(news).toBe(1_001)
    expect(summary.round()).toEqual([{ session: undefined, cause: "c", times: 998_999, requestId: "r" }])
  })

  it("are counted for all sessions together where no session is named", () => {
    const summary = new FailureSummary()
    expect(summary.isNews(undefined, "store_unavailable", "1")).toBe(true)
    expect(summary.isNews(undefined, "store_unavailable", "2")).toBe(false)
  })
})
