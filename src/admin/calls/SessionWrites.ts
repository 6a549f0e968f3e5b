import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Either, Option, ParseResult, Schema } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import type { SessionNotFound, StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session, SessionInvalid } from "../../domain/Session.js"
import { AddressGuard } from "../../downstream/AddressGuard.js"
import { type SessionChange, SessionRepo } from "../../sessions/SessionRepo.js"
import { idProblem } from "../../sessions/SessionRules.js"
import { shownOnly } from "../../transfer/SessionFields.js"
import { changeOf, defaultStatus } from "../../transfer/SessionMembers.js"
import { urlProblem } from "../../transfer/UrlProblem.js"
import { type ApiProblem, invalidRequest, sessionNotFound, storeUnavailable, urlRefused } from "../api/ApiProblem.js"
import { SessionPatch } from "../api/SessionBody.js"
import { makeNoting } from "./ChangeLog.js"
import { type ConditionFields, preconditionOf } from "./Conditions.js"

/** The members of the API's Session that nobody can write; a PUT of what a GET gave may have them. */
const passedOver: ReadonlySet<string> = new Set([...shownOnly, "id"])

type Members = Readonly<Record<string, unknown>>

const misfit = (path: string, detail: string): ApiProblem =>
  invalidRequest("The request does not fit what this call takes.", [{ path, detail }])

const membersOf = (given: Members): Either.Either<SessionChange, ApiProblem> =>
  Either.mapLeft(changeOf(given), (problems) =>
    invalidRequest(
      "The request does not fit what this call takes.",
      problems.map(({ path, problem }) => ({ path, detail: problem })),
    ),
  )

/** The body of a PATCH, which the framework does not know for JSON. */
const patchOf = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<Members, HttpApiDecodeError> =>
  Effect.orDie(request.json).pipe(
    Effect.flatMap(Schema.decodeUnknown(SessionPatch)),
    Effect.catchIf(ParseResult.isParseError, HttpApiDecodeError.refailParseError),
  )

type ChangeError = ApiProblem | HttpApiDecodeError | SessionInvalid | SessionNotFound | StoreUnavailable

/** Why a change of a session came to nothing. */
export const asProblems = Effect.mapError((error: ChangeError) => {
  switch (error._tag) {
    case "ApiProblem":
    case "HttpApiDecodeError":
      return error
    case "SessionInvalid":
      return invalidRequest(`The session cannot be stored: ${error.problem}.`)
    case "SessionNotFound":
      return sessionNotFound()
    case "StoreUnavailable":
      return storeUnavailable(error.problem)
  }
})

interface WriteRequest {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly path: { readonly id: string }
  readonly headers: ConditionFields
}

type Shown = (
  session: Session,
  status: 200 | 201,
) => Effect.Effect<HttpServerResponse.HttpServerResponse, StoreUnavailable>

/** Calls that store sessions and remove them. `shown`: answers with a session, and its entity tag. */
export const makeSessionWrites = (shown: Shown) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const guard = new AddressGuard(yield* ProxyConfig)
    const noting = yield* makeNoting

    const refuseUrl = (url: string | undefined): Either.Either<void, ApiProblem> =>
      Option.match(url === undefined ? Option.none() : urlProblem(url, guard), {
        onNone: () => Either.void,
        onSome: (problem) => Either.left(urlRefused(`${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`)),
      })

    const noted = <A, E>({ path, request }: WriteRequest, change: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      noting(request, change, () => ({ session: path.id }))

    const put = (asked: WriteRequest & { readonly payload: Members }) =>
      Effect.gen(function* () {
        const { id } = asked.path
        const given = asked.payload["id"]
        if (given !== undefined && given !== id) return yield* misfit("id", "it is another than that of the path")
        const idFault = idProblem(id)
        if (Option.isSome(idFault)) return yield* misfit("id", idFault.value)
        const members = Object.entries(asked.payload).filter(([name]) => !passedOver.has(name))
        const { policy = {}, status = defaultStatus, url } = yield* membersOf(Object.fromEntries(members))
        if (url === undefined) return yield* misfit("url", "it is missing")
        yield* refuseUrl(url)
        const precondition = yield* preconditionOf(asked.headers, "missing is new")
        let isNew = false
        const stored = yield* noted(
          asked,
          repo.put({ id, url, status, policy }, (found) => {
            isNew = found === undefined
            return precondition(found)
          }),
        )
        return yield* shown(stored, isNew ? 201 : 200)
      }).pipe(asProblems)

    const patch = (asked: WriteRequest) =>
      Effect.gen(function* () {
        const members = yield* patchOf(asked.request)
        const change = yield* membersOf(members)
        yield* refuseUrl(change.url)
        const precondition = yield* preconditionOf(asked.headers, "missing is 404")
        return yield* shown(yield* noted(asked, repo.set(asked.path.id, change, precondition)), 200)
      }).pipe(asProblems)

    const remove = (asked: WriteRequest) =>
      Effect.gen(function* () {
        const precondition = yield* preconditionOf(asked.headers, "missing is 404")
        yield* noted(asked, repo.remove(asked.path.id, precondition))
      }).pipe(asProblems)

    return { put, patch, remove }
  })
