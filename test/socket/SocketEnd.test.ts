import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { cut, reset } from "../../src/socket/SocketEnd.js"
import { Changes, type NotSeen } from "../support/Changes.js"
import { listening } from "../support/Listening.js"
import { RawConnection } from "../support/RawConnection.js"

/** More than the kernel takes for a peer that does not read. */
const tooMuch = Buffer.alloc(16 * 1024 * 1024, 7)

/** A socket, its peer, and whether the socket has been closed. */
interface Pair {
  readonly own: Socket
  readonly peer: RawConnection
  readonly closed: Effect.Effect<void, NotSeen>
}

const pair: Effect.Effect<Pair, never, Scope.Scope> = Effect.gen(function* () {
  const server = createServer({ allowHalfOpen: true })
  const accepted = once(server, "connection")
  const port = yield* listening(server)
  const peer = yield* Effect.acquireRelease(
    Effect.sync(() => connect({ port, host: "127.0.0.1", allowHalfOpen: true })),
    (socket) => Effect.sync(() => socket.destroy()),
  )
  const raw = new RawConnection(peer, new Changes())
  const [own]: Array<Socket> = yield* Effect.promise(() => accepted)
  if (own === undefined) return yield* Effect.dieMessage("nobody came")
  const changes = new Changes()
  let isClosed = false
  own.on("error", () => {})
  own.on("close", () => {
    isClosed = true
    changes.announce()
  })
  const state = () => `ended ${own.writableEnded}, finished ${own.writableFinished}, waiting ${own.writableLength}`
  return { own, peer: raw, closed: changes.until("the socket to close", () => isClosed, state) }
})

const ended = (socket: Socket, bytes: Buffer | string): Effect.Effect<void> => Effect.sync(() => socket.end(bytes))

const finished = (socket: Socket, bytes: Buffer | string): Effect.Effect<void> =>
  Effect.async((resume) => void socket.end(bytes, () => resume(Effect.void)))

const nextTurn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe.each([
  ["reset", reset],
  ["cut", cut],
])("%s", (name, end) => {
  it.scopedLive("closes a socket that was ended in the same turn, and its peer gets everything and FIN", () =>
    Effect.gen(function* () {
      const { own, peer, closed } = yield* pair
      own.end("everything")
      end(own)
      yield* closed
      assert.strictEqual(yield* peer.gone, "finished")
      assert.strictEqual(peer.text, "everything")
    }),
  )

  it.scopedLive("closes one on which FIN is on its way since an earlier tick of the turn", () =>
    Effect.gen(function* () {
      const { own, peer, closed } = yield* pair
      own.write("every")
      own.end("thing")
      yield* Effect.promise(() => Promise.resolve())
      end(own)
      yield* closed
      assert.strictEqual(yield* peer.gone, "finished")
      assert.strictEqual(peer.text, "everything")
    }),
  )

  it.scopedLive("resets one that was ended with data that the kernel has not taken, at once and later", () =>
    Effect.gen(function* () {
      for (const moment of [Effect.void, nextTurn, Effect.sleep(20)]) {
        const { own, peer, closed } = yield* pair
        yield* peer.stopReading
        yield* ended(own, tooMuch)
        yield* moment
        assert.isAbove(own.writableLength, 0)
        end(own)
        yield* closed
        yield* peer.readOn
        assert.strictEqual(yield* peer.gone, "reset")
        assert.isBelow(peer.received.length, tooMuch.length)
      }
    }),
  )

  it.scopedLive("resets one that was not ended, whether its data is in the kernel or not", () =>
    Effect.gen(function* () {
      for (const bytes of [Buffer.from("a beginning"), tooMuch]) {
        const { own, peer, closed } = yield* pair
        yield* peer.stopReading
        own.write(bytes)
        end(own)
        yield* closed
        yield* peer.readOn
        assert.strictEqual(yield* peer.gone, "reset")
      }
    }),
  )

  it.scopedLive("closes one that is closed already, and one that both sides have ended", () =>
    Effect.gen(function* () {
      const first = yield* pair
      first.own.destroy()
      end(first.own)
      yield* first.closed
      const second = yield* pair
      second.own.resume()
      yield* second.peer.finish
      yield* Effect.async<void>((resume) => void second.own.once("end", () => resume(Effect.void)))
      second.own.end("bye")
      end(second.own)
      yield* second.closed
      yield* second.peer.seen("bye")
    }),
  )

  it.scopedLive(`${name === "cut" ? "closes" : "resets"} one behind its FIN`, () =>
    Effect.gen(function* () {
      const { own, peer, closed } = yield* pair
      yield* peer.stopReading
      yield* finished(own, "everything")
      end(own)
      yield* closed
      yield* peer.readOn
      assert.strictEqual(yield* peer.gone, name === "cut" ? "finished" : "reset")
      assert.strictEqual(peer.text, "everything")
    }),
  )
})
