import type { IncomingMessage, ServerResponse } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { MaxBodySize } from "@effect/platform/HttpIncomingMessage"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import { RequestError, RouteNotFound } from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import * as FileSystem from "@effect/platform/FileSystem"
import { Cause, Effect, Layer, Option, type Scope } from "effect"
import type { ProxyConfig } from "../../domain/ProxyConfig.js"
import type { SessionRepo } from "../../sessions/SessionRepo.js"
import { randomHex } from "../../wire/RandomHex.js"
import type { Access } from "../access/Access.js"
import { AdminApi } from "../api/AdminApi.js"
import { maxBodyBytes } from "../api/BodyLimit.js"
import type { Sampler } from "../Sampler.js"
import { ApiProblem, internalError, invalidRequest } from "../api/ApiProblem.js"
import type { Fleet } from "../fleet/Fleet.js"
import { layerLiveCalls } from "./LiveCalls.js"
import { layerLogCalls } from "./LogCalls.js"
import { layerProxyCalls } from "./ProxyCalls.js"
import { layerSessionCalls } from "./SessionCalls.js"
import { layerTransferCalls } from "./TransferCalls.js"
import { layerStatsCalls } from "./StatsCalls.js"
import { layerStreamCalls } from "./StreamCalls.js"

/** Answers a request to the API, once it may come in. */
export type ApiHandler = (request: IncomingMessage, response: ServerResponse) => void

/** What the API shows, and what it steers. */
export type ApiParts = ProxyConfig | SessionRepo | Fleet | Access | Sampler

const endpoints = Object.values(AdminApi.groups).flatMap((group) =>
  Object.values(group.endpoints).map(({ method, path }) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+")}$`),
  })),
)

/** The methods that a path answers. */
const methodsOf = (url: string): ReadonlyArray<string> => {
  const path = url.replace(/\?.*$/, "")
  const methods = endpoints.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
  return methods.some((method) => method === "GET") ? [...methods, "HEAD"] : methods
}

const notFound = (): ApiProblem =>
  new ApiProblem({ status: 404, code: "not_found", detail: "There is no such call. /openapi.json lists them all." })

const methodNotAllowed = (methods: ReadonlyArray<string>): ApiProblem =>
  new ApiProblem({
    status: 405,
    code: "method_not_allowed",
    detail: `This path only answers ${methods.join(", ")}.`,
  })

/** What a body is that could not be read: JSON that is none, or too much of it. */
const bodyProblem = ({ cause }: RequestError): ApiProblem =>
  cause instanceof Error && cause.message === "maxBytes exceeded"
    ? new ApiProblem({ status: 413, code: "body_too_large", detail: `The body is larger than ${maxBodyBytes} bytes.` })
    : invalidRequest("The body is no JSON.")

/** Without the value that does not fit: it may be large, and hold a secret. */
const decodeProblem = ({ issues }: HttpApiDecodeError): ApiProblem =>
  invalidRequest(
    "The request does not fit what this call takes.",
    issues.map(({ message, path }) => ({
      path: path.map(String).join("."),
      detail: message.replace(/, actual .*$/s, ""),
    })),
  )

/** Schema says what does not fit by calling itself for each level of it. */
const isTooDeep = (error: unknown): boolean => error instanceof RangeError && /call stack/.test(error.message)

/** What went wrong, for whoever asked. A defect is for the log alone. */
const problemOf = (cause: Cause.Cause<unknown>, url: string): ApiProblem | undefined => {
  const error = Cause.squash(cause)
  if (error instanceof ApiProblem) return error
  if (error instanceof HttpApiDecodeError) return decodeProblem(error)
  if (error instanceof RequestError) return bodyProblem(error)
  if (isTooDeep(error)) return invalidRequest("The body is nested too deeply.")
  if (!(error instanceof RouteNotFound)) return undefined
  const methods = methodsOf(url)
  return methods.length === 0 ? notFound() : methodNotAllowed(methods)
}

const problemResponse = (problem: ApiProblem, url: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(`${JSON.stringify(problem.bodyFor(randomHex(16)))}\n`, {
    status: problem.status,
    contentType: "application/problem+json",
    headers: problem.status === 405 ? { allow: methodsOf(url).join(", ") } : {},
  })

/** The one place where an error of the API becomes an answer. */
const layerProblems = HttpApiBuilder.middleware((app) =>
  Effect.catchAllCause(app, (cause) =>
    Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const problem = problemOf(cause, url)
      if (problem !== undefined) return problemResponse(problem, url)
      if (Cause.isInterruptedOnly(cause)) return yield* Effect.failCause(cause)
      yield* Effect.logError("a defect in ss-proxy; please report it", cause)
      return problemResponse(internalError(), url)
    }),
  ),
)

/**
 * Writes answers that are whole. The framework would wait until they are sent, with all that belongs to the request, for ever
 * where whoever asked has left.
 */
const writingWhole = HttpMiddleware.make((app) =>
  Effect.zipWith(HttpServerRequest.HttpServerRequest, app, (request, answer) => {
    if (answer.body._tag !== "Uint8Array") return answer
    const response = NodeHttpServerRequest.toServerResponse(request)
    response.writeHead(answer.status, answer.headers)
    response.end(answer.body.body)
    return answer
  }),
)

const layerCalls = HttpApiBuilder.api(AdminApi).pipe(
  Layer.provide([layerProxyCalls, layerSessionCalls, layerLiveCalls, layerStatsCalls, layerStreamCalls]),
  Layer.provide([layerTransferCalls, layerLogCalls]),
)

/**
 * Ids of sessions are parts of paths, of any length that a head may have, and no two of them are the same. The router would
 * take two slashes for one also in a query.
 */
const routerConfig = {
  caseSensitive: true,
  ignoreDuplicateSlashes: false,
  ignoreTrailingSlash: false,
  maxParamLength: 65_536,
}

/** What the API takes and gives, for programs (OpenAPI 3.1). */
export const openApi = (): string => JSON.stringify(OpenApi.fromApi(AdminApi))

/** Makes the API ready. It is large, and so loaded when somebody asks it for the first time. */
export const makeApiHandler: Effect.Effect<ApiHandler, never, ApiParts | Scope.Scope> = Effect.gen(function* () {
  const context = yield* Layer.build(
    Layer.mergeAll(layerCalls, layerProblems).pipe(
      Layer.provideMerge(Layer.merge(HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer)),
      Layer.provideMerge(HttpServer.layerContext),
    ),
  )
  const app = yield* HttpApiBuilder.httpApp.pipe(HttpRouter.withRouterConfig(routerConfig), Effect.provide(context))
  return yield* NodeHttpServer.makeHandler(writingWhole(app)).pipe(
    // What operators ask is in no trace.
    Effect.locally(HttpMiddleware.currentTracerDisabledWhen, () => true),
    Effect.provideService(MaxBodySize, Option.some(FileSystem.Size(maxBodyBytes))),
    Effect.provide(context),
  )
})
