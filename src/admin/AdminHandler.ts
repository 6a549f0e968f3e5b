import type { IncomingMessage, ServerResponse } from "node:http"
import { Effect } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { Counters } from "../telemetry/Telemetry.js"
import { type AdminAnswer, problemAnswer, writeAnswer } from "./AdminAnswer.js"
import { refusalOf } from "./AdminGate.js"
import type { AdminRoute } from "./AdminRoute.js"

/** Which way a request has come in. Who can open the Unix socket is trusted. */
export type Door = "socket" | "tcp"

const notFound = (): AdminAnswer =>
  problemAnswer(404, "not_found", "There is nothing here. There is /metrics, /livez and /readyz.")

const methodNotAllowed = (): AdminAnswer =>
  problemAnswer(405, "method_not_allowed", "This path only answers GET and HEAD.", [["Allow", "GET, HEAD"]])

/** The target of a request is a path and a query; what is in front of it in absolute form does not count. */
const urlOf = ({ url = "/" }: IncomingMessage): URL | undefined => {
  try {
    return new URL(url, "http://admin")
  } catch {
    return undefined
  }
}

/** Answers requests, one fiber each: they are few. */
export class AdminHandler {
  private readonly names: ReadonlySet<string>
  private readonly routes: ReadonlyMap<string, AdminRoute>

  constructor(
    { adminHosts }: Pick<ProxySettings, "adminHosts">,
    routes: ReadonlyArray<AdminRoute>,
    private readonly counters: Counters,
    private readonly fork: (effect: Effect.Effect<void>) => unknown,
  ) {
    this.names = new Set(adminHosts.map((name) => name.toLowerCase()))
    this.routes = new Map(routes.map((route) => [route.path, route]))
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse, door: Door): void => {
    const url = urlOf(request)
    const route = url === undefined ? undefined : this.routes.get(url.pathname)
    const answered = Effect.map(this.answerTo(request, door, route, url), (answer) => {
      this.counters.adminAnswered(route?.path ?? "other", answer.status)
      writeAnswer(response, answer)
    })
    this.fork(answered)
  }

  private answerTo(
    { method, rawHeaders }: IncomingMessage,
    door: Door,
    route: AdminRoute | undefined,
    url: URL | undefined,
  ): Effect.Effect<AdminAnswer> {
    const refusal = door === "tcp" ? refusalOf(rawHeaders, this.names) : undefined
    if (refusal !== undefined) return Effect.succeed(refusal)
    if (method === "OPTIONS") return Effect.sync(methodNotAllowed)
    if (route === undefined || url === undefined) return Effect.sync(notFound)
    if (method !== "GET" && method !== "HEAD") return Effect.sync(methodNotAllowed)
    return Effect.catchAllCause(route.answer(url.searchParams), (cause) =>
      Effect.as(
        Effect.logError("a defect in ss-proxy; please report it", cause),
        problemAnswer(500, "internal_error", "Something went wrong. The log says what."),
      ),
    )
  }
}
