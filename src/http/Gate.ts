import { randomBytes } from "node:crypto"
import { Either } from "effect"
import { BadRequest, Draining, MethodNotAllowed } from "../domain/ProxyError.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { Traffic } from "../traffic/Traffic.js"
import { requestFields } from "../wire/HeaderFields.js"
import { healthReply } from "../wire/Reply.js"
import { parseTarget, type Route } from "../wire/Target.js"
import type { Exchange } from "./Exchange.js"

/** A route that names a session. */
export type SessionRoute = Extract<Route, { readonly _tag: "Session" }>

/** This process's name in `Via`: a request that carries it has been here before. */
const pseudonym = `ss-proxy-${randomBytes(4).toString("hex")}`

/** The fields of a request as its session's server gets them; `undefined` where it has been through this proxy before. */
export const fieldsFor = (
  exchange: Exchange,
  session: LiveSession,
  route: SessionRoute,
  prefix: string,
): Array<string> | undefined =>
  requestFields(exchange.fields, {
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
  })

const health = (traffic: typeof Traffic.Service, exchange: Exchange): void => {
  if (traffic.isDraining()) exchange.fail(new Draining())
  else if (exchange.method === "GET" || exchange.method === "HEAD") exchange.reply(healthReply)
  else exchange.fail(new MethodNotAllowed({ allow: "GET, HEAD" }))
}

/** The way that plain requests and upgrades share: parse the target, check the head's framing, and answer what is ours. */
export const enterGate = (
  traffic: typeof Traffic.Service,
  exchange: Exchange,
  next: (route: SessionRoute) => void,
): void => {
  const { problem } = exchange.framing
  if (problem !== undefined) return exchange.fail(new BadRequest({ detail: problem }))
  const parsed = parseTarget(exchange.target)
  if (Either.isLeft(parsed)) return exchange.fail(parsed.left)
  if (parsed.right._tag === "Health") return health(traffic, exchange)
  if (traffic.isDraining()) return exchange.fail(new Draining())
  next(parsed.right)
}
