import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { widthOf } from "../../../src/cli/TextWidth.js"
import { totalPhrases } from "../../../src/cli/top/Headline.js"
import {
  initialState,
  pressed,
  resized,
  seen,
  tableOf,
  type TopState,
  unanswered,
} from "../../../src/cli/top/TopState.js"
import { fewestColumns, screenOf } from "../../../src/cli/top/TopView.js"
import { type Happening, happenings, pictureOf, sessionRow, snapshotOf, stateOf, textOf, typed } from "./TopLab.js"

const after = (state: TopState, happening: Happening): TopState => {
  switch (happening._tag) {
    case "Key":
      return pressed(state, happening.key).state
    case "Seen": {
      const table = tableOf(state)
      const live = table._tag === "Live" ? { session: table.session, rows: happening.live } : undefined
      return seen(state, happening.snapshot, live)
    }
    case "Silent":
      return unanswered(state, happening.problem, 0)
    case "Resized":
      return resized(state, happening.columns, happening.rows)
  }
}

describe("the screen of top", () => {
  it("is never wider or longer than the terminal, whatever happens, and has nothing that controls it", () => {
    fc.assert(
      fc.property(happenings, (all) => {
        let state = initialState("requests", "", 80, 24)
        for (const happening of all) {
          state = after(state, happening)
          const lines = screenOf(state, 1_000)
          expect(lines.length).toBeLessThanOrEqual(state.rows)
          for (const line of lines) {
            const text = textOf(line)
            expect(widthOf(text)).toBeLessThanOrEqual(state.columns)
            expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it("says so where it is too narrow", () => {
    expect(pictureOf(screenOf(resized(stateOf([]), fewestColumns - 1, 24), 0))).toBe(
      "top needs 60 columns  this terminal has 59  q quits",
    )
  })

  it("has a unit at each latency of its head, be it short or long", () => {
    const shown = stateOf([])
    const totals = { ...snapshotOf([]).totals, p50: 0.94, p99: 282_000 }
    const head = pictureOf(screenOf({ ...shown, snapshot: { ...snapshotOf([]), totals } }, 0))
    expect(head).toContain("p50 0.9 ms p99 282 s  ws 0")
  })

  it("says that proxies are about to stop", () => {
    const head = (processes: number, draining: number): string => {
      const totals = { ...snapshotOf([]).totals, processes, draining }
      return pictureOf(screenOf({ ...stateOf([]), snapshot: { ...snapshotOf([]), totals } }, 0))
    }
    expect(head(1, 1)).toContain("1 process  stopping  up")
    expect(head(3, 2)).toContain("3 processes  2 of them stopping  up")
    expect(head(3, 0)).not.toContain("stopping")
  })

  const alice = sessionRow("alice", {
    requestsPerSecond: 812,
    p50: 0.94,
    p99: 12,
    streams: 3,
    websockets: 14,
    bytesInPerSecond: 1_240_000,
    bytesOutPerSecond: 9_800_000,
  })
  const bob = sessionRow("bob-7f3", {
    state: "draining",
    drainingUntil: 12_000,
    websockets: 1,
    lastError: "downstream_unreachable",
    lastReason: "certificate",
    idle: 2_460,
  })

  it("has what matters most in 60 columns", () => {
    const [, , , titles, first, second] = pictureOf(screenOf(stateOf([bob, alice], 60, 12), 0)).split("\n")
    expect([titles, first, second]).toEqual([
      "  SESSION           STATE         REQ/S      WS   ERR/S",
      "> alice             active          812      14       0",
      "  bob-7f3           drains 12s        0       1       0",
    ])
    const bySort = pictureOf(screenOf({ ...stateOf([bob, alice], 60, 12), sort: "idle" }, 0)).split("\n")
    expect(bySort[3]).toBe("  SESSION           STATE         REQ/S      WS   IDLE")
  })

  it("tells latencies in milliseconds, and in seconds from ten of them on", () => {
    const toldOf = (p50: number | undefined, p99: number | undefined) => {
      const totals = { ...snapshotOf([]).totals, p50, p99 }
      return totalPhrases(totals).map(({ text }) => text)[4]
    }
    expect(toldOf(1.24, 18)).toBe("p50 1.2 ms p99 18 ms")
    expect(toldOf(812, 12_000)).toBe("p50 812 ms p99 12 s")
    expect(toldOf(11_000, 12_000)).toBe("p50 11 s p99 12 s")
    expect(toldOf(undefined, undefined)).toBe("p50 - p99 -")
  })

  it("has everything in 200", () => {
    const lines = pictureOf(screenOf(stateOf([bob, alice], 200, 12), 0)).split("\n")
    expect(lines[0]).toMatch(/^ss-proxy 0\.4\.0 {2}1 process {2}up 5s {2}0 req\/s .* errors 0\/s$/)
    expect(lines[1]).toBe("by requests  2 of 2 sessions")
    const cells = (line = "") => line.trim().split(/ {2,}/)
    const titles = ["SESSION", "STATE", "REQ/S", "P50", "P99", "STREAMS", "WS", "IN/S", "OUT/S", "ERR/S"]
    expect(cells(lines[2])).toEqual([...titles, "LAST ERROR", "IDLE"])
    expect(cells(lines[3])).toEqual(["> alice", "active", "812", "0.9", "12", "3", "14", "1.2 MB", "9.8 MB", "0", "0s"])
    expect(cells(lines[4])).toContain("drains 12s")
    expect(cells(lines[4])).toContain("downstream_unreachable (certificate)")
  })

  it("has its numbers near the ids, and cuts ids that are very long", () => {
    const titles = (id: string): string | undefined =>
      pictureOf(screenOf(stateOf([alice, sessionRow(id)], 300, 12), 0))
        .split("\n")
        .find((line) => line.includes("SESSION"))
    expect(titles("bob")?.indexOf("STATE")).toBe(20)
    expect(titles("x".repeat(30))?.indexOf("STATE")).toBe(34)
    expect(titles("x".repeat(300))?.indexOf("STATE")).toBe(68)
  })

  it("shows the page of the chosen session, and asks at its foot", () => {
    const many = stateOf(Array.from({ length: 100 }, (_, at) => sessionRow(`s${String(at).padStart(2, "0")}`)))
    const end = pressed(many, { _tag: "Named", name: "end" }).state
    expect(pictureOf(screenOf(end, 0))).toContain("> s99")
    const asked = pictureOf(screenOf(pressed(end, typed("k")).state, 0))
    expect(asked).toContain("> s99")
    expect(asked).toMatch(/live on s99 \(nothing now\)\?(\n| {2})y yes, any other key no$/)
  })

  it("keeps what was seen last when nobody answers, and says so", () => {
    const silent = pictureOf(screenOf(unanswered(stateOf([alice]), "nobody is there", 0), 8_000))
    expect(silent).toContain("no answer for 8s: nobody is there")
    expect(silent).toContain("> alice")
    expect(pictureOf(screenOf(seen(stateOf([]), snapshotOf([]), undefined), 0))).toContain("there is no session yet")
  })
})
