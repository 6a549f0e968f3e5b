import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { connect, createServer, type Server } from "node:net"
import { HttpMessage } from "../support/HttpMessage.js"
import { answer, request } from "../support/HttpText.js"
import { listening } from "../support/Listening.js"
import { liveBufferBytes } from "../support/Memory.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { clientText, serverText } from "../websocket/Frames.js"
import { handshake, key, switching } from "../websocket/Tunnel.js"

const count = 300
/** What an idle connection may hold, both of its sockets together. A read can bring four times as much. */
const most = 16_384

/** All clients read to here, so that only the proxy's buffers are counted. */
const nowhere = Buffer.alloc(65_536)

/** A client that counts what it gets, and keeps nothing. */
class Client {
  readonly socket
  private awaited = 0
  private arrived = (): void => {}

  constructor(port: number) {
    const callback = (bytes: number): boolean => {
      this.awaited -= bytes
      if (this.awaited <= 0) this.arrived()
      return true
    }
    this.socket = connect({ port, host: "127.0.0.1", onread: { buffer: nowhere, callback } })
  }

  /** Sends, and waits for so many bytes in return. */
  exchange(bytes: string | Buffer, awaited: number): Effect.Effect<void> {
    return Effect.async((resume) => {
      this.awaited = awaited
      this.arrived = () => resume(Effect.void)
      this.socket.write(bytes)
    })
  }
}

const connected = (proxy: TestProxy): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Client(proxy.port)),
    ({ socket }) => Effect.sync(() => socket.destroy()),
  )

const message = "x".repeat(60_000)
const upload = "x".repeat(300_000)
const small = answer("200 OK", "small")
const large = answer("200 OK", upload)
const agreed = switching(new HttpMessage("", [["Sec-WebSocket-Key", key]], "none", Buffer.alloc(0), []))

/** A server that remembers nothing. What it answers, once so many bytes have come, depends on the path, as all that follows. */
const server = (): Server =>
  createServer((socket) => {
    let received = 0
    let isTunnel = false
    let path = ""
    socket.on("error", () => {})
    socket.on("data", (data) => {
      if (received === 0 && !isTunnel) path = data.toString("latin1", 0, 20).split(" ")[1] ?? ""
      received += data.byteLength
      if (path === "/upload" && received < upload.length) return
      if (isTunnel && received < message.length) return
      received = 0
      if (isTunnel) socket.write(serverText(message))
      else socket.write(path === "/socket" ? agreed : path === "/download" ? large : small)
      isTunnel = path === "/socket"
    })
  })

/** Bytes of buffers that each of many idle connections holds more after `exchange` than after `first`. */
const growth = (first: (client: Client) => Effect.Effect<void>, exchange: (client: Client) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const url = `http://127.0.0.1:${yield* listening(server())}`
    const proxy = yield* startProxy({ sessions: { app: url }, settings: { poolIdleConnections: count } })
    const clients = yield* Effect.replicateEffect(connected(proxy), count)
    yield* Effect.forEach(clients, first, { concurrency: count, discard: true })
    const before = liveBufferBytes()
    for (let times = 0; times < 2; times++)
      yield* Effect.forEach(clients, exchange, { concurrency: count, discard: true })
    return (liveBufferBytes() - before) / count
  })

const asked = (path: string, content: string, answered: string) => (client: Client) =>
  client.exchange(request(`POST /app${path}`, [`Content-Length: ${content.length}`], content), answered.length)

describe("an idle connection", () => {
  it.scopedLive("holds no room for more after large messages of a WebSocket", () =>
    Effect.gen(function* () {
      const open = (client: Client) => client.exchange(handshake(), agreed.length)
      const sent = clientText(message)
      const awaited = serverText(message).byteLength
      assert.isBelow(yield* growth(open, (client) => client.exchange(sent, awaited)), most)
    }),
  )

  for (const [what, path, content, answered] of [
    ["a large request", "/upload", upload, small],
    ["a large response, pooled connections included", "/download", "", large],
  ] as const) {
    it.scopedLive(`holds no room for more after ${what}`, () =>
      Effect.gen(function* () {
        assert.isBelow(yield* growth(asked("/small", "", small), asked(path, content, answered)), most)
      }),
    )
  }
})
