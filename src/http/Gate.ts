import { randomBytes } from "node:crypto"
import { Context, Effect, Either, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import {
  BadRequest,
  BodyTooLarge,
  Draining,
  MethodNotAllowed,
  type ProxyError,
  TargetTooLong,
} from "../domain/ProxyError.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { Traffic } from "../traffic/Traffic.js"
import { requestFields } from "../wire/HeaderFields.js"
import { forwardedOnce, isLastHop } from "../wire/MaxForwards.js"
import { healthReply, optionsReply, usualMethods } from "../wire/Reply.js"
import { parseTarget, type Route } from "../wire/Target.js"
import type { Exchange } from "./Exchange.js"

/** A route that names a session. */
export type SessionRoute = Extract<Route, { readonly _tag: "Session" }>

const health = (traffic: typeof Traffic.Service, exchange: Exchange): void => {
  if (traffic.isDraining()) exchange.fail(new Draining())
  else if (exchange.method === "GET" || exchange.method === "HEAD") exchange.reply(healthReply)
  else exchange.fail(new MethodNotAllowed({ allow: "GET, HEAD", detail: "This path only answers GET and HEAD." }))
}

/** What of a head can be too large, in bytes; may be infinite. */
interface HeadLimits {
  readonly target: number
  readonly content: number
}

/** Why a head is refused, whatever it asks for. */
const headError = ({ framing, method, target }: Exchange, limits: HeadLimits): ProxyError | undefined => {
  if (method === "CONNECT") return new BadRequest({ detail: "CONNECT is not for a reverse proxy." })
  if (framing.problem !== undefined) return new BadRequest({ detail: framing.problem })
  // Its answer would show the client what the proxy adds, credentials of the session's URL among it (RFC 9110 section 9.3.8).
  if (method === "TRACE") return new MethodNotAllowed({ allow: usualMethods, detail: "TRACE is not answered here." })
  if (target.length > limits.target) return new TargetTooLong({ limit: limits.target })
  const tooLarge = typeof framing.content === "number" && framing.content > limits.content
  return tooLarge ? new BodyTooLarge({ limit: limits.content }) : undefined
}

/** Whether a request was to be answered by whoever it has come to (RFC 9110 section 7.6.2). */
const mayNotGoOn = ({ fields, method }: Exchange): boolean => method === "OPTIONS" && isLastHop(fields)

/** The way that plain requests and upgrades share, up to what is sent to a session's server. */
export class Gate extends Context.Tag("@ss-proxy/Gate")<
  Gate,
  {
    /** Parses the target and checks the head's framing; answers what is the proxy's to answer. */
    readonly enter: (exchange: Exchange, next: (route: SessionRoute) => void) => void
    /**
     * The fields of a request as its session's server gets them; `undefined` where it has been through this proxy
     * before. `prefix`: the part of the path that the server does not see.
     */
    readonly fieldsFor: (
      exchange: Exchange,
      session: LiveSession,
      route: SessionRoute,
      prefix: string,
    ) => Array<string> | undefined
  }
>() {
  static readonly layer: Layer.Layer<Gate, never, ProxyConfig | Traffic> = Layer.effect(
    Gate,
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const { maxTargetBytes, maxBodyBytes } = yield* ProxyConfig
      const limits = { target: maxTargetBytes, content: maxBodyBytes }
      // This proxy's name in `Via`: a request that carries it has been here before, and not only at one of its kind.
      const pseudonym = `ss-proxy-${randomBytes(4).toString("hex")}`

      return {
        enter: (exchange, next) => {
          const error = headError(exchange, limits)
          if (error !== undefined) return exchange.fail(error)
          const parsed = parseTarget(exchange.method, exchange.target)
          if (Either.isLeft(parsed)) return exchange.fail(parsed.left)
          if (parsed.right._tag === "Health") return health(traffic, exchange)
          if (parsed.right._tag === "Session") exchange.sessionId = parsed.right.id
          if (traffic.isDraining()) return exchange.fail(new Draining())
          if (parsed.right._tag === "Proxy" || mayNotGoOn(exchange)) return exchange.reply(optionsReply)
          next(parsed.right)
        },
        fieldsFor: (exchange, session, route, prefix) =>
          requestFields(exchange.method === "OPTIONS" ? forwardedOnce(exchange.fields) : exchange.fields, {
            authority: session.target.authority,
            authorization: session.target.authorization,
            clientHost: route.authority ?? exchange.framing.host,
            clientAddress: exchange.client.address,
            trusted: exchange.client.trusted,
            proto: exchange.client.proto,
            prefix,
            httpVersion: exchange.httpVersion,
            pseudonym,
            requestId: exchange.requestId,
          }),
      }
    }),
  )
}
