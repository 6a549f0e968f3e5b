import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { Effect, type Scope } from "effect"
import { rawAnswer, type TextAnswer } from "./AdminAnswer.js"
import { AdminConnections } from "./AdminConnections.js"
import { headersTooLarge, notHttp, requestTimeout } from "./Refusals.js"
import { dismissUnread } from "./UnreadBody.js"

/** Largest head of a request, in bytes. */
const maxHeadBytes = 16_384
/** Within this time a whole request has to come, and an answer has to be taken on; milliseconds. */
const longestWait = 30_000
/** How often Node looks for requests that take longer; milliseconds. */
const lookEvery = 1_000
/** How long it may take to end, in milliseconds: what is under way is answered, then it is cut. */
const endTime = 1_000

/** Which way a request has come in. Who can open the Unix socket is trusted. */
export type Door = "socket" | "tcp"

/** The listener that a request has come in on. */
export interface Entrance {
  readonly door: Door
  readonly connections: AdminConnections
}

/** What becomes of the requests of a listener. */
export interface AdminRequests {
  readonly handle: (request: IncomingMessage, response: ServerResponse, entrance: Entrance) => void
  /** Whether this connection brings what may take any time to come. */
  readonly mayTakeTime: (socket: Duplex) => boolean
}

const codeOf = (error: Error): unknown => ("code" in error ? error.code : undefined)

/** A whole request has not come within its time. */
const isLate = (error: Error): boolean => codeOf(error) === "ERR_HTTP_REQUEST_TIMEOUT"

/** What Node found wrong with the bytes of a connection. */
const brokenAnswer = (error: Error): TextAnswer => {
  if (codeOf(error) === "HPE_HEADER_OVERFLOW") return headersTooLarge(maxHeadBytes)
  return isLate(error) ? requestTimeout() : notHttp()
}

/** The listener's own answer to a connection whose bytes are no request. Node calls this again for what still comes. */
const refuseBytes = (error: Error, socket: Duplex): void => {
  if (!socket.writable) return void socket.destroy()
  socket.end(rawAnswer(brokenAnswer(error)))
}

/**
 * Node's server, held to limits. It has no `upgrade` listener, so that a request for an upgrade is one like any other, and
 * its socket stays in Node's care.
 */
const makeServer = (): Server => {
  const server = createServer({
    maxHeaderSize: maxHeadBytes,
    requestTimeout: longestWait,
    headersTimeout: longestWait,
    connectionsCheckingInterval: lookEvery,
    // The gate asks for it.
    requireHostHeader: false,
  })
  server.timeout = longestWait
  // Lines beyond a number would be left out in silence, a second `Host` among them. The size of the head limits them.
  server.maxHeadersCount = 0
  return server
}

/** Stops within `endTime`. */
const stop = (server: Server): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const cut = setTimeout(() => server.closeAllConnections(), endTime)
    server.close(() => {
      clearTimeout(cut)
      resume(Effect.void)
    })
    server.closeIdleConnections()
  })

/** What listens, whichever way requests come in to it. It stops with the scope, within a second. */
export const makeListener = (requests: AdminRequests, door: Door): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(Effect.sync(makeServer), stop)
    const connections = new AdminConnections()
    server.on("connection", connections.opened)
    server.on("clientError", (error, socket) => {
      // Node does not ask about it again while it is under way.
      if (isLate(error) && requests.mayTakeTime(socket)) return
      refuseBytes(error, socket)
    })
    server.on("request", (request, response) => {
      if (!connections.admits(request, response)) return
      dismissUnread(request, response)
      requests.handle(request, response, { door, connections })
    })
    return server
  })
