import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect, type Socket } from "node:net"
import { fairNow } from "../support/FairClock.js"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"

const crowd = 2_000
const headTimeout = 1_500

/** Sockets that send a byte of a head now and then, and never all of it. */
class Dribblers {
  closed = 0
  private readonly sockets: Array<Socket> = []
  private timer: NodeJS.Timeout | undefined

  /** Opens all of them. */
  static start(port: number): Effect.Effect<Dribblers> {
    return Effect.async((resume) => {
      const dribblers = new Dribblers()
      let opened = 0
      for (let index = 0; index < crowd; index++) {
        const socket = connect({ port, host: "127.0.0.1" }, () => {
          socket.write("GET /app/slow HTTP/1.1\r\nX-A: ")
          if (++opened === crowd) resume(Effect.succeed(dribblers))
        })
        socket.on("error", () => {})
        socket.on("close", () => dribblers.closed++)
        socket.resume()
        dribblers.sockets.push(socket)
      }
      dribblers.timer = setInterval(() => {
        for (const socket of dribblers.sockets) if (socket.writable) socket.write("a")
      }, 300)
    })
  }

  stop(): void {
    clearInterval(this.timer)
    for (const socket of this.sockets) socket.destroy()
  }
}

describe("two thousand clients that dribble their heads", () => {
  it.scopedLive(
    "hold nobody else up, and are all closed once the time for a head is over",
    () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ settings: { headTimeout } })
        const client = yield* proxy.connect
        const dribblers = yield* Effect.acquireRelease(Dribblers.start(proxy.port), (all) =>
          Effect.sync(() => all.stop()),
        )
        const waits: Array<number> = []
        // On a busy machine it takes a while to accept, and to close, so many.
        const deadline = performance.now() + headTimeout * 2 + 20_000
        while (dribblers.closed < crowd && performance.now() < deadline) {
          const asked = fairNow()
          assert.strictEqual((yield* client.ask(request("GET /app/prompt"))).text, "hello")
          waits.push(fairNow() - asked)
          yield* Effect.sleep(5)
        }
        assert.strictEqual(dribblers.closed, crowd)
        const median = waits.toSorted((a, b) => a - b)[waits.length >> 1] ?? Infinity
        assert.isBelow(median, 50)
        assert.isBelow(Math.max(...waits), 1_000)
        assert.notInclude(origin.text, "slow")
      }),
    60_000,
  )
})
