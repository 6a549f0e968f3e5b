import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readlinkSync } from "node:fs"
import { eventually } from "../support/Changes.js"
import { childrenOf } from "../support/ChildProcesses.js"
import { ProxyProcess } from "../support/ProxyProcess.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs, refusedWs, type WsPeer } from "../support/WsPeer.js"

/** How many sockets a process has open. */
const socketsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:")
    } catch {
      // It is closed by now.
      return false
    }
  }).length

/** A WebSocket; `undefined` where it is refused for the limit. */
const tryWs = (url: string) =>
  openWs(url).pipe(
    Effect.catchAllDefect((defect) => (String(defect).includes("429") ? Effect.void : Effect.die(defect))),
  )

const isOpen = ({ socket }: WsPeer): boolean => socket.readyState === socket.OPEN

/** Waits until it is known whether a WebSocket is still there. */
const answeredOrEnded = (peer: WsPeer) =>
  Effect.suspend(() => {
    peer.socket.ping()
    return peer.until("a pong, or the end", () => peer.pongs.length > 0 || !isOpen(peer))
  })

describe("the WebSockets of a session over three workers", () => {
  it.scopedLive("are as many as the limit says, and one that is killed gives back the places of its own", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* ProxyProcess.startWith({
        flags: ["--workers", "3", "--max-websockets-per-session", "5"],
        sessions: { app: origin.url },
      })
      const url = `${proxy.url}/ws/app`
      const peers = yield* Effect.forEach(Array.from({ length: 5 }), () => openWs(url))
      for (let count = 0; count < 6; count++) assert.strictEqual((yield* refusedWs(url)).status, 429)
      const [busiest = 0] = childrenOf(proxy.pid).toSorted((one, other) => socketsOf(other) - socketsOf(one))
      yield* Effect.sync(() => process.kill(busiest, "SIGKILL"))
      yield* Effect.forEach(peers, answeredOrEnded)
      const lost = peers.filter((peer) => !isOpen(peer)).length
      assert.isAbove(lost, 1)
      for (let count = 0; count < lost; count++)
        yield* eventually(
          Effect.map(tryWs(url), (opened) => opened !== undefined),
          "a place that is free again",
        )
      for (let count = 0; count < 6; count++) assert.strictEqual((yield* refusedWs(url)).status, 429)
    }),
  )
})
