import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import { request } from "../support/HttpText.js"
import { hello, type Lab, startLab } from "../support/Lab.js"
import { listening } from "../support/Listening.js"
import { liveBytes } from "../support/Memory.js"
import type { RawClient } from "../support/RawClient.js"
import { startProxy } from "../support/TestProxy.js"
import { startTraceLab } from "../traces/TraceLab.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"

const size = 30_000
const large = `Cookie: ${"x".repeat(size)}`
const count = 200

/** Asks until what the first requests make has been made. */
const warmUp = (client: RawClient) =>
  Effect.forEach(Array.from({ length: 50 }), () => client.ask(request("GET /nobody", ["X-A: b"])), { discard: true })

/** Opens WebSockets whose heads have such fields, and gives how many bytes each of them keeps. */
const keptFor = (lab: Lab, id: (index: number) => ReadonlyArray<string> = () => []) =>
  Effect.gen(function* () {
    const before = liveBytes()
    for (let index = 0; index < 50; index++) yield* openThrough(lab, "/app/a-path-of-a-socket", [large, ...id(index)])
    return (liveBytes() - before) / 50
  })

describe("the head of a request that is over", () => {
  it.scopedLive("is not kept for the names of its fields", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      const client = yield* proxy.connect
      yield* warmUp(client)
      const before = liveBytes()
      for (let index = 0; index < count; index++)
        yield* client.ask(request("GET /nobody", [`X-A-Name-Of-Its-Own-${index}: b`, large]))
      yield* warmUp(client)
      assert.isBelow(liveBytes() - before, (count * size) / 4)
    }),
  )

  for (const [what, status, code] of [
    ["the id of its session", "active", 200],
    ["the answer that its session takes no requests", "stopped", 503],
  ] as const) {
    it.scopedLive(`is not kept for ${what}`, () =>
      Effect.gen(function* () {
        // A server that remembers nothing, unlike those of other tests.
        const server = createServer((socket) => socket.on("data", () => socket.write(hello)).on("error", () => {}))
        const url = `http://127.0.0.1:${yield* listening(server)}`
        const ids = Array.from({ length: count }, (_, index) => `a-session-of-its-own-${index}`)
        const proxy = yield* startProxy({
          sessions: Object.fromEntries(ids.map((id) => [id, { url, status }])),
          settings: { poolIdleTimeout: 10 },
        })
        const client = yield* proxy.connect
        yield* warmUp(client)
        const before = liveBytes()
        for (const id of ids) assert.strictEqual((yield* client.ask(request(`GET /${id}/x`, [large]))).status, code)
        yield* warmUp(client)
        assert.isBelow(liveBytes() - before, (count * size) / 4)
      }),
    )
  }

  it.scopedLive("is not kept for the id of a WebSocket's request", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      yield* keptFor(lab)
      const plain = yield* keptFor(lab)
      const named = yield* keptFor(lab, (index) => [`X-Request-Id: a-request-of-its-own-${index}`])
      assert.isBelow(named - plain, size / 2)
      for (const { socket } of lab.origin.connections) socket.destroy()
    }),
  )

  it.scopedLive("is not kept for the spans of a WebSocket", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      const traced = yield* startTraceLab({ script: agreeing() })
      yield* keptFor(lab)
      const plain = yield* keptFor(lab)
      yield* keptFor(traced)
      assert.isBelow((yield* keptFor(traced)) - plain, (2 * size) / 3)
      for (const { socket } of [...lab.origin.connections, ...traced.origin.connections]) socket.destroy()
    }),
  )
})
