import { Effect, type Scope } from "effect"
import type { IncomingMessage } from "node:http"
import { createServer, type ServerOptions } from "node:https"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { WebSocketServer } from "ws"
import type { Identity } from "./Certificates.js"
import { listening } from "./Listening.js"

/** What a TLS client said of itself, and asked for. */
export interface SeenClient {
  readonly servername: string | false | null
  readonly alpn: string | false | null
  /** Common name of its certificate. */
  readonly subject: string | ReadonlyArray<string> | undefined
}

const seenOf = (socket: TLSSocket): SeenClient => ({
  servername: socket.servername,
  alpn: socket.alpnProtocol,
  subject: socket.getPeerCertificate().subject?.CN,
})

/** A session's server that speaks TLS: it answers requests with `hello`, and echoes on WebSockets. */
export class TlsOrigin {
  /** The client of every handshake that was completed. */
  readonly clients: Array<SeenClient> = []
  /** Targets of requests and of WebSockets. */
  readonly targets: Array<string> = []

  private constructor(readonly port: number) {}

  /** Its base URL by this host, without a slash at the end. */
  url(host = "127.0.0.1", scheme = "https"): string {
    return `${scheme}://${host}:${this.port}`
  }

  /** Starts an origin on a free port. */
  static start(
    identity: Pick<Identity, "cert" | "key">,
    options: ServerOptions = {},
  ): Effect.Effect<TlsOrigin, never, Scope.Scope> {
    return Effect.gen(function* () {
      const { cert, key } = identity
      const server = createServer({ cert, key, ALPNProtocols: ["h2", "http/1.1"], ...options })
      const sockets = new WebSocketServer({ noServer: true })
      const origin = new TlsOrigin(yield* listening(server))
      server.on("secureConnection", (socket) => origin.clients.push(seenOf(socket)))
      server.on("tlsClientError", () => {})
      server.on("request", (request, response) => {
        origin.targets.push(request.url ?? "")
        response.end("hello")
      })
      server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        origin.targets.push(request.url ?? "")
        sockets.handleUpgrade(request, socket, head, (accepted) => {
          accepted.on("message", (data, isBinary) => accepted.send(data, { binary: isBinary }))
        })
      })
      return origin
    })
  }
}
