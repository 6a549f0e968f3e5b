import { Effect, type Scope } from "effect"
import { connect, type NetConnectOpts } from "node:net"
import { Changes, type NotSeen } from "./Changes.js"
import { type HttpMessage, readResponse, readResponseHead } from "./HttpMessage.js"
import { RawConnection } from "./RawConnection.js"

/** A client that sends exactly the bytes it is told to, and reads answers by strict framing. */
export class RawClient extends RawConnection {
  private taken = 0
  /** Bytes that no answer has been read from. */
  get unread(): string {
    return this.received.toString("latin1", this.taken)
  }

  /**
   * The next final response, whole. `method` is that of its request, for `HEAD` changes the framing. Bytes that are not
   * HTTP are a defect; a response that stays incomplete is `NotSeen`.
   */
  response(method = "GET"): Effect.Effect<HttpMessage, NotSeen> {
    const read = () => readResponse(this.received, this.taken, method, this.isOver)
    return this.changes
      .until(
        "a whole response",
        () => read() !== undefined,
        () => this.description,
      )
      .pipe(
        Effect.flatMap(() => {
          const found = read()
          if (found === undefined) return Effect.dieMessage("the response was there, and is not any more")
          this.taken = found.end
          return Effect.succeed(found.message)
        }),
      )
  }

  /** The next response head, interim or final, as soon as it is there. It stays to be read by `response`. */
  get head(): Effect.Effect<HttpMessage, NotSeen> {
    const read = () => readResponseHead(this.received, this.taken)
    return this.changes
      .until(
        "a response head",
        () => read() !== undefined,
        () => this.description,
      )
      .pipe(
        Effect.flatMap(() => {
          const found = read()
          return found === undefined ? Effect.dieMessage("the head was there") : Effect.succeed(found.message)
        }),
      )
  }

  /** Sends a request and reads the response to it. */
  ask(...pieces: ReadonlyArray<string>): Effect.Effect<HttpMessage, NotSeen> {
    const method = pieces[0]?.split(" ", 1)[0] ?? "GET"
    return Effect.zipRight(this.send(...pieces), this.response(method))
  }

  /** Connects to a port of this machine; the connection is destroyed with the scope. */
  static connect(port: number, host = "127.0.0.1"): Effect.Effect<RawClient, never, Scope.Scope> {
    return RawClient.open({ port, host })
  }

  /** The same for a Unix socket. */
  static connectToPath(path: string): Effect.Effect<RawClient, never, Scope.Scope> {
    return RawClient.open({ path })
  }

  private static open(to: NetConnectOpts): Effect.Effect<RawClient, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.async<RawClient>((resume) => {
        const socket = connect({ ...to, allowHalfOpen: true })
        const client = new RawClient(socket, new Changes())
        socket.once("connect", () => resume(Effect.succeed(client)))
        socket.once("error", (error) => resume(Effect.die(error)))
      }),
      (client) => Effect.sync(() => client.socket.destroy()),
    )
  }
}
