import { Effect, Exit, FiberSet, type Scope } from "effect"
import { createServer, type Server, type Socket } from "node:net"
import { Changes, type NotSeen } from "./Changes.js"
import { type HttpMessage, readRequest, readRequestHead, splitRequests } from "./HttpMessage.js"
import { RawConnection } from "./RawConnection.js"

/** One connection that the origin was sent. */
export class OriginConnection extends RawConnection {
  private taken = 0

  /** The next request, once all of it is here. Waits for ever: a connection may as well stay idle. */
  get request(): Effect.Effect<HttpMessage> {
    return this.next(readRequest)
  }

  /** The head of the next request, as soon as it is here. What follows it is not waited for, and never becomes a request. */
  get head(): Effect.Effect<HttpMessage> {
    return this.next(readRequestHead)
  }

  private next(read: typeof readRequest): Effect.Effect<HttpMessage> {
    const attempt = () => read(this.received, this.taken)
    return this.changes
      .when(() => attempt() !== undefined)
      .pipe(
        Effect.flatMap(() => {
          const found = attempt()
          if (found === undefined) return Effect.dieMessage("the request was there, and is not any more")
          this.taken = found.end
          return Effect.succeed(found.message)
        }),
      )
  }
}

/** What an origin does with one connection, from its start. When it ends, the connection stays as it is. */
export type Script = (connection: OriginConnection) => Effect.Effect<unknown>

/** Answers every whole request: the first answer for the first, and so on; the last for all that follow. */
export const answering =
  (first: string, ...more: ReadonlyArray<string>): Script =>
  (connection) =>
    Effect.gen(function* () {
      const answers = [first, ...more]
      for (let index = 0; ; index++) {
        yield* connection.request
        yield* connection.send(answers[Math.min(index, answers.length - 1)] ?? first)
      }
    })

/** Takes the first request, says these bytes, and then does what is told with the connection. */
export const saying =
  (bytes: string, then: "stay" | "finish" | "reset" = "stay"): Script =>
  (connection) =>
    Effect.gen(function* () {
      yield* connection.request
      yield* connection.send(bytes)
      if (then === "finish") yield* connection.finish
      if (then === "reset") yield* connection.reset
    })

/** Takes what comes and never says anything. */
export const silent: Script = () => Effect.void

/** A different script for each connection, in order of arrival; the last for all that follow. */
export const inTurn = (...scripts: ReadonlyArray<Script>): Script => {
  let index = 0
  return (connection) => (scripts[Math.min(index++, scripts.length - 1)] ?? silent)(connection)
}

/** A session's server that does what its script says, understands as little as it can, and records every byte. */
export class RawOrigin {
  readonly connections: Array<OriginConnection> = []

  private constructor(
    readonly port: number,
    readonly host: string,
    private readonly changes: Changes,
  ) {}

  /** `host:port`. */
  get authority(): string {
    return `${this.host}:${this.port}`
  }

  /** Its base URL, without a slash at the end. */
  get url(): string {
    return `http://${this.authority}`
  }

  /** Everything that arrived, all connections one after the other, as latin1. */
  get text(): string {
    return this.connections.map((connection) => connection.text).join("")
  }

  /** Whole requests that arrived, by strict framing, connection by connection. Throws on what is not HTTP. */
  get requests(): ReadonlyArray<HttpMessage> {
    return this.connections.flatMap((connection) => splitRequests(connection.received).strict)
  }

  /** Connections that have not been closed by the proxy. */
  get open(): ReadonlyArray<OriginConnection> {
    return this.connections.filter((connection) => connection.isOpen)
  }

  /** Waits for the connection with this number, from 0. */
  connection(index = 0): Effect.Effect<OriginConnection, NotSeen> {
    return this.until(`connection ${index}`, () => this.connections.length > index).pipe(
      Effect.flatMap(() => {
        const connection = this.connections[index]
        return connection === undefined ? Effect.dieMessage("the connection was there") : Effect.succeed(connection)
      }),
    )
  }

  /** Waits for the request with this number, from 0, and gives it. */
  request(index = 0): Effect.Effect<HttpMessage, NotSeen> {
    return this.until(`request ${index}`, () => this.requests.length > index).pipe(
      Effect.flatMap(() => {
        const request = this.requests[index]
        return request === undefined ? Effect.dieMessage("the request was there") : Effect.succeed(request)
      }),
    )
  }

  /** Waits until these bytes are among what arrived on any connection. */
  seen(text: string): Effect.Effect<void, NotSeen> {
    return this.until(JSON.stringify(text.slice(0, 80)), () => this.text.includes(text))
  }

  /** Waits until every connection has been closed. */
  get deserted(): Effect.Effect<void, NotSeen> {
    return this.until("every connection to be closed", () => this.open.length === 0)
  }

  private until(what: string, condition: () => boolean): Effect.Effect<void, NotSeen> {
    const seen = () => this.connections.map((connection) => connection.description).join("; ") || "no connection"
    return this.changes.until(`${what} at the origin`, condition, seen)
  }

  /**
   * Starts an origin on a free port, unless told otherwise. When the scope closes after a success, every connection must have been closed by the
   * other side by then, for it outlives the proxy: one that has not is a defect, and so is a script that failed.
   */
  static start(script: Script, host = "127.0.0.1", port = 0): Effect.Effect<RawOrigin, never, Scope.Scope> {
    return Effect.gen(function* () {
      const run = yield* FiberSet.makeRuntime<never>()
      const changes = new Changes()
      const defects: Array<unknown> = []
      const server = yield* listening(host, port)
      const address = server.address()
      if (address === null || typeof address === "string") return yield* Effect.dieMessage("the origin has no port")
      const origin = new RawOrigin(address.port, host, changes)
      server.on("connection", (socket) => {
        const connection = new OriginConnection(socket, changes)
        origin.connections.push(connection)
        changes.announce()
        run(Effect.zipRight(connection.left, connection.finish))
        run(script(connection).pipe(Effect.catchAllDefect((defect) => Effect.sync(() => defects.push(defect)))))
      })
      yield* Effect.addFinalizer((exit) =>
        Exit.isFailure(exit)
          ? Effect.void
          : Effect.orDie(origin.deserted).pipe(
              Effect.zipRight(Effect.suspend(() => (defects.length > 0 ? Effect.die(defects[0]) : Effect.void))),
            ),
      )
      return origin
    })
  }
}

/** A server on a port, where 0 is a free one; with the scope it is closed, and what is still connected to it is destroyed. */
const listening = (host: string, port: number): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Server; readonly sockets: Set<Socket> }>((resume) => {
      const server = createServer({ allowHalfOpen: true })
      const sockets = new Set<Socket>()
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
      })
      server.listen(port, host, () => resume(Effect.succeed({ server, sockets })))
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }),
  ).pipe(Effect.map(({ server }) => server))
