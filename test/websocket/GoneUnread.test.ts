import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { fairNow } from "../support/FairClock.js"
import { frame } from "./Frames.js"
import { openTunnel, type TunnelEnd } from "./Tunnel.js"

/** A look at an end that is not read is due each second. */
const twoLooks = 3_000

/** Sends until the other side takes no more. */
const fill = ({ raw }: TunnelEnd, masked: boolean) =>
  Effect.gen(function* () {
    const block = frame(2, Buffer.alloc(65_536, 7), { masked })
    while (Option.isSome(yield* Effect.timeoutOption(raw.send(block), 250)));
  })

describe("a WebSocket one end of which takes nothing", () => {
  it.scopedLive.each(["client", "server"] as const)("is over soon after the %s, which is not read, is reset", (side) =>
    Effect.gen(function* () {
      const { client, server, proxy } = yield* openTunnel({ accessLog: true })
      const [sender, taker] = side === "client" ? [client, server] : [server, client]
      yield* taker.raw.stopReading
      yield* fill(sender, side === "client")
      const began = fairNow()
      yield* sender.raw.reset
      yield* proxy.quiet
      assert.isBelow(fairNow() - began, twoLooks)
      const line = proxy.log.find((one) => one.includes("websocket closed")) ?? ""
      assert.include(line, `closed_by=${side}`)
      yield* taker.raw.readOn
      assert.strictEqual(yield* taker.raw.gone, "reset")
    }),
  )
})
