import { STATUS_CODES } from "node:http"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Data, Schema } from "effect"

/** An error as it is on the wire (RFC 9457), as those of the proxy itself. */
const ProblemBody = Schema.Struct({
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  detail: Schema.String,
  code: Schema.String,
  request_id: Schema.String,
  /** Where what was given does not fit its schema. */
  errors: Schema.optional(Schema.Array(Schema.Struct({ path: Schema.String, detail: Schema.String }))),
}).annotations({ identifier: "Problem" })

/** A place in what was given, and what is wrong there. */
export interface Misfit {
  readonly path: string
  readonly detail: string
}

/** Why a call of the API came to nothing. `code`: stable, for machines. `detail`: a sentence. */
export class ApiProblem extends Data.TaggedError("ApiProblem")<{
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly errors?: ReadonlyArray<Misfit>
}> {
  override get message(): string {
    return this.detail
  }

  /** As it is on the wire. */
  bodyFor(requestId: string): typeof ProblemBody.Type {
    const { code, detail, errors, status } = this
    const [type, title] = [`urn:ss-proxy:error:${code}`, STATUS_CODES[status] ?? "Error"]
    return { type, title, status, detail, code, request_id: requestId, ...(errors !== undefined && { errors }) }
  }
}

/** Every status that a problem may have. */
const statuses = [400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 421, 422, 429, 500, 503] as const

/** How a client reads a problem of this status. The server writes problems in one place, whatever their status. */
const problemOf = (status: (typeof statuses)[number]) =>
  HttpApiSchema.withEncoding(
    Schema.transform(ProblemBody, Schema.instanceOf(ApiProblem), {
      strict: true,
      decode: ({ code, detail, errors, status }) =>
        new ApiProblem({ code, detail, status, ...(errors !== undefined && { errors }) }),
      encode: (problem) => problem.bodyFor(""),
    }),
    { kind: "Json", contentType: "application/problem+json" },
  ).annotations(HttpApiSchema.annotations({ status }))

/** The problems of all calls, as the API declares them. */
export const problems = statuses.map(problemOf)

export const invalidRequest = (detail: string, errors: ReadonlyArray<Misfit> = []): ApiProblem =>
  new ApiProblem({ status: 400, code: "invalid_request", detail, ...(errors.length > 0 && { errors }) })

export const sessionNotFound = (): ApiProblem =>
  new ApiProblem({ status: 404, code: "session_not_found", detail: "There is no session with this id." })

/** `detail` without user info. */
export const urlRefused = (detail: string): ApiProblem => new ApiProblem({ status: 422, code: "url_refused", detail })

export const liveNotFound = (): ApiProblem =>
  new ApiProblem({
    status: 404,
    code: "live_not_found",
    detail: "Nothing with this id is under way. It is over, or it was of a process that has ended.",
  })

export const storeUnavailable = (problem: string): ApiProblem =>
  new ApiProblem({ status: 503, code: "store_unavailable", detail: `The store cannot be used: ${problem}.` })

export const processSilent = (): ApiProblem =>
  new ApiProblem({
    status: 503,
    code: "process_silent",
    detail: "A process of the proxy did not answer in time, and it may be the one that knows. Try again.",
  })

export const oneProcess = (): ApiProblem =>
  new ApiProblem({
    status: 409,
    code: "one_process",
    detail: "This proxy is one process, which cannot be reloaded. Restart it, or run it with --workers.",
  })

/** `problem`: a phrase. */
export const reloadFailed = (problem: string): ApiProblem =>
  new ApiProblem({
    status: 409,
    code: "reload_failed",
    detail: `The workers from before go on. No new ones were started: ${problem}.`,
  })

export const internalError = (): ApiProblem =>
  new ApiProblem({ status: 500, code: "internal_error", detail: "Something went wrong. The log says what." })
