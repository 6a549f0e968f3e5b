import type { Socket } from "node:net"
import { Context, Effect, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { BadRequest, LoopDetected, SessionLimit, UpgradeRequired } from "../domain/ProxyError.js"
import { Downstream, type RequestHead, type UpgradeAnswer } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { type FullSlots, WebSocketSlots } from "../traffic/WebSocketSlots.js"
import { countOf, firstValue, type RawFields, responseFields } from "../wire/HeaderFields.js"
import { ownText } from "../wire/OwnText.js"
import { downstreamTarget, webSocketPrefix, webSocketTarget } from "../wire/Target.js"
import { countedUpgrade } from "./CountedUpgrade.js"
import type { Exchange } from "./Exchange.js"
import { Gate, type SessionRoute } from "./Gate.js"

/** A handshake that both sides have agreed to. */
export interface SwitchedUpgrade {
  readonly session: LiveSession
  readonly requestId: string
  /** The request target, raw, as latin1. */
  readonly target: string
  /** Head of the 101, as text, for the client. */
  readonly headText: string
  /** Connection to the session's server, paused. */
  readonly socket: Socket
  /** Bytes that came glued to the server's 101. */
  readonly early: Uint8Array
  /** Whether an extension was negotiated. */
  readonly extensions: boolean
  /** To be called once the WebSocket is over: it gives its place back to those that limits count. */
  readonly release: () => void
}

/** A key is 16 bytes in base64 (RFC 6455 section 4.1). */
const validKey = /^[A-Za-z0-9+/]{21}[AQgw]==$/

/** What is wrong with a handshake, whatever version of WebSocket it is for; as a sentence for the client. */
const requestProblem = ({ framing, method, httpVersion }: Exchange): string | undefined => {
  if (method !== "GET") return "A WebSocket handshake is a GET request."
  if (httpVersion !== "1.1") return "A WebSocket handshake needs HTTP/1.1."
  if (framing.content !== "none" && framing.content !== 0) return "A WebSocket handshake has no content."
  return undefined
}

/** What is wrong with the key of a handshake of version 13. */
const keyProblem = ({ fields }: Exchange): string | undefined => {
  const key = firstValue(fields, "sec-websocket-key")
  if (key === undefined || !validKey.test(key)) return "Sec-WebSocket-Key is missing or not 16 bytes in base64."
  if (countOf(fields, "sec-websocket-key") > 1) return "There is more than one Sec-WebSocket-Key."
  return undefined
}

/** The error that a handshake is answered with (RFC 6455 sections 4.2.1 and 4.4); `undefined` for one in order. */
const handshakeError = (exchange: Exchange): BadRequest | UpgradeRequired | undefined => {
  const isSpoken = firstValue(exchange.fields, "sec-websocket-version") === "13"
  const problem = requestProblem(exchange) ?? (isSpoken ? keyProblem(exchange) : undefined)
  if (problem !== undefined) return new BadRequest({ detail: problem })
  return isSpoken ? undefined : new UpgradeRequired({ detail: "The only version of WebSocket that is spoken is 13." })
}

const limitDetail: { readonly [Which in FullSlots]: string } = {
  all: "The proxy has as many WebSockets as it may have.",
  session: "The session has as many WebSockets as it may have.",
}

const headText = (reason: string, fields: RawFields): string => {
  const kept = responseFields(fields)
  let lines = ""
  for (let index = 0; index + 1 < kept.length; index += 2) lines += `${kept[index]}: ${kept[index + 1]}\r\n`
  return `HTTP/1.1 101 ${reason}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${lines}\r\n`
}

/** A WebSocket handshake's whole way: check it, parse the target, look up, ask the server first, then the client. */
export class Upgrader extends Context.Tag("@ss-proxy/Upgrader")<
  Upgrader,
  {
    /** Takes a handshake to its answer; `switched` gets the connection where the server agreed. */
    readonly upgrade: (exchange: Exchange, switched: (upgrade: SwitchedUpgrade) => void) => void
  }
>() {
  static readonly layer: Layer.Layer<Upgrader, never, ProxyConfig | SessionDirectory | Downstream | Gate> =
    Layer.effect(
      Upgrader,
      Effect.gen(function* () {
        const settings = yield* ProxyConfig
        const slots = new WebSocketSlots(settings)
        const directory = yield* SessionDirectory
        const downstream = yield* Downstream
        const gate = yield* Gate

        const handshakeHead = (
          exchange: Exchange,
          session: LiveSession,
          route: SessionRoute,
        ): RequestHead | undefined => {
          const { segment, rest, webSocketOnly } = route
          const wsPath = session.policy.wsPath ?? settings.wsPath
          const fields = gate.fieldsFor(
            exchange,
            session,
            route,
            webSocketOnly ? webSocketPrefix(segment, wsPath) : segment,
          )
          if (fields === undefined) return undefined
          fields.push("Connection", "Upgrade", "Upgrade", "websocket")
          const target = webSocketOnly
            ? webSocketTarget(session.target, segment, rest, wsPath)
            : downstreamTarget(session.target, rest)
          return { method: "GET", target, fields }
        }

        const answer = (
          exchange: Exchange,
          session: LiveSession,
          result: UpgradeAnswer,
          release: () => void,
          switched: (upgrade: SwitchedUpgrade) => void,
        ): void => {
          if (result._tag === "Refused") return exchange.answer(result.answer)
          const { head, socket, early } = result
          const extensions = firstValue(head.fields, "sec-websocket-extensions") !== undefined
          const requestId = ownText(exchange.requestId)
          const target = ownText(exchange.target)
          const text = headText(head.reason, head.fields)
          switched({ session, requestId, target, headText: text, socket, early, extensions, release })
        }

        const dispatch = (
          exchange: Exchange,
          session: LiveSession,
          route: SessionRoute,
          switched: (upgrade: SwitchedUpgrade) => void,
        ): void => {
          const head = handshakeHead(exchange, session, route)
          if (head === undefined) return exchange.fail(new LoopDetected({ sessionId: session.id }))
          const full = slots.full(session)
          if (full !== undefined) return exchange.fail(new SessionLimit({ detail: limitDetail[full] }))
          if (!exchange.enter(session)) return
          const release = slots.take(session)
          exchange.dispatchUpgrade(countedUpgrade(downstream.upgrade(session, head), release), (result) =>
            answer(exchange, session, result, release, switched),
          )
        }

        return {
          upgrade: (exchange, switched) =>
            gate.enter(exchange, (route) => {
              const error = handshakeError(exchange)
              if (error !== undefined) return exchange.fail(error)
              exchange.proceed(directory.lookup(route.id), (session) => dispatch(exchange, session, route, switched))
            }),
        }
      }),
    )
}
