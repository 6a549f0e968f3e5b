import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { Effect, Either } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { Counters } from "../telemetry/Telemetry.js"
import { type AdminAnswer, ownFields, problemAnswer, textAnswer, writeAnswer } from "./AdminAnswer.js"
import {
  asksForSecrets,
  bodyRefusalOf,
  importPath,
  isReading,
  readOnly,
  refusalOf,
  type TokenGate,
} from "./AdminGate.js"
import type { AdminConnections } from "./AdminConnections.js"
import type { AdminRoute } from "./AdminRoute.js"
import { compressedFor } from "./Compression.js"
import { type Caller, socketCaller } from "./access/AdminTokens.js"
import type { ChangeNote, ChangeNotes } from "./access/ChangeNotes.js"
import type { ApiHandler } from "./calls/ApiServer.js"
import type { Page } from "./Page.js"

/** Which way a request has come in. Who can open the Unix socket is trusted. */
export type Door = "socket" | "tcp"

/** The listener that a request has come in on. */
export interface Entrance {
  readonly door: Door
  readonly connections: AdminConnections
}

/** The API, and its descriptions, which are loaded when they are asked for first. */
export interface LazyApi {
  readonly handler: Effect.Effect<ApiHandler>
  readonly description: Effect.Effect<string>
  /** The same for people. */
  readonly reference: Effect.Effect<AdminAnswer>
}

const notFound = (): AdminAnswer =>
  problemAnswer(
    404,
    "not_found",
    "There is nothing here. There is /, /docs, /metrics, /livez, /readyz, /openapi.json and /v1/….",
  )

const methodNotAllowed = (): AdminAnswer =>
  problemAnswer(405, "method_not_allowed", "This path only answers GET and HEAD.", [["Allow", "GET, HEAD"]])

/** Calls whose answers are streams of events. */
const streams: ReadonlySet<string> = new Set(["/v1/events", "/v1/feed", "/v1/tail"])

const tooManyReaders = (): AdminAnswer =>
  problemAnswer(503, "too_many_readers", "Too many streams of events are open here. Close one, or try again later.", [
    ["Retry-After", "5"],
  ])

const socketOnly = (): AdminAnswer =>
  problemAnswer(403, "socket_only", "This is only answered on the admin socket, to who may use the proxy's files.")

/** The target of a request is a path and a query; what is in front of it in absolute form does not count. */
export const urlOf = ({ url = "/" }: IncomingMessage): URL | undefined => {
  try {
    return new URL(url, "http://admin")
  } catch {
    return undefined
  }
}

const compressed = (
  answer: Effect.Effect<AdminAnswer> | undefined,
  { headers }: IncomingMessage,
): Effect.Effect<AdminAnswer> | undefined =>
  answer && Effect.flatMap(answer, (plain) => compressedFor(headers["accept-encoding"], plain))

/** Answers requests, one fiber each: they are few. */
export class AdminHandler {
  private readonly names: ReadonlySet<string>
  private readonly unhurried = new WeakSet<Duplex>()
  private readonly routes: ReadonlyMap<string, AdminRoute>

  constructor(
    { adminHosts }: Pick<ProxySettings, "adminHosts">,
    routes: ReadonlyArray<AdminRoute>,
    private readonly page: Page,
    private readonly gate: TokenGate,
    private readonly api: LazyApi,
    private readonly changes: ChangeNotes,
    private readonly counters: Counters,
    private readonly fork: (effect: Effect.Effect<void>) => unknown,
  ) {
    this.names = new Set(adminHosts.map((name) => name.toLowerCase()))
    this.routes = new Map(routes.map((route) => [route.path, route]))
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse, entrance: Entrance): void => {
    const { door } = entrance
    const url = urlOf(request)
    if (url?.pathname.startsWith("/v1/") === true) return this.callApi(request, response, url, entrance)
    const route = url === undefined ? undefined : this.routes.get(url.pathname)
    const page = url && this.page(url.pathname, request.headers["accept-encoding"])
    const asked = page ?? compressed(this.answerAt(route, url), request)
    const answered = Effect.map(this.answerTo(request, door, asked, route?.needsToken === true), (answer) => {
      this.counters.adminAnswered(page === undefined ? (route?.path ?? "other") : "page", answer.status)
      writeAnswer(response, answer)
    })
    this.fork(answered)
  }

