import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { fairNow } from "../support/FairClock.js"
import { FarHost, noFarHost } from "../support/FarHost.js"
import { describeUnless } from "../support/LeftOut.js"
import { startProxy } from "../support/TestProxy.js"
import { silentServer } from "./SilentServer.js"
import { answerPings, handshake } from "./Tunnel.js"

describeUnless(noFarHost())("a server whose host is cut off the network", () => {
  it.scopedLive("is lost within the time of --ws-ping, although no FIN and no RST ever came", () =>
    Effect.gen(function* () {
      const host = yield* FarHost.make
      const child = yield* host.start(process.execPath, ["-e", silentServer, host.address])
      const [port] = yield* Effect.promise(() => once(child.stdout, "data"))
      const proxy = yield* startProxy({
        sessions: { app: `http://${host.address}:${String(port).trim()}` },
        settings: { wsPing: 800, accessLog: true },
      })
      const client = yield* proxy.connect
      yield* client.send(handshake())
      assert.strictEqual((yield* client.head).status, 101)
      answerPings(client)
      // Long enough for pings and pongs over the cable; without those the server would be lost by now.
      yield* Effect.sleep(1_200)
      assert.isTrue(client.isOpen)
      const [cutAt, fairCutAt] = [performance.now(), fairNow()]
      yield* host.cutCable
      yield* client.gone
      const [time, fairTime] = [performance.now() - cutAt, fairNow() - fairCutAt]
      assert.include(client.text, "the server was lost")
      // It was heard up to half of the time before the cut. A round is 100 ms.
      assert.isAbove(time, 200)
      assert.isBelow(fairTime, 1_200)
      yield* client.finish
      yield* proxy.quiet
      assert.isTrue(proxy.log.some((line) => line.includes("code=1011") && line.includes("it did not answer a ping")))
    }),
  )
})
