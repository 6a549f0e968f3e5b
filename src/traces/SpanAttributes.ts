import type { Tracer } from "effect"
import { detachedCopy, detachedText } from "../wire/DetachedCopy.js"
import { causeOf } from "../telemetry/Failure.js"
import { type QueryRule, shownField, shownTarget, withoutUserInfo } from "../telemetry/Redaction.js"
import type { TrafficRecord } from "../telemetry/TrafficRecord.js"

/** What a span says. What is `undefined` is left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>

export const describe = (span: Tracer.Span, attributes: Attributes): void => {
  for (const name in attributes) if (attributes[name] !== undefined) span.attribute(name, attributes[name])
}

/** Methods that may be part of a name; others are whatever somebody sends (OpenTelemetry's conventions for HTTP spans). */
const knownMethods: ReadonlySet<string> = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "TRACE",
])

/** The name of a request's span. `route`: the template of its path, where it has one. */
export const spanName = (method: string, route: string | undefined): string => {
  const verb = knownMethods.has(method) ? method : "HTTP"
  return route === undefined ? verb : `${verb} ${route}`
}

/** The longest value that is told of those that clients choose, in characters. */
const longestValue = 200

/** A field's value, raw as latin1, for an attribute. */
const shown = (value: string): string => Buffer.from(value.slice(0, longestValue), "latin1").toString("utf8")

/** The method, or the word that stands for all that are not registered. */
const shownMethod = (method: string): string => (knownMethods.has(method) ? method : "_OTHER")

/** A method that is not registered. */
const originalMethod = (method: string): string | undefined => (knownMethods.has(method) ? undefined : shown(method))

/** `Host`, without and with its port. */
const hostPattern = /^(\[[^\]]*\]|[^:]+)(?::(\d{1,5}))?$/

/**
 * What a request's own span says. A span waits for its collector, and that of a handshake as long as its WebSocket lives: none of
 * this may hold the whole head.
 */
export const serverAttributes = (record: TrafficRecord, route: string | undefined, query: QueryRule): Attributes => {
  const target = detachedText(shownTarget(record.target, query))
  const mark = target.indexOf("?")
  // Each of these is looked for where it is read.
  const { error, sessionId, userAgent } = record
  const [, host, port] = hostPattern.exec(shownField(withoutUserInfo(record.host ?? ""))) ?? []
  return {
    "http.request.method": shownMethod(record.method),
    "http.request.method_original": originalMethod(record.method),
    "http.route": route,
    "url.scheme": "http",
    "url.path": mark < 0 ? target : target.slice(0, mark),
    "url.query": mark < 0 ? undefined : target.slice(mark + 1),
    "http.response.status_code": record.status === 0 ? undefined : record.status,
    "error.type": error === undefined ? undefined : causeOf(error),
    "client.address": record.client,
    "server.address": host === undefined ? undefined : detachedText(host),
    "server.port": port === undefined ? undefined : Number(port),
    "network.protocol.version": record.httpVersion,
    "user_agent.original": userAgent === undefined ? undefined : shown(userAgent),
    "http.request.body.size": record.bytesIn,
    "http.response.body.size": record.bytesOut,
    "ss_proxy.session": sessionId === undefined ? undefined : detachedText(sessionId),
    "ss_proxy.request_id": detachedCopy(record.requestId),
    "ss_proxy.end": record.end,
  }
}

/** What a session's server was asked. */
export interface AskedServer {
  readonly secure: boolean
  readonly hostname: string
  readonly port: number
  readonly authority: string
}

/** Whether the status that the client got is the server's, and no answer of the proxy's own. */
const isOfServer = ({ error, status }: TrafficRecord): boolean =>
  status !== 0 && (error === undefined || error._tag === "ResponseBroken" || error._tag === "ClientStalled")

/** What was wrong with what a session's server answered; `undefined` for nothing. */
export const serverFault = (record: TrafficRecord): string | undefined => {
  if (record.error?.fault === "downstream") return causeOf(record.error)
  return isOfServer(record) && record.status >= 400 ? String(record.status) : undefined
}

/** What the span of a request to a session's server says. `target`: the request target there. */
export const askedAttributes = (
  record: TrafficRecord,
  server: AskedServer,
  target: string,
  query: QueryRule,
): Attributes => ({
  "http.request.method": shownMethod(record.method),
  "http.request.method_original": originalMethod(record.method),
  "server.address": server.hostname,
  "server.port": server.port,
  "url.full": `${server.secure ? "https" : "http"}://${server.authority}${detachedText(shownTarget(target, query))}`,
  "http.request.resend_count": record.retries === 0 ? undefined : record.retries,
  "http.response.status_code": isOfServer(record) ? record.status : undefined,
  "error.type": serverFault(record),
})

/** What the span of a WebSocket says. */
export const webSocketAttributes = (record: TrafficRecord): Attributes => ({
  "error.type": record.error === undefined ? undefined : causeOf(record.error),
  "ss_proxy.session": record.sessionId,
  "ss_proxy.request_id": record.requestId,
  "ss_proxy.end": record.end,
  "ss_proxy.websocket.code": record.webSocket?.code,
  "ss_proxy.websocket.closed_by": record.webSocket?.closedBy,
  "ss_proxy.websocket.messages_in": record.webSocket?.messagesIn,
  "ss_proxy.websocket.messages_out": record.webSocket?.messagesOut,
  "ss_proxy.websocket.bytes_in": record.bytesIn,
  "ss_proxy.websocket.bytes_out": record.bytesOut,
})