  /** What is there for a path; `undefined` where nothing is. */
  private answerAt(route: AdminRoute | undefined, url: URL | undefined): Effect.Effect<AdminAnswer> | undefined {
    if (url?.pathname === "/openapi.json") return this.description
    return url?.pathname === "/docs" ? this.api.reference : url && route?.answer(url.searchParams)
  }

  private answerTo(
    request: IncomingMessage,
    door: Door,
    answer: Effect.Effect<AdminAnswer> | undefined,
    needsToken: boolean,
  ): Effect.Effect<AdminAnswer> {
    const { method, rawHeaders } = request
    const refusal = door === "tcp" ? refusalOf(rawHeaders, this.names) : undefined
    if (refusal !== undefined) return Effect.succeed(refusal)
    if (method === "OPTIONS") return Effect.sync(methodNotAllowed)
    if (answer === undefined) return Effect.sync(notFound)
    if (!isReading(method)) return Effect.sync(methodNotAllowed)
    const admitted = needsToken && door === "tcp" ? this.gate.callerOf(request) : undefined
    if (admitted !== undefined && Either.isLeft(admitted)) return Effect.succeed(admitted.left)
    return Effect.catchAllCause(answer, (cause) =>
      Effect.as(
        Effect.logError("a defect in ss-proxy; please report it", cause),
        problemAnswer(500, "internal_error", "Something went wrong. The log says what."),
      ),
    )
  }

  private get description(): Effect.Effect<AdminAnswer> {
    return Effect.map(this.api.description, (body) => ({ ...textAnswer(200, body), type: "application/json" }))
  }

  private callApi(request: IncomingMessage, response: ServerResponse, url: URL, entrance: Entrance): void {
    const path = url.pathname
    const admitted = Either.filterOrLeft(
      this.admit(request, url, entrance.door),
      () => !streams.has(path) || entrance.connections.admitsReader(request, response),
      tooManyReaders,
    )
    if (Either.isLeft(admitted)) {
      this.counters.adminAnswered("/v1", admitted.left.status)
      return writeAnswer(response, admitted.left)
    }
    for (const [name, value] of ownFields) response.setHeader(name, value)
    response.setHeader("SS-Proxy-Access", admitted.right.mayWrite ? "write" : "read")
    const from = request.socket.remoteAddress ?? "socket"
    response.once("close", () => this.over(request, response, path, { by: admitted.right.name, from }))
    if (path === importPath) this.takeTime(request.socket, response)
    this.fork(Effect.map(this.api.handler, (handler) => handler(request, response)))
  }

  /** Whether this connection brings what may take any time to come. */
  readonly mayTakeTime = (socket: Duplex): boolean => this.unhurried.has(socket)

  private takeTime(socket: Duplex, response: ServerResponse): void {
    this.unhurried.add(socket)
    response.once("close", () => this.unhurried.delete(socket))
  }

  /** Who asks the API. Left: why nothing is done for it. */
  private admit(request: IncomingMessage, url: URL, door: Door): Either.Either<Caller, AdminAnswer> {
    if (door === "socket") return this.checked(request, url, socketCaller)
    const refusal = refusalOf(request.rawHeaders, this.names)
    if (refusal !== undefined) return Either.left(refusal)
    // Asked by a browser, on behalf of a page elsewhere: nothing here is for that.
    if (request.method === "OPTIONS") return Either.left(methodNotAllowed())
    return Either.flatMap(this.gate.callerOf(request), (caller) =>
      url.pathname === "/v1/tokens" ? Either.left(socketOnly()) : this.checked(request, url, caller),
    )
  }

  private checked(request: IncomingMessage, url: URL, caller: Caller): Either.Either<Caller, AdminAnswer> {
    if (!caller.mayWrite && asksForSecrets(url)) return Either.left(readOnly())
    const refusal = bodyRefusalOf(request, url.pathname)
    return refusal === undefined ? Either.right(caller) : Either.left(refusal)
  }

  /**
   * Whatever was changed is in the log: what, by whom, and from where; also where nobody waits for the answer any more, or
   * only a part of it was done.
   */
  private over(request: IncomingMessage, response: ServerResponse, path: string, who: ChangeNote): void {
    const { method } = request
    const status = response.writableFinished ? response.statusCode : 0
    if (status > 0) this.counters.adminAnswered("/v1", status)
    const note = this.changes.of(request)
    if (note === undefined) return
    this.fork(
      Effect.logInfo("changed by the admin API").pipe(
        Effect.annotateLogs({ call: `${method} ${path}`, ...note, ...who, status }),
      ),
    )
  }
}
