import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import type { TrafficRecord } from "../../src/telemetry/TrafficRecord.js"
import { TrafficObservers } from "../../src/traffic/TrafficObservers.js"
import { startLab } from "../support/Lab.js"
import { agreeing, openThrough } from "./Tunnel.js"

describe("an observer that does not end", () => {
  it.live("hears of a WebSocket that is over, and does not keep the proxy from stopping", () =>
    Effect.gen(function* () {
      const told = yield* Deferred.make<TrafficRecord>()
      const hooks = TrafficObservers.layer((record) => Effect.zipRight(Deferred.succeed(told, record), Effect.never))
      const run = Effect.gen(function* () {
        const lab = yield* startLab({ script: agreeing(), hooks })
        const { client } = yield* openThrough(lab)
        client.raw.socket.resetAndDestroy()
        return (yield* Deferred.await(told)).end
      })
      assert.strictEqual(yield* Effect.scoped(run), "client")
    }),
  )
})
