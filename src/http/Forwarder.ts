import { Context, Effect, Either, Exit, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { type ProxyError, type RequestBroken, SessionLimit, UpgradeRequired } from "../domain/ProxyError.js"
import { type Answer, Downstream, type RequestBody, type RequestHead } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import * as Step from "../step/Step.js"
import { Slots } from "../traffic/Slots.js"
import { countOf } from "../wire/HeaderFields.js"
import type { Reply } from "../wire/Reply.js"
import { Admission, type SessionRoute, timedLookup } from "./Admission.js"
import { makeBeginAnswers } from "./AnswerRules.js"
import { makePassage } from "./BodyStages.js"
import type { ProxyRequest } from "./ProxyRequest.js"
import { SlashRedirect } from "./SlashRedirect.js"

/**
 * Why a request has no answer of its session's server: an error, an answer of the proxy's own in its place, or content of
 * the client's that broke off, which nobody is left to be answered for.
 */
export type ForwardError = ProxyError | Reply | RequestBroken

const notPlain = "This path is for WebSocket connections. Plain requests go to /{session_id}/ without /ws before it."

/** A handshake that is none any more has one cause, and it is what people ask about (RFC 9110 section 7.8). */
const notPlainAnyMore =
  'This path is for WebSocket connections, and this request was one: a proxy in front has removed Upgrade and Connection. For nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'

const upgradeRequired = ({ fields }: ProxyRequest): UpgradeRequired =>
  new UpgradeRequired({ detail: countOf(fields, "sec-websocket-key") > 0 ? notPlainAnyMore : notPlain })

const tooMany = "The session has as many requests as it may have."

/** A plain request's whole way. */
export class Forwarder extends Context.Tag("@ss-proxy/Forwarder")<
  Forwarder,
  {
    /**
     * Takes a request to the answer of its session's server, once: admits it, looks its session up, makes its head, asks.
     * The effect is an `Exit` or a `Call`, unless something has to be waited for that needs a fiber.
     */
    readonly forward: (request: ProxyRequest) => Effect.Effect<Answer, ForwardError>
  }
>() {
  static readonly layer: Layer.Layer<
    Forwarder,
    never,
    ProxyConfig | SessionDirectory | Downstream | Admission | Slots
  > = Layer.scoped(
    Forwarder,
    Effect.gen(function* () {
      const settings = yield* ProxyConfig
      const slash = new SlashRedirect(settings)
      const directory = yield* SessionDirectory
      const downstream = yield* Downstream
      const admission = yield* Admission
      const { requests: slots } = yield* Slots
      const { downloadOf, upload } = yield* makePassage
      const beginAnswers = yield* makeBeginAnswers

      const lookUp = (request: ProxyRequest, route: SessionRoute): Effect.Effect<LiveSession, ForwardError> =>
        route.webSocketOnly
          ? Exit.fail(upgradeRequired(request))
          : timedLookup(request, route, directory.lookup(route.id))

      /** Lets a request in to its session, with this head for the session's server. */
      const letIn = (
        request: ProxyRequest,
        session: LiveSession,
        route: SessionRoute,
        head: Either.Right<ForwardError, RequestHead>,
      ): Either.Either<RequestHead, ForwardError> => {
        const refusal = request.join(session)
        if (refusal !== undefined) return Either.left(refusal)
        const begun = beginAnswers(request, session, route, head.right)
        return begun === head.right ? head : Either.right(begun)
      }

      /** The same where the session may have one more request. */
      const enter = (
        request: ProxyRequest,
        session: LiveSession,
        route: SessionRoute,
      ): Effect.Effect<RequestHead, ForwardError> => {
        const head = admission.plainHeadFor(request, session, route)
        if (Either.isLeft(head)) return head
        if (slots === undefined) return letIn(request, session, route, head)
        return Step.andThen(slots.take(session), (taken) => {
          if (typeof taken === "string") return Either.left(new SessionLimit({ detail: tooMany }))
          request.hold(taken)
          return letIn(request, session, route, head)
        })
      }

      const send = (
        request: ProxyRequest,
        session: LiveSession,
        head: RequestHead,
        body: RequestBody,
      ): Effect.Effect<Answer, ForwardError> => {
        if (upload === undefined) return downstream.request(session, head, body, request)
        return Step.andThen(upload(session, head, body), (staged) =>
          downstream.request(session, staged.head, staged.body, request),
        )
      }

      const ask = (
        request: ProxyRequest,
        session: LiveSession,
        head: RequestHead,
      ): Effect.Effect<Answer, ForwardError> => {
        const answer = Step.andThen(request.content, (body) => send(request, session, head, body))
        const download = downloadOf(session)
        return download === undefined ? answer : Step.andThen(answer, (plain) => download(session, plain))
      }

      const decideAndAsk = (
        request: ProxyRequest,
        session: LiveSession,
        head: RequestHead,
      ): Effect.Effect<Answer, ForwardError> =>
        Step.andThen(admission.decide(request, session, head), (decided) => ask(request, session, decided))

      const askAsDecided = admission.decides ? decideAndAsk : ask

      /** Hooks are asked before: they may have reasons to tell nothing of the session. */
      const redirect = (request: ProxyRequest, session: LiveSession, head: RequestHead, reply: Reply) =>
        Step.andThen(admission.decide(request, session, head), () => Exit.fail(reply))

      const proceed = (
        request: ProxyRequest,
        session: LiveSession,
        route: SessionRoute,
        head: RequestHead,
      ): Effect.Effect<Answer, ForwardError> => {
        const reply = slash.of(request, session, route)
        return reply === undefined ? askAsDecided(request, session, head) : redirect(request, session, head, reply)
      }

      return {
        forward: (request) =>
          Step.andThen(admission.admit(request), (route) =>
            Step.andThen(lookUp(request, route), (session) =>
              Step.andThen(enter(request, session, route), (head) => proceed(request, session, route, head)),
            ),
          ),
      }
    }),
  )
}
