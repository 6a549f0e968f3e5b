import { assert, describe, it } from "@effect/vitest"
import { LiveSession } from "../../src/sessions/LiveSession.js"
import { WebSocketSlots } from "../../src/traffic/WebSocketSlots.js"
import { nowhere } from "../support/Nowhere.js"

const sessionOf = (id: string) => new LiveSession(id, nowhere)

describe("the slots for WebSockets", () => {
  it("are full for one session at its own limit, and for all at theirs", () => {
    const slots = new WebSocketSlots({ maxWebSockets: 2, maxWebSocketsPerSession: 1 })
    const [one, other, third] = [sessionOf("one"), sessionOf("other"), sessionOf("third")]
    assert.strictEqual(slots.full(one), undefined)
    slots.take(one)
    assert.strictEqual(slots.full(one), "session")
    assert.strictEqual(slots.full(other), undefined)
    slots.take(other)
    assert.strictEqual(slots.full(third), "all")
  })

  it("are given back once, however often that is said", () => {
    const slots = new WebSocketSlots({ maxWebSockets: 2, maxWebSocketsPerSession: Infinity })
    const session = sessionOf("one")
    const release = slots.take(session)
    slots.take(session)
    assert.strictEqual(slots.full(session), "all")
    release()
    release()
    assert.strictEqual(slots.full(session), undefined)
    slots.take(session)
    assert.strictEqual(slots.full(session), "all")
  })

  it("of a session's new lifetime are not taken by the old one", () => {
    const slots = new WebSocketSlots({ maxWebSockets: Infinity, maxWebSocketsPerSession: 1 })
    slots.take(sessionOf("one"))
    assert.strictEqual(slots.full(sessionOf("one")), undefined)
  })
})
