import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { connect, createServer, Socket } from "node:net"
import { Deadlines } from "../../src/clock/Deadlines.js"
import { LiveSession } from "../../src/sessions/LiveSession.js"
import { SendLimit } from "../../src/traffic/SendClock.js"
import { BridgedSocket } from "../../src/websocket/BridgedSocket.js"
import { fairNow } from "../support/FairClock.js"
import { nowhere } from "../support/Nowhere.js"
import { listening } from "../support/Listening.js"
import { clientText, frame, readFrames } from "./Frames.js"

/** Both ends of a connection: the proxy's, and that of somebody outside. */
const connection = Effect.gen(function* () {
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  const port = yield* listening(listener)
  const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
  yield* Effect.addFinalizer(() => Effect.sync(() => far.destroy()))
  const [near]: Array<unknown> = yield* Effect.promise(() => once(listener, "connection"))
  if (!(near instanceof Socket)) return yield* Effect.dieMessage("no socket")
  const received: Array<Buffer> = []
  for (const socket of [near, far]) socket.on("error", () => {})
  far.on("data", (bytes: Buffer) => received.push(bytes))
  yield* Effect.addFinalizer(() => Effect.sync(() => near.destroy()))
  return { near, far, bytes: () => Buffer.concat(received) }
})

const bridged = (client: Socket, server: Socket) =>
  new BridgedSocket(
    {
      session: new LiveSession("app", nowhere),
      requestId: "r",
      clientAddress: "a",
      target: "/",
      byHost: false,
      client,
      clientEarly: Buffer.alloc(0),
      server,
      serverEarly: Buffer.alloc(0),
      extensions: false,
      handshake: undefined,
      traceId: undefined,
      begun: () => undefined,
      release: () => {},
    },
    { wsMaxMessage: Infinity, wsPing: 0, wsIdleTimeout: 0, wsMaxLifetime: 0 },
    { sendLimit: new SendLimit(0), probeRounds: new Deadlines(60_000) },
  )

describe("a side that broke the rules while its peer does not keep up", () => {
  it.scopedLive("is told so a second later, and both are cut less than a second after that", () =>
    Effect.gen(function* () {
      const [client, server] = [yield* connection, yield* connection]
      // Nothing leaves for the server, as where its window is full, before the FIN at the end.
      server.near.cork()
      const socket = bridged(client.near, server.near)
      const [start, fairStart] = [performance.now(), fairNow()]
      yield* Effect.sync(() =>
        client.far.write(Buffer.concat([clientText("sound"), frame(3, "no", { masked: true }), clientText("late")])),
      )
      yield* Effect.all([socket.up.run, socket.down.run], { concurrency: "unbounded" })
      const time = performance.now() - start
      assert.deepStrictEqual(
        readFrames(client.bytes()).frames.map(({ opcode, text }) => `${opcode} ${text}`),
        ["8 1002 reserved opcode"],
      )
      assert.isTrue(client.near.destroyed && server.near.destroyed)
      assert.isAbove(time, 1_500)
      assert.isBelow(fairNow() - fairStart, 3_000)
      assert.deepStrictEqual([socket.code, socket.messagesIn], [1002, 1])
    }),
  )
})
