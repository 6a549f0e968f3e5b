import { Effect, type Scope } from "effect"
import { createServer, type Server, type Socket } from "node:net"

/**
 * Listens on a free port of the loopback address, unless told otherwise; with the scope it is closed, and what is
 * connected to it destroyed.
 */
export const listening = (server: Server, host = "127.0.0.1", port = 0): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
    })
    const open = Effect.async<void>((resume) => {
      server.listen(port, host, () => resume(Effect.void))
    })
    yield* Effect.acquireRelease(open, () =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }),
    )
    return portOf(server)
  })

const portOf = (server: Pick<Server, "address">): number => {
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the server has no port")
  return address.port
}

/** A port on which nobody listened a moment ago. */
export const unusedPort: Effect.Effect<number> = Effect.async((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const port = portOf(server)
    server.close(() => resume(Effect.succeed(port)))
  })
})
