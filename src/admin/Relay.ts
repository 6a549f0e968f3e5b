import { type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest, type ServerResponse } from "node:http"
import { pipeline } from "node:stream"
import { Effect, Either, FiberSet, type Scope } from "effect"
import { listen, type ListenError } from "../server/Listening.js"
import { writeAnswer } from "./AdminAnswer.js"
import { maxConnections } from "./AdminConnections.js"
import { hasBody, isReading, refusalOf, strangerField, TokenGate, onlyOnSocket } from "./AdminGate.js"
import { type Entrance, makeListener } from "./AdminListener.js"
import { AdminTokens, type Caller } from "./access/AdminTokens.js"
import { FailedTries } from "./access/FailedTries.js"
import { makePage, type Page } from "./Page.js"
import { methodNotAllowed, proxyGone, socketOnly } from "./Refusals.js"
import { urlOf } from "./RequestUrl.js"

/** Fields that are passed on to the proxy. Who asks is known here; the socket asks for no more. */
const passedOn = ["accept", "accept-encoding", "content-type", "if-match", "if-none-match", "last-event-id"] as const

/** Fields of an answer that are for one connection only (RFC 9110 section 7.6.1). */
const ofConnection = new Set(["connection", "keep-alive", "transfer-encoding"])

const nowhere = new URL("http://admin/nowhere")
const noNames: ReadonlySet<string> = new Set()

/** The admin socket of a proxy, or the one that it has after it was started again. */
export interface RelayedSocket {
  /** Where it is. */
  readonly path: () => string
  /** Nobody answers there: looks for it again. */
  readonly lost: () => void
}

/** Whether a request has a body that is passed on: what only looks has none that says anything. */
const bringsBody = (request: IncomingMessage): boolean => !isReading(request.method) && hasBody(request)

/**
 * A body of no known length is said to be chunked, for every method: to the socket, bytes that no field announces would be another
 * request, which nobody has asked for a token.
 */
const headersFor = (request: IncomingMessage, caller: Caller | undefined): OutgoingHttpHeaders => {
  const { headers } = request
  const length = headers["content-length"]
  return {
    host: "admin",
    ...(caller === undefined && { [strangerField]: "1" }),
    ...Object.fromEntries(passedOn.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]]))),
    ...(bringsBody(request) &&
      (length === undefined ? { "transfer-encoding": "chunked" } : { "content-length": length })),
  }
}

const fieldsOf = ({ headers }: IncomingMessage): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !ofConnection.has(name)))

/** What is passed on of a request, for whom. */
interface Passed {
  readonly target: string
  /** `undefined`: somebody who has shown no token. */
  readonly caller: Caller | undefined
}

/** Passes a request on to the socket, and its answer back, as it comes. */
const passOn = (
  request: IncomingMessage,
  response: ServerResponse,
  { caller, target }: Passed,
  socket: RelayedSocket,
) => {
  const headers = headersFor(request, caller)
  const sent = httpRequest(
    // A connection for each request: no other is answered on it, whatever comes behind.
    { socketPath: socket.path(), method: request.method, path: target, headers, agent: false },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, fieldsOf(answer))
      // Events have to be there before the first of them is: a client waits for the head.
      response.flushHeaders()
      pipeline(answer, response, () => {})
    },
  )
  sent.on("error", () => {
    if (response.headersSent) return void response.destroy()
    socket.lost()
    writeAnswer(response, proxyGone())
  })
  response.once("close", () => sent.destroy())
  if (bringsBody(request)) request.pipe(sent)
  else sent.end()
}

/** Answers requests of the page. The gate is that of the admin listener, with one token that is in force as long as this is. */
const makeHandler =
  (page: Page, gate: TokenGate, socket: RelayedSocket, fork: (effect: Effect.Effect<void>) => unknown) =>
  (request: IncomingMessage, response: ServerResponse, { connections }: Entrance): void => {
    const refusal = refusalOf(request.rawHeaders, noNames)
    if (refusal !== undefined) return writeAnswer(response, refusal)
    const { pathname, search } = urlOf(request) ?? nowhere
    const shown = page(pathname, request.headers["accept-encoding"])
    if (shown !== undefined && isReading(request.method))
      return void fork(Effect.map(shown, (answer) => writeAnswer(response, answer)))
    if (shown !== undefined || request.method === "OPTIONS") return writeAnswer(response, methodNotAllowed())
    if (onlyOnSocket.has(pathname)) return writeAnswer(response, socketOnly())
    const caller = pathname.startsWith("/v1/") ? gate.callerOf(request) : undefined
    if (caller !== undefined && Either.isLeft(caller)) return writeAnswer(response, caller.left)
    if (caller !== undefined) connections.letIn(request, response)
    passOn(request, response, { target: `${pathname}${search}`, caller: caller?.right }, socket)
  }

/** Where a relay answers, and the token that it asks for. */
export interface Relay {
  readonly port: number
  readonly token: string
}

/**
 * Serves the dashboard of a proxy that has only a socket, on a free port of this machine alone, for the scope. All that the page
 * asks for goes to the socket, once it has shown the token.
 */
export const startRelay = (socket: RelayedSocket): Effect.Effect<Relay, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const fork = yield* FiberSet.makeRuntime<never>()
    const tokens = new AdminTokens([], undefined)
    const token = tokens.issue(false, Number.POSITIVE_INFINITY)
    const handle = makeHandler(yield* makePage, new TokenGate(tokens, new FailedTries()), socket, fork)
    const server = yield* makeListener({ handle, mayTakeTime: () => false }, "tcp")
    const flags = { host: "--admin-host", port: "--admin-port" }
    const { port } = yield* listen(server, { host: "127.0.0.1", port: 0, flags }, maxConnections)
    server.on("error", () => {})
    return { port, token }
  })
