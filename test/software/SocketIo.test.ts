import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Server, type Socket as ServerSocket } from "socket.io"
import { io, type Socket } from "socket.io-client"
import { Changes } from "../support/Changes.js"
import { HttpOrigin } from "../support/HttpOrigin.js"
import { startProxy } from "../support/TestProxy.js"

/** A Socket.IO server that echoes with an acknowledgement, and knows who is there. */
const startServer = Effect.gen(function* () {
  const origin = yield* HttpOrigin.start()
  const io = yield* Effect.acquireRelease(
    Effect.sync(() => new Server(origin.server, { serveClient: false })),
    (server) => Effect.promise(() => server.close()),
  )
  const changes = new Changes()
  const sockets: Array<ServerSocket> = []
  const left: Array<string> = []
  const onConnection = (socket: ServerSocket): void => {
    sockets.push(socket)
    socket.on("echo", (value: unknown, acknowledge: (value: unknown) => void) => acknowledge(value))
    socket.on("disconnect", (reason) => {
      left.push(reason)
      changes.announce()
    })
    changes.announce()
  }
  io.on("connection", onConnection)
  io.of("/rooms").on("connection", onConnection)
  const peer = changes
    .until(
      "a client",
      () => sockets.length > 0,
      () => "none",
    )
    .pipe(
      Effect.flatMap(() => {
        const [socket] = sockets
        return socket === undefined ? Effect.dieMessage("the client was there") : Effect.succeed(socket)
      }),
    )
  const everybodyLeft = changes.until(
    "the client to leave",
    () => left.length === sockets.length,
    () => left.join(),
  )
  return { url: origin.url, io, peer, left, everybodyLeft }
})

type Transports = ReadonlyArray<"polling" | "websocket">

const connect = (url: string, transports: Transports): Effect.Effect<Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      io(url, { path: "/app/socket.io", transports: [...transports], forceNew: true, reconnectionDelay: 10 }),
    ),
    (socket) => Effect.sync(() => socket.disconnect()),
  ).pipe(
    Effect.tap((socket) =>
      Effect.async<void>((resume) => {
        socket.once("connect", () => resume(Effect.void))
        socket.once("connect_error", (error) => resume(Effect.die(error)))
      }),
    ),
  )

const lab = Effect.gen(function* () {
  const server = yield* startServer
  const proxy = yield* startProxy({ sessions: { app: server.url } })
  return { server, proxy }
})

/** Resolves with the first argument of the next event of this name. */
const next = (socket: Socket, event: string): Promise<unknown> =>
  new Promise((resolve) => socket.once(event, (value: unknown) => resolve(value)))

/** Sends things to and fro that differ in size and kind. */
const exchange = (client: Socket, server: ServerSocket) =>
  Effect.promise(async () => {
    const bytes = Buffer.alloc(200_000, "b")
    for (const value of ["text ü", { nested: [1, 2, { deep: true }] }, "x".repeat(300_000)])
      assert.deepStrictEqual(await client.emitWithAck("echo", value), value)
    assert.isTrue(bytes.equals(Buffer.from(await client.emitWithAck("echo", bytes))))
    const news = next(client, "news")
    server.emit("news", { of: "the server" })
    assert.deepStrictEqual(await news, { of: "the server" })
  })

describe("Socket.IO, with its path in a session", () => {
  it.scopedLive("works by polling alone", () =>
    Effect.gen(function* () {
      const { server, proxy } = yield* lab
      const client = yield* connect(proxy.url, ["polling"])
      yield* exchange(client, yield* server.peer)
      assert.strictEqual(client.io.engine.transport.name, "polling")
    }),
  )

  it.scopedLive("works by WebSocket alone", () =>
    Effect.gen(function* () {
      const { server, proxy } = yield* lab
      const client = yield* connect(proxy.url, ["websocket"])
      yield* exchange(client, yield* server.peer)
      assert.strictEqual(client.io.engine.transport.name, "websocket")
    }),
  )

  it.scopedLive("begins by polling and goes over to a WebSocket", () =>
    Effect.gen(function* () {
      const { server, proxy } = yield* lab
      const client = yield* connect(proxy.url, ["polling", "websocket"])
      const peer = yield* server.peer
      yield* Effect.async<void>((resume) => {
        if (client.io.engine.transport.name === "websocket") resume(Effect.void)
        else client.io.engine.once("upgrade", () => resume(Effect.void))
      })
      yield* exchange(client, peer)
      assert.strictEqual(client.io.engine.transport.name, "websocket")
      assert.strictEqual(peer.conn.transport.name, "websocket")
    }),
  )

  it.scopedLive("reaches a namespace, and everybody in a room", () =>
    Effect.gen(function* () {
      const { server, proxy } = yield* lab
      const clients = [
        yield* connect(`${proxy.url}/rooms`, ["websocket"]),
        yield* connect(`${proxy.url}/rooms`, ["polling"]),
      ]
      server.io.of("/rooms").socketsJoin("all")
      const heard = clients.map((client) => next(client, "call"))
      server.io.of("/rooms").to("all").emit("call", "hello")
      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(heard)), ["hello", "hello"])
    }),
  )

  for (const transport of ["polling", "websocket"] as const) {
    it.scopedLive(`tells the server when the client leaves, by ${transport}`, () =>
      Effect.gen(function* () {
        const { server, proxy } = yield* lab
        const client = yield* connect(proxy.url, [transport])
        yield* server.peer
        client.disconnect()
        yield* server.everybodyLeft
        assert.deepStrictEqual(server.left, ["client namespace disconnect"])
        yield* proxy.quiet
      }),
    )

    it.scopedLive(`comes back by itself, by ${transport}, when its session has moved to another server`, () =>
      Effect.gen(function* () {
        const { proxy } = yield* lab
        const client = yield* connect(proxy.url, [transport])
        const other = yield* startServer
        yield* proxy.repo.set("app", { url: other.url })
        // A request shows the proxy the change; polls come by themselves.
        yield* exchange(client, yield* other.peer)
      }),
    )
  }
})
