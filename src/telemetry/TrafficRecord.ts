import type { ClientStalled, ProxyError, RequestBroken, ResponseBroken, WebSocketBroken } from "../domain/ProxyError.js"

/** What is broken off, so that there is no answer for it any more. */
export type BrokenOff = ResponseBroken | ClientStalled | RequestBroken | WebSocketBroken

/** What can go wrong with a request or a WebSocket, as the log is told. */
export type TrafficError = ProxyError | BrokenOff

/** How it ended: the answer went out whole, or who broke it off. `session`: it was removed or moved; `proxy`: shutdown or a defect. */
export type TrafficEnd = "complete" | "client" | "server" | "session" | "proxy"

/** What only a WebSocket has. */
export interface WebSocketRecord {
  /** Close code that was sent or passed on first; 1005 for a close frame without one (RFC 6455 section 7.1.5). */
  readonly code: number
  readonly reason: string
  readonly closedBy: "client" | "server" | "proxy"
  /** Complete data messages. */
  readonly messagesIn: number
  readonly messagesOut: number
}

/** Where the time went, in milliseconds; `undefined` for what did not happen. */
export interface TrafficTimes {
  /** From the request's head to the first byte of the answer, written to the client. */
  readonly firstByte: number | undefined
  /** In the queue for a connection to the server. */
  readonly queue: number | undefined
  /** TCP and TLS to the server. */
  readonly dial: number | undefined
  /** Held until the server could be reached, the last two included. */
  readonly hold: number | undefined
  /** From the request, sent to the server, to the head of its response. */
  readonly server: number | undefined
}

/** What is known of a request or a WebSocket when it is over. */
export interface TrafficRecord {
  /** `refused`: it never became a request, because its head could not be read. */
  readonly kind: "request" | "websocket" | "refused"
  /** Names it in this process and any other: `{process}-{serial}`, both base 36. */
  readonly id: string
  readonly requestId: string
  /** Id that the request named, be there such a session or not; `undefined` where it named none. */
  readonly sessionId: string | undefined
  /** IP address of the client's end of the connection. */
  readonly client: string
  /** Empty for what was refused. */
  readonly method: string
  /** The request target, raw, as latin1. */
  readonly target: string
  readonly httpVersion: string
  /** Of the request's fields, raw, as latin1. */
  readonly host: string | undefined
  readonly userAgent: string | undefined
  /** What the client was answered: 101 for a WebSocket, 0 for nothing. */
  readonly status: number
  readonly end: TrafficEnd
  /** What went wrong; `undefined` where nothing did. */
  readonly error: TrafficError | undefined
  /** Bytes of content or frames from the client, and to it. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** How often the request was sent again. */
  readonly retries: number
  /** When it began, in milliseconds since the epoch. */
  readonly since: number
  /** From its first byte to its end. Never negative, also where the clock was set back. */
  readonly milliseconds: number
  readonly times: TrafficTimes
  /** Address and port of the session's server, where one was asked. */
  readonly server: string | undefined
  /** Whether its server was asked on a pooled connection; `undefined` where none was asked. */
  readonly reused: boolean | undefined
  /** Trace that it belongs to (W3C Trace Context), where it has one. */
  readonly traceId: string | undefined
  readonly webSocket: WebSocketRecord | undefined
}
