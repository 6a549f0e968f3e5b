import { Context, Effect, Either, Exit, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import {
  BadRequest,
  BodyTooLarge,
  Draining,
  type HookRefused,
  LoopDetected,
  MethodNotAllowed,
  type ProxyError,
  TargetTooLong,
} from "../domain/ProxyError.js"
import type { RequestHead } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { rulesFor } from "../sessions/SessionRequestRules.js"
import { unrecordedFields } from "../traces/RequestTrace.js"
import { Traffic } from "../traffic/Traffic.js"
import { requestFields } from "../wire/HeaderFields.js"
import { forwardedOnce, isLastHop } from "../wire/MaxForwards.js"
import { healthReply, optionsReply, type Reply, usualMethods } from "../wire/Reply.js"
import { SessionHosts } from "../wire/SessionHosts.js"
import { parseTarget, plainPrefix, plainTarget, type Route, routeTemplate } from "../wire/Target.js"
import { identifiedTrace, type TraceFields, untouchedTrace } from "../wire/TraceContext.js"
import type { ProxyRequest } from "./ProxyRequest.js"
import { newPseudonym, Pseudonym } from "./Pseudonym.js"
import { passHooks, RequestHooks } from "./RequestHooks.js"

/** A route that names a session. */
export type SessionRoute = Extract<Route, { readonly _tag: "Session" }>

const healthAnswer = (method: string): Reply | MethodNotAllowed =>
  method === "GET" || method === "HEAD"
    ? healthReply
    : new MethodNotAllowed({ allow: "GET, HEAD", detail: "This path only answers GET and HEAD." })

const isOfSession = (parsed: Either.Right<unknown, Route>): parsed is Either.Right<never, SessionRoute> =>
  parsed.right._tag === "Session"

/** Whether a request was to be answered by whoever it has come to (RFC 9110 section 7.6.2). */
const mayNotGoOn = ({ fields, method }: ProxyRequest): boolean => method === "OPTIONS" && isLastHop(fields)

/** What of a head can be too large, in bytes; may be infinite. */
interface HeadLimits {
  readonly target: number
  readonly content: number
}

/** Why a head is refused, whatever it asks for. */
const headError = ({ framing, method, target }: ProxyRequest, limits: HeadLimits): ProxyError | undefined => {
  if (method === "CONNECT") return new BadRequest({ detail: "CONNECT is not for a reverse proxy." })
  if (framing.problem !== undefined) return new BadRequest({ detail: framing.problem })
  // Its answer would show the client what the proxy adds, credentials of the session's URL among it (RFC 9110 section 9.3.8).
  if (method === "TRACE") return new MethodNotAllowed({ allow: usualMethods, detail: "TRACE is not answered here." })
  if (target.length > limits.target) return new TargetTooLong({ limit: limits.target })
  const tooLarge = typeof framing.content === "number" && framing.content > limits.content
  return tooLarge ? new BodyTooLarge({ limit: limits.content }) : undefined
}

/** A lookup, which the spans of a request are told of where it has to be waited for. */
export const timedLookup = <E>(
  request: ProxyRequest,
  route: SessionRoute,
  lookup: Effect.Effect<LiveSession, E>,
): Effect.Effect<LiveSession, E> => {
  const trace = request.traceOf(routeTemplate(route))
  if (trace === undefined || typeof trace === "string" || Exit.isExit(lookup)) return lookup
  const from = performance.now()
  return Effect.ensuring(
    lookup,
    Effect.sync(() => trace.lookedUp(from, performance.now())),
  )
}

/** What plain requests and WebSocket handshakes have in common on their way to a session's server. */
export class Admission extends Context.Tag("@ss-proxy/Admission")<
  Admission,
  {
    /**
     * Parses the target and checks the head's framing (RFC 9112 sections 3 and 6). Left: an error, or an answer of the
     * proxy's own.
     */
    readonly admit: (request: ProxyRequest) => Either.Either<SessionRoute, ProxyError | Reply>
    /**
     * The head of a request as its session's server gets it. `target`: the request target there; `prefix`: the part of
     * the client's path that the server does not see. Left: the request has been through this proxy before.
     */
    readonly headFor: (
      request: ProxyRequest,
      session: LiveSession,
      route: SessionRoute,
      target: string,
      prefix: string,
    ) => Either.Either<RequestHead, LoopDetected>
    /** The same of a plain request, or of a WebSocket outside of `/ws`. */
    readonly plainHeadFor: (
      request: ProxyRequest,
      session: LiveSession,
      route: SessionRoute,
    ) => Either.Either<RequestHead, LoopDetected>
    /** Whether there are hooks that decide. */
    readonly decides: boolean
    /** Lets the hooks of the program that embeds the proxy decide. */
    readonly decide: (
      request: ProxyRequest,
      session: LiveSession,
      head: RequestHead,
    ) => Effect.Effect<RequestHead, HookRefused | Reply>
  }
>() {
  static readonly layer: Layer.Layer<Admission, never, ProxyConfig | Traffic> = Layer.effect(
    Admission,
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const hooks = yield* RequestHooks
      const settings = yield* ProxyConfig
      const { hostField, maxBodyBytes, maxTargetBytes, path, sessionHosts } = settings
      const hosts = SessionHosts.of(sessionHosts)
      const limits = { target: maxTargetBytes, content: maxBodyBytes }
      // A request that carries it has been here before, and not only at one of its kind.
      const pseudonym = (yield* Pseudonym) ?? newPseudonym()

      /** Of a head that can be read in two ways nobody knows the host, so that its path need not be what names the session. */
      const isSureOf = ({ framing }: ProxyRequest): boolean => hosts === undefined || framing.problem === undefined

      const admit = (request: ProxyRequest): Either.Either<SessionRoute, ProxyError | Reply> => {
        const parsed = parseTarget(request.method, request.target, request.framing.host, hosts)
        // Before anything is refused: its line in the access log names the session.
        if (Either.isRight(parsed) && isOfSession(parsed) && isSureOf(request)) {
          request.sessionId = parsed.right.id
          request.byHost = parsed.right.byHost
        }
        const error = headError(request, limits)
        if (error !== undefined) return Either.left(error)
        if (Either.isLeft(parsed)) return Either.left(parsed.left)
        if (traffic.isClosing() && request.isLate) return Either.left(new Draining())
        if (parsed.right._tag === "Health")
          return Either.left(traffic.isDraining() ? new Draining() : healthAnswer(request.method))
        return isOfSession(parsed) && !mayNotGoOn(request) ? parsed : Either.left(optionsReply)
      }

      /**
       * What becomes of the trace fields of a request that goes to `target` of its session's server. `isAdded`: whether that
       * gets a `traceparent` of the proxy.
       */
      const traceFieldsFor = (
        request: ProxyRequest,
        session: LiveSession,
        route: SessionRoute,
        target: string,
        isAdded: boolean,
      ): TraceFields => {
        const trace = request.traceOf(routeTemplate(route))
        // Where the id of the request is that of the trace, a `traceparent` is made of it as where traces are off.
        if (trace === undefined || trace === request.requestId) return isAdded ? identifiedTrace : untouchedTrace
        const fields =
          typeof trace === "string"
            ? unrecordedFields(trace, true)
            : trace.askServer(request.method, session.target, target)
        return isAdded ? fields : untouchedTrace
      }

      /** The `Host` for the session's server (RFC 9110 section 7.2). A client of HTTP/1.0 may have none. */
      const hostFor = (session: LiveSession, byHost: boolean, asked: string | undefined): string => {
        const rule = session.policy.host ?? hostField
        const isOfClient = rule === "client" || (rule === "auto" && byHost)
        return isOfClient && asked !== undefined && asked !== "" ? asked : session.target.authority
      }

      const headFor = (
        request: ProxyRequest,
        session: LiveSession,
        route: SessionRoute,
        target: string,
        prefix: string,
      ): Either.Either<RequestHead, LoopDetected> => {
        const rules = rulesFor(session, settings)
        request.rules = rules
        const trace = traceFieldsFor(request, session, route, target, rules.trace)
        const received = request.method === "OPTIONS" ? forwardedOnce(request.fields) : request.fields
        const clientHost = route.authority ?? request.framing.host
        const fields = requestFields(received, {
          authority: hostFor(session, route.byHost, clientHost),
          authorization: session.target.authorization,
          clientHost,
          clientAddress: request.client.address,
          trusted: request.client.trusted,
          proto: request.client.proto,
          prefix,
          httpVersion: request.httpVersion,
          pseudonym,
          requestId: request.requestId,
          trace,
          rules,
        })
        return fields === undefined
          ? Either.left(new LoopDetected({ sessionId: session.id }))
          : Either.right({ method: request.method, target, fields })
      }

      const plainHeadFor = (request: ProxyRequest, session: LiveSession, route: SessionRoute) => {
        const rule = session.policy.path ?? path
        return headFor(request, session, route, plainTarget(session.target, route, rule), plainPrefix(route, rule))
      }

      return {
        admit,
        headFor,
        plainHeadFor,
        decides: hooks.length > 0,
        decide: (request, session, head) => passHooks(hooks, request, session, head),
      }
    }),
  )
}
