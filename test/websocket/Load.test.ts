import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { fairNow } from "../support/FairClock.js"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"
import { fibersBackTo, liveFibers } from "./Fibers.js"
import { clientClose, clientText, frame, serverClose } from "./Frames.js"
import { silentServer } from "./SilentServer.js"
import { agreeing, answerPings, handshake, openThrough, openTunnel, type TunnelEnd } from "./Tunnel.js"

type Ends = { readonly client: TunnelEnd; readonly server: TunnelEnd }

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

/** Bytes that buffers hold, without those that nobody has any more. */
const heldByBuffers = (): number => {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

const block = frame(2, Buffer.alloc(65_526, 7))

/** Sends until nothing is taken any more for a while. Returns how many bytes that were. */
const sendUntilStalled = ({ server }: Ends) =>
  Effect.gen(function* () {
    const { socket } = server.raw
    let sent = 0
    for (let stalled = 0; stalled < 5;) {
      if (socket.writableNeedDrain) {
        stalled++
        yield* Effect.sleep(20)
      } else {
        stalled = 0
        socket.write(block)
        sent += block.length
        yield* Effect.yieldNow()
      }
    }
    return sent
  })

describe("a WebSocket whose reader stops", () => {
  it.scopedLive("stops its sender, and loses nothing when it reads on", () =>
    Effect.gen(function* () {
      const tunnel = yield* openTunnel()
      yield* tunnel.client.raw.stopReading
      const sent = yield* sendUntilStalled(tunnel)
      assert.isBelow(sent, 32 * 1024 * 1024)
      yield* tunnel.client.raw.readOn
      yield* tunnel.client.seen(sent)
      assert.strictEqual(tunnel.client.bytes.length, sent)
      assert.isTrue(tunnel.client.bytes.subarray(-block.length).equals(block))
    }),
  )

  it.scopedLive("costs a bounded amount of memory, however many there are", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      const count = 30
      const opened = yield* Effect.replicateEffect(openThrough(lab), count)
      for (const { client } of opened) yield* client.raw.stopReading
      const before = heldByBuffers()
      yield* Effect.forEach(opened, sendUntilStalled, { concurrency: "unbounded", discard: true })
      const each = (heldByBuffers() - before) / count
      // What the proxy holds, and what the sender of this test holds in the same process.
      assert.isBelow(each, 512 * 1024)
      for (const { client } of opened) yield* client.raw.reset
    }),
  )
})

const ways: ReadonlyArray<readonly [order: string, end: (ends: Ends) => Effect.Effect<unknown>]> = [
  ["client first", ({ client }) => Effect.zipRight(client.raw.send(clientClose(1000)), client.raw.finish)],
  ["server first", ({ server }) => Effect.zipRight(server.raw.send(serverClose(1000)), server.raw.finish)],
  [
    "both at once",
    ({ client, server }) =>
      Effect.all([client.raw.send(clientClose(1000)), server.raw.send(serverClose(1000)), client.raw.finish], {
        concurrency: "unbounded",
      }),
  ],
  ["a reset of the client", ({ client }) => client.raw.reset],
  ["a reset of the server", ({ server }) => server.raw.reset],
  [
    "a reset inside a frame",
    ({ client }) => Effect.zipRight(client.raw.send(clientText("half").subarray(0, 5)), client.raw.reset),
  ],
]

describe("many WebSockets, opened and closed", () => {
  it.scopedLive.each(ways)("leave no socket and no fiber behind: %s", ([, end]) =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      const before = yield* liveFibers
      const cycle = Effect.scoped(
        Effect.gen(function* () {
          const ends = yield* openThrough(lab)
          yield* end(ends)
          if (!ends.client.raw.socket.destroyed) yield* ends.client.raw.gone
        }),
      )
      yield* Effect.repeatN(cycle, 39)
      yield* lab.origin.deserted
      yield* lab.proxy.quiet
      yield* fibersBackTo(before)
      assert.strictEqual(yield* lab.proxy.trafficCount, 0)
    }),
  )

  it.scopedLive("before the server has answered leave nothing behind", () =>
    Effect.gen(function* () {
      const { proxy, origin } = yield* startLab({ script: () => Effect.void })
      const before = yield* liveFibers
      for (let count = 1; count <= 40; count++) {
        const client = yield* proxy.connect
        yield* client.send(handshake())
        yield* origin.connection(count - 1)
        yield* client.reset
      }
      yield* origin.deserted
      yield* proxy.quiet
      yield* fibersBackTo(before)
    }),
  )
})

/** A server in a process of its own. */
const serverProcess = Effect.acquireRelease(
  Effect.promise(async () => {
    const child = spawn(process.execPath, ["-e", silentServer, "127.0.0.1"], { stdio: ["ignore", "pipe", "inherit"] })
    const [line] = await once(child.stdout, "data")
    return { child, url: `http://127.0.0.1:${String(line).trim()}` }
  }),
  ({ child }) => Effect.sync(() => child.kill("SIGKILL")),
)

describe("a server in another process", () => {
  it.scopedLive.each([
    ["is killed", "SIGKILL", 0],
    ["is frozen, and found out by a ping", "SIGSTOP", 400],
  ] as const)("that %s: every client is told 1011 in time", ([, signal, wsPing]) =>
    Effect.gen(function* () {
      const { child, url } = yield* serverProcess
      const proxy = yield* startProxy({ sessions: { app: url }, settings: { wsPing } })
      const clients = yield* Effect.replicateEffect(proxy.connect, 20)
      for (const client of clients) {
        yield* client.send(handshake())
        assert.strictEqual((yield* client.head).status, 101)
      }
      child.kill(signal)
      for (const client of clients) {
        answerPings(client)
      }
      const startedAt = fairNow()
      for (const client of clients) {
        yield* client.gone
        assert.include(client.text, "the server was lost")
        yield* client.finish
      }
      assert.isBelow(fairNow() - startedAt, 1_500)
      yield* proxy.quiet
      const health = yield* proxy.connect
      assert.strictEqual((yield* health.ask(request("GET /health"))).status, 200)
    }),
  )
})
