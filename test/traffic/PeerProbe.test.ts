import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect, createServer, type Socket } from "node:net"
import { type Deadline, Deadlines } from "../../src/clock/Deadlines.js"
import { PeerProbe } from "../../src/traffic/PeerProbe.js"

const portOf = (server: ReturnType<typeof createServer>): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** Both ends of a connection on loopback; ours, the first, is not read. */
const connected = Effect.gen(function* () {
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => createServer({ pauseOnConnect: true })),
    (server) => Effect.sync(() => server.close()),
  )
  return yield* Effect.acquireRelease(
    Effect.async<readonly [ours: Socket, peer: Socket]>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const peer = connect(portOf(server), "127.0.0.1")
        server.once("connection", (ours) => resume(Effect.succeed([ours.on("error", () => {}), peer])))
      })
    }),
    (sockets) => Effect.sync(() => sockets.forEach((socket) => socket.destroy())),
  )
})

const rounds = Effect.acquireRelease(
  Effect.sync(() => new Deadlines(20)),
  (deadlines) => Effect.sync(() => deadlines.clear()),
)

class CountedRounds extends Deadlines {
  begun = 0

  override start(deadline: Deadline): void {
    this.begun++
    super.start(deadline)
  }
}

describe("the probe of a peer that is not read", () => {
  it.scopedLive("notices that the peer has reset the connection", () =>
    Effect.gen(function* () {
      const [socket, peer] = yield* connected
      new PeerProbe({ socket, isUnread: true }, yield* rounds).start()
      const closed = Effect.async<void>((resume) => void socket.once("close", () => resume(Effect.void)))
      peer.resetAndDestroy()
      yield* closed
      assert.isTrue(socket.destroyed)
    }),
  )

  it.scopedLive("sends nothing to a peer that is there, and stops once the socket is read", () =>
    Effect.gen(function* () {
      const [socket, peer] = yield* connected
      const subject = { socket, isUnread: true }
      const rounds = new CountedRounds(60_000)
      const probe = new PeerProbe(subject, rounds)
      probe.start()
      probe.expire()
      assert.strictEqual(rounds.begun, 2)
      subject.isUnread = false
      probe.expire()
      assert.strictEqual(rounds.begun, 2)
      rounds.clear()
      const heard = Effect.async<string>(
        (resume) => void peer.once("data", (data) => resume(Effect.succeed(`${data}`))),
      )
      socket.write("first")
      assert.strictEqual(yield* heard, "first")
    }),
  )
})
