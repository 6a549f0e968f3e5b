import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Key } from "../../../src/cli/top/Keys.js"
import { ordered } from "../../../src/cli/top/Snapshot.js"
import { pressed, sessionsOf, type Step, type TopState, wantedOf } from "../../../src/cli/top/TopState.js"
import { keys, sessionRow, stateOf, typed } from "./TopLab.js"

const enter: Key = { _tag: "Named", name: "enter" }
const escape: Key = { _tag: "Named", name: "escape" }
const down: Key = { _tag: "Named", name: "down" }

/** Presses the keys one after another. */
const press = (state: TopState, ...all: ReadonlyArray<Key>): Step =>
  all.reduce<Step>((step, key) => pressed(step.state, key), { state })

const busy = stateOf([sessionRow("idle"), sessionRow("busy", { requestsPerSecond: 9, websockets: 2 })])

describe("the keys of top", () => {
  it("never end anything without a question that is answered by y", () => {
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 30 }), (all) => {
        let state = busy
        for (const key of all) {
          const step = pressed(state, key)
          const tag = step.action?._tag
          if (tag === "Kill" || tag === "Drain" || tag === "End") {
            expect(state.mode._tag).toBe("Ask")
            expect(key).toEqual({ _tag: "Typed", character: "y" })
          }
          state = step.state
        }
      }),
    )
  })

  it("kill and drain the chosen session, the first one unless another was chosen", () => {
    expect(press(busy, typed("k"), typed("y")).action).toEqual({ _tag: "Kill", session: "busy" })
    expect(press(busy, down, typed("d"), typed("y")).action).toEqual({ _tag: "Drain", session: "idle" })
    const asked = press(busy, typed("k")).state.mode
    expect(asked).toMatchObject({ question: "End all that is live on busy (2 WebSockets)?" })
    expect(press(busy, typed("k"), typed("n"))).toMatchObject({ state: { notice: "nothing was done" } })
  })

  it("keep to a session that was chosen, wherever it moves to", () => {
    const chosen = press(busy, down).state
    const [row] = sessionsOf(chosen)
    const changed = { ...chosen, sort: "idle" as const }
    expect(row?.id).toBe("busy")
    expect(press(changed, typed("k"), typed("y")).action).toEqual({ _tag: "Kill", session: "idle" })
  })

  it("end one live thing, which is named first", () => {
    const opened = press(busy, enter)
    expect(opened).toMatchObject({ action: { _tag: "Look" }, state: { mode: { _tag: "Live", session: "busy" } } })
    expect(wantedOf(opened.state).live).toBe("busy")
    const rows = [
      { id: "p-1", kind: "websocket", age: 1, silent: 0, client: "::1", bytesIn: 0, bytesOut: 0, request: "GET /ws" },
    ]
    const live: TopState = { ...opened.state, mode: { _tag: "Live", session: "busy", rows, selected: undefined } }
    const asked = press(live, typed("k"))
    expect(asked.state.mode).toMatchObject({ question: "End the websocket p-1 of busy, from ::1?" })
    const answered = press(asked.state, typed("y"))
    expect(answered).toMatchObject({ action: { _tag: "End", live: "p-1" }, state: { mode: { _tag: "Live" } } })
    expect(press(live, escape).state.mode._tag).toBe("List")
  })

  it("resume only what drains", () => {
    expect(press(busy, typed("r"))).toMatchObject({ state: { notice: "busy does not drain" } })
    const draining = stateOf([sessionRow("a", { state: "draining", drainingUntil: 1 })])
    expect(press(draining, typed("r")).action).toEqual({ _tag: "Resume", session: "a" })
  })

  it("type a filter, which is in force at once; letters are no commands there", () => {
    const filtered = press(busy, typed("/"), typed("i"), typed("d"))
    expect(filtered).toMatchObject({ action: { _tag: "Look" }, state: { filter: "id" } })
    expect(sessionsOf(filtered.state).map(({ id }) => id)).toEqual(["idle"])
    const pasted: Key = { _tag: "Pasted", text: "le\n" }
    expect(press(filtered.state, pasted, enter).state).toMatchObject({ filter: "idle", mode: { _tag: "List" } })
    expect(press(filtered.state, enter, escape).state.filter).toBe("")
  })

  it("quit by q, and by Ctrl-C also where q is a letter", () => {
    expect(press(busy, typed("q")).action).toEqual({ _tag: "Quit" })
    expect(press(busy, typed("?"), typed("q")).action).toEqual({ _tag: "Quit" })
    const interrupt: Key = { _tag: "Named", name: "interrupt" }
    expect(press(busy, typed("/"), typed("q")).action).toEqual({ _tag: "Look" })
    expect(press(busy, typed("/"), interrupt).action).toEqual({ _tag: "Quit" })
    expect(press(busy, typed("k"), interrupt).action).toEqual({ _tag: "Quit" })
  })

  it("pause, and look again when that is over", () => {
    const paused = press(busy, typed("p"))
    expect(paused.state.isPaused).toBe(true)
    expect(paused.action).toBeUndefined()
    expect(press(paused.state, typed("p"))).toMatchObject({ action: { _tag: "Look" }, state: { isPaused: false } })
  })

  it("ask for as many sessions as can be scrolled to, and not for all", () => {
    const many = stateOf(Array.from({ length: 1_000 }, (_, at) => sessionRow(String(at).padStart(4, "0"))))
    expect(wantedOf(many).limit).toBe(100)
    expect(wantedOf(press(many, { _tag: "Named", name: "end" }).state).limit).toBe(1_000)
  })
})

describe("the order of top", () => {
  it("has what is not known behind what is 0, and the same by id", () => {
    const rows = [sessionRow("b", { p99: 3 }), sessionRow("c"), sessionRow("a"), sessionRow("d", { p99: 7 })]
    expect(ordered(rows, "p99", "").map(({ id }) => id)).toEqual(["d", "b", "a", "c"])
    expect(ordered(rows, "requests", "").map(({ id }) => id)).toEqual(["a", "b", "c", "d"])
  })
})
