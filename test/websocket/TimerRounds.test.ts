import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Socket } from "node:net"
import { Deadlines } from "../../src/clock/Deadlines.js"
import { nextTurn } from "../../src/clock/NextTurn.js"
import { LiveSession } from "../../src/sessions/LiveSession.js"
import { SendLimit } from "../../src/traffic/SendClock.js"
import { BridgedSocket } from "../../src/websocket/BridgedSocket.js"
import { WebSocketTimers } from "../../src/websocket/WebSocketTimers.js"
import { nowhere } from "../support/Nowhere.js"

const rules = { wsMaxMessage: Infinity, wsPing: 0, wsIdleTimeout: 0, wsMaxLifetime: 20 }
const session = new LiveSession("one", nowhere)

/** A WebSocket that takes a millisecond to be told that its time is over. */
class Slow extends BridgedSocket {
  constructor(private readonly whenTold: () => void) {
    const [client, server] = [new Socket(), new Socket()]
    const none = new Uint8Array(0)
    const texts = { requestId: "r", clientAddress: "a", target: "/" }
    const calls = { traceId: undefined, begun: () => undefined, release: () => {} }
    const ends = {
      session,
      ...texts,
      client,
      byHost: false,
      clientEarly: none,
      server,
      serverEarly: none,
      extensions: false,
      handshake: undefined,
      ...calls,
    }
    const watches = { sendLimit: new SendLimit(0), probeRounds: new Deadlines(0) }
    super(ends, rules, watches)
  }

  override closeWith(): void {
    const end = performance.now() + 1
    while (performance.now() < end);
    this.end = { closedBy: "proxy", code: 1001, reason: "" }
    this.whenTold()
  }
}

describe("a round of all WebSockets", () => {
  it.live("takes as many turns of the event loop as it needs, and reaches everyone", () =>
    Effect.gen(function* () {
      const count = 60
      const told: Array<number> = []
      const timers = new WebSocketTimers()
      const sockets = Array.from({ length: count }, () => new Slow(() => told.push(1)))
      for (const socket of sockets) timers.add(socket, rules)
      let largest = 0
      for (let before = 0; told.length < count; before = told.length) {
        yield* nextTurn
        largest = Math.max(largest, told.length - before)
      }
      for (const socket of sockets) timers.remove(socket, rules)
      assert.isAtMost(largest, 12)
    }),
  )

  it("is one for all long times, however many there are, and ends with the last of them", () => {
    const timeouts = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
    const before = timeouts()
    const timers = new WebSocketTimers()
    const off = { wsMaxMessage: Infinity, wsPing: 0, wsIdleTimeout: 0, wsMaxLifetime: 0 }
    const held = Array.from({ length: 1_000 }, (_, index) => ({
      ...off,
      wsPing: 8_000 + index,
      wsIdleTimeout: 9_000 * index,
    }))
    const sockets = held.map((times) => ({ times, socket: new Slow(() => {}) }))
    for (const { socket, times } of sockets) timers.add(socket, times)
    timers.add(new Slow(() => {}), off)
    assert.strictEqual(timeouts(), before + 1)
    for (const { socket, times } of sockets) timers.remove(socket, times)
    assert.strictEqual(timeouts(), before)
  })
})
