import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http"
import { Changes, type NotSeen } from "./Changes.js"
import { listening } from "./Listening.js"

/** A request at the origin, to be answered by the test. */
export class OriginExchange {
  /** Whether the other side hung up before the answer was complete. */
  abandoned = false

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    private readonly changes: Changes,
  ) {
    response.once("close", () => {
      this.abandoned = !response.writableFinished
      changes.announce()
    })
    request.on("error", () => {})
    response.on("error", () => {})
  }

  /** Reads the request's body as text. */
  get text(): Effect.Effect<string> {
    return Effect.promise(async () => {
      const pieces: Array<Buffer> = []
      for await (const piece of this.request) pieces.push(piece)
      return Buffer.concat(pieces).toString("utf8")
    })
  }

  /** Waits until the other side hangs up before the answer is complete. */
  get left(): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      "the other side to leave",
      () => this.abandoned,
      () => "it is there",
    )
  }
}

/** A session's server on node's own HTTP server, which notes every request. Upgrades are for who listens to `server`. */
export class HttpOrigin {
  readonly exchanges: Array<OriginExchange> = []

  private constructor(
    readonly server: Server,
    readonly port: number,
    private readonly changes: Changes,
  ) {}

  /** Its base URL, without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Waits for the request with this number, from 0. */
  exchange(index = 0): Effect.Effect<OriginExchange, NotSeen> {
    return this.changes
      .until(
        `request ${index}`,
        () => this.exchanges.length > index,
        () => `${this.exchanges.length} requests`,
      )
      .pipe(
        Effect.flatMap(() => {
          const exchange = this.exchanges[index]
          return exchange === undefined ? Effect.dieMessage("the request was there") : Effect.succeed(exchange)
        }),
      )
  }

  /** Starts an origin, on a free port unless told otherwise. Without a `listener` the test answers each exchange itself. */
  static start(listener: RequestListener = () => {}, port = 0): Effect.Effect<HttpOrigin, never, Scope.Scope> {
    return Effect.gen(function* () {
      const changes = new Changes()
      // An upload may take as long as it likes.
      const server = createServer({ requestTimeout: 0 })
      const origin = new HttpOrigin(server, yield* listening(server, "127.0.0.1", port), changes)
      server.on("request", (request, response) => {
        origin.exchanges.push(new OriginExchange(request, response, changes))
        changes.announce()
        listener(request, response)
      })
      return origin
    })
  }
}
