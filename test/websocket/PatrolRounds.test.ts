import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Socket } from "node:net"
import { defaultSettings } from "../../src/domain/ProxyConfig.js"
import { LiveSession } from "../../src/sessions/LiveSession.js"
import { SendLimit } from "../../src/traffic/SendClock.js"
import { BridgedSocket } from "../../src/websocket/BridgedSocket.js"
import { Patrol } from "../../src/websocket/Patrol.js"

const target = { secure: false, hostname: "h", port: 1, authority: "h:1", basePath: "", authorization: undefined }
const session = new LiveSession("one", target)
const noLimit = new SendLimit(0)

/** A WebSocket that takes a millisecond to be told that its time is over. */
class Slow extends BridgedSocket {
  constructor(private readonly whenTold: () => void) {
    const [client, server] = [new Socket(), new Socket()]
    const none = new Uint8Array(0)
    const texts = { requestId: "r", clientAddress: "a", target: "/" }
    const calls = { begun: () => {}, release: () => {} }
    super(
      { session, ...texts, client, clientEarly: none, server, serverEarly: none, extensions: false, ...calls },
      defaultSettings,
      noLimit,
    )
  }

  override dismiss(): void {
    const end = performance.now() + 1
    while (performance.now() < end);
    this.end = { closedBy: "proxy", code: 1001, reason: "" }
    this.whenTold()
  }
}

const nextTurn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("a round of all WebSockets", () => {
  it.live("takes as many turns of the event loop as it needs, and reaches everyone", () =>
    Effect.gen(function* () {
      const count = 60
      const told = { count: 0 }
      const patrol = new Patrol({ wsPing: 0, wsIdleTimeout: 0, wsMaxLifetime: 20 })
      const sockets = Array.from({ length: count }, () => new Slow(() => told.count++))
      for (const socket of sockets) patrol.add(socket)
      let largest = 0
      for (let before = 0; told.count < count; before = told.count) {
        yield* nextTurn
        largest = Math.max(largest, told.count - before)
      }
      for (const socket of sockets) patrol.remove(socket)
      assert.isAtMost(largest, 12)
    }),
  )
})
