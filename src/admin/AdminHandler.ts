import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { type Cause, Effect, Either } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { Counters } from "../telemetry/Telemetry.js"
import { type AdminAnswer, ownFields, textAnswer, writeAnswer } from "./AdminAnswer.js"
import {
  asksForSecrets,
  bodyRefusalOf,
  importPath,
  isReading,
  onlyOnSocket,
  refusalOf,
  type TokenGate,
  isForStranger,
} from "./AdminGate.js"
import type { Door, Entrance } from "./AdminListener.js"
import type { AdminRoute } from "./AdminRoute.js"
import { compressedFor } from "./Compression.js"
import { type Caller, socketCaller } from "./access/AdminTokens.js"
import type { ChangeNote, ChangeNotes } from "./access/ChangeNotes.js"
import type { LazyApi } from "./LazyApi.js"
import type { Page } from "./Page.js"
import {
  internalError,
  methodNotAllowed,
  notFound,
  readOnly,
  socketOnly,
  tooManyReaders,
  unauthorized,
} from "./Refusals.js"
import { urlOf } from "./RequestUrl.js"
import { StrangerTime } from "./StrangerTime.js"

/** Calls whose answers are streams of events. */
const streams: ReadonlySet<string> = new Set(["/v1/events", "/v1/feed", "/v1/tail"])

const compressed = (
  answer: Effect.Effect<AdminAnswer> | undefined,
  { headers }: IncomingMessage,
): Effect.Effect<AdminAnswer> | undefined =>
  answer && Effect.flatMap(answer, (plain) => compressedFor(headers["accept-encoding"], plain))

/** A defect is for the log; who asked learns that there was one. */
const defectAnswer = (cause: Cause.Cause<never>): Effect.Effect<AdminAnswer> =>
  Effect.as(Effect.logError("a defect in ss-proxy; please report it", cause), internalError())

/** What requests are answered with. */
export interface AdminHandlerParts {
  readonly routes: ReadonlyArray<AdminRoute>
  readonly page: Page
  readonly gate: TokenGate
  readonly api: LazyApi
  /** What calls have changed. */
  readonly changes: ChangeNotes
  readonly counters: Counters
  /** Runs what a request asks for, as long as the listener is there. */
  readonly fork: (effect: Effect.Effect<void>) => unknown
}

/** Answers requests, one fiber each: they are few. */
export class AdminHandler {
  private readonly names: ReadonlySet<string>
  private readonly unhurried = new WeakSet<Duplex>()
  private readonly routes: ReadonlyMap<string, AdminRoute>
  private readonly strangers: StrangerTime

  constructor(
    { adminHosts }: Pick<ProxySettings, "adminHosts">,
    private readonly parts: AdminHandlerParts,
  ) {
    this.names = new Set(adminHosts.map((name) => name.toLowerCase()))
    this.routes = new Map(parts.routes.map((route) => [route.path, route]))
    this.strangers = new StrangerTime(parts.fork)
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse, entrance: Entrance): void => {
    const { door } = entrance
    const url = urlOf(request)
    if (url?.pathname.startsWith("/v1/") === true) return this.callApi(request, response, url, entrance)
    const route = url === undefined ? undefined : this.routes.get(url.pathname)
    const page = url && this.parts.page(url.pathname, request.headers["accept-encoding"])
    const asked = page ?? compressed(this.answerAt(route, url), request)
    const answered = Effect.map(this.answerTo(request, door, asked, route?.needsToken === true), (answer) => {
      this.parts.counters.adminAnswered(page === undefined ? (route?.path ?? "other") : "page", answer.status)
      writeAnswer(response, answer)
    })
    this.answer(answered, response, door)
  }

  /** Answers who has shown no token. Who has left meanwhile is not answered. */
  private answer(answered: Effect.Effect<void>, response: ServerResponse, door: Door): void {
    if (door === "socket") return void this.parts.fork(answered)
    const isTaken = this.strangers.run(Effect.suspend(() => (response.closed ? Effect.void : answered)))
    if (!isTaken) response.destroy()
  }

  /** What is there for a path; `undefined` where nothing is. */
  private answerAt(route: AdminRoute | undefined, url: URL | undefined): Effect.Effect<AdminAnswer> | undefined {
    if (url?.pathname === "/openapi.json") return this.description
    return url?.pathname === "/docs" ? this.parts.api.reference : url && route?.answer(url.searchParams)
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
    const admitted = needsToken ? this.callerOf(request, door) : undefined
    if (admitted !== undefined && Either.isLeft(admitted)) return Effect.succeed(admitted.left)
    return Effect.catchAllCause(answer, defectAnswer)
  }

  private callerOf(request: IncomingMessage, door: Door): Either.Either<Caller, AdminAnswer> {
    if (door === "tcp") return this.parts.gate.callerOf(request)
    return isForStranger(request) ? Either.left(unauthorized()) : Either.right(socketCaller)
  }

  /** The API could not be loaded, or not be asked. */
  private failed(cause: Cause.Cause<never>, response: ServerResponse): Effect.Effect<void> {
    return Effect.map(defectAnswer(cause), (answer) => {
      if (!response.headersSent) writeAnswer(response, answer)
    })
  }

  private get description(): Effect.Effect<AdminAnswer> {
    return Effect.map(this.parts.api.description, (body) => ({ ...textAnswer(200, body), type: "application/json" }))
  }

  private callApi(request: IncomingMessage, response: ServerResponse, url: URL, entrance: Entrance): void {
    const path = url.pathname
    // The API is asked for what was looked at here, not for what it would take the target for.
    request.url = `${path}${url.search}`
    const admitted = Either.filterOrLeft(
      this.admit(request, url, entrance.door),
      () => !streams.has(path) || entrance.connections.admitsReader(response),
      tooManyReaders,
    )
    if (Either.isLeft(admitted)) {
      const refused = Effect.sync(() => {
        this.parts.counters.adminAnswered("/v1", admitted.left.status)
        writeAnswer(response, admitted.left)
      })
      return this.answer(refused, response, entrance.door)
    }
    entrance.connections.letIn(request, response)
    for (const [name, value] of ownFields) response.setHeader(name, value)
    response.setHeader("SS-Proxy-Access", admitted.right.mayWrite ? "write" : "read")
    const from = request.socket.remoteAddress ?? "socket"
    response.once("close", () => this.over(request, response, path, { by: admitted.right.name, from }))
    if (path === importPath) this.takeTime(request.socket, response)
    const handled = Effect.map(this.parts.api.handler, (handler) => handler(request, response))
    this.parts.fork(Effect.catchAllCause(handled, (cause) => this.failed(cause, response)))
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
    return Either.flatMap(this.parts.gate.callerOf(request), (caller) =>
      onlyOnSocket.has(url.pathname) ? Either.left(socketOnly()) : this.checked(request, url, caller),
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
    if (status > 0) this.parts.counters.adminAnswered("/v1", status)
    const note = this.parts.changes.of(request)
    if (note === undefined) return
    this.parts.fork(
      Effect.logInfo("changed by the admin API").pipe(
        Effect.annotateLogs({ call: `${method} ${path}`, ...note, ...who, status }),
      ),
    )
  }
}
