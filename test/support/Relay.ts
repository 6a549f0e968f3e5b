import { Effect, type Scope } from "effect"
import { connect, createServer, type Server, type Socket } from "node:net"

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === "object" ? (address?.port ?? 0) : 0
}

/** A TCP relay on loopback that may stop passing bytes, as a network does that drops them: nobody is told. */
export class Relay {
  private readonly sockets = new Set<Socket>()
  private isFrozen = false

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on("connection", (client) => this.join(client))
  }

  /** To a port of loopback; gone with the scope. */
  static to(target: number): Effect.Effect<Relay, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.async<Relay>((resume) => {
        const relay = new Relay(createServer(), target)
        relay.server.listen(0, "127.0.0.1", () => resume(Effect.succeed(relay)))
      }),
      (relay) =>
        Effect.async<void>((resume) => {
          relay.server.close(() => resume(Effect.void))
          for (const socket of relay.sockets) socket.destroy()
        }),
    )
  }

  get port(): number {
    return portOf(this.server)
  }

  /** Passes nothing from now on; new connections are taken, and nobody answers on them. */
  freeze(): void {
    this.isFrozen = true
    for (const socket of this.sockets) socket.pause()
  }

  /** Passes what has waited, and all that comes. */
  thaw(): void {
    this.isFrozen = false
    for (const socket of this.sockets) socket.resume()
  }

  private join(client: Socket): void {
    const server = connect(this.target, "127.0.0.1")
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(one)
      one.on("data", (chunk) => other.write(chunk))
      one.on("error", () => {})
      one.on("close", () => {
        this.sockets.delete(one)
        other.destroy()
      })
      if (this.isFrozen) one.pause()
    }
  }
}
