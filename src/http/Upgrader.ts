import type { Socket } from "node:net"
import { Context, Effect, Either, Exit, Layer } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { BadRequest, SessionLimit, UpgradeRequired } from "../domain/ProxyError.js"
import {
  type Answer,
  Downstream,
  type RequestHead,
  type ResponseHead,
  type Switched,
} from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import * as Step from "../step/Step.js"
import type { Full } from "../traffic/PlaceCount.js"
import { Slots } from "../traffic/Slots.js"
import { editedFields } from "../wire/FieldEdits.js"
import { countOf, firstValue, interimFields, type RawFields, without } from "../wire/HeaderFields.js"
import { fieldLines } from "../wire/MessageWriter.js"
import { detachedCopy } from "../wire/DetachedCopy.js"
import { webSocketPrefix, webSocketTarget } from "../wire/Target.js"
import { Admission, type SessionRoute, timedLookup } from "./Admission.js"
import { makeBeginAnswers } from "./AnswerRules.js"
import { makePassage } from "./BodyStages.js"
import type { ForwardError } from "./Forwarder.js"
import type { ProxyRequest } from "./ProxyRequest.js"

/** A handshake that both sides have agreed to. */
export interface SwitchedUpgrade {
  readonly _tag: "SwitchedUpgrade"
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
}

/** A key is 16 bytes in base64 (RFC 6455 section 4.1). */
const validKey = /^[A-Za-z0-9+/]{21}[AQgw]==$/

/** What is wrong with the request of a handshake, whatever version of WebSocket it is for; as a sentence for the client. */
const requestProblem = ({ framing, httpVersion, method }: ProxyRequest): string | undefined => {
  if (method !== "GET") return "A WebSocket handshake is a GET request."
  if (httpVersion !== "1.1") return "A WebSocket handshake needs HTTP/1.1."
  if (framing.content !== "none" && framing.content !== 0) return "A WebSocket handshake has no content."
  return undefined
}

/** Whether a handshake is of version 13, and says nothing else: a list could be read in two ways (RFC 6455 section 4.4). */
const isVersion13 = ({ fields }: ProxyRequest): boolean => {
  const name = "sec-websocket-version"
  if (firstValue(fields, name) !== "13") return false
  return fields.every((value, index) => index % 2 === 0 || value === "13" || fields[index - 1]?.toLowerCase() !== name)
}

/**
 * What is wrong with a handshake of version 13 beside that (RFC 6455 section 4.2.1). There are devices whose key is not 16
 * bytes; without `isStrict` their server decides.
 */
const keyProblem = ({ fields }: ProxyRequest, isStrict: boolean): string | undefined => {
  const key = firstValue(fields, "sec-websocket-key") ?? ""
  if (key === "") return "Sec-WebSocket-Key is missing."
  if (isStrict && !validKey.test(key)) return "Sec-WebSocket-Key is not 16 bytes in base64."
  if (countOf(fields, "sec-websocket-key") > 1) return "There is more than one Sec-WebSocket-Key."
  return undefined
}

const checkHandshake = (
  request: ProxyRequest,
  isStrict: boolean,
): Either.Either<void, BadRequest | UpgradeRequired> => {
  const unfit = requestProblem(request)
  if (unfit !== undefined) return Either.left(new BadRequest({ detail: unfit }))
  // Another version may well have other keys, so that this comes first.
  if (!isVersion13(request))
    return Either.left(new UpgradeRequired({ detail: "The only version of WebSocket that is spoken here is 13." }))
  const problem = keyProblem(request, isStrict)
  return problem === undefined ? Either.void : Either.left(new BadRequest({ detail: problem }))
}

const upgrading = (head: RequestHead, hidesExtensions: boolean): RequestHead => {
  const fields = hidesExtensions ? without(head.fields, "sec-websocket-extensions") : head.fields
  return { ...head, fields: [...fields, "Connection", "Upgrade", "Upgrade", "websocket"] }
}

const limitDetail: { readonly [Which in Full]: string } = {
  all: "The proxy has as many WebSockets as it may have.",
  own: "The session has as many WebSockets as it may have.",
}

/** Names as RFC 6455 section 11.3 spells them: devices compare them letter by letter, and servers write them in any way. */
const spellings: ReadonlyMap<string, string> = new Map(
  ["Accept", "Extensions", "Protocol", "Version"].map((end) => [
    `sec-websocket-${end.toLowerCase()}`,
    `Sec-WebSocket-${end}`,
  ]),
)

const respelled = (fields: RawFields): RawFields =>
  fields.map((text, index) => (index % 2 === 0 ? (spellings.get(text.toLowerCase()) ?? text) : text))

const headText = (reason: string, fields: RawFields): string => {
  const lines = fieldLines(respelled(interimFields(fields)))
  return `HTTP/1.1 101 ${reason}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${lines}\r\n`
}

const answeredFields = ({ answerChange, rules }: ProxyRequest, head: ResponseHead): RawFields => {
  const { fields } = answerChange?.changed(head) ?? head
  return rules.answerEdits === undefined ? fields : editedFields(fields, rules.answerEdits)
}

const switchedFor = (
  request: ProxyRequest,
  session: LiveSession,
  { early, head, socket }: Switched,
): SwitchedUpgrade => ({
  _tag: "SwitchedUpgrade",
  session,
  requestId: detachedCopy(request.requestId),
  target: detachedCopy(request.target),
  headText: headText(head.reason, answeredFields(request, head)),
  socket,
  early,
  extensions: firstValue(head.fields, "sec-websocket-extensions") !== undefined,
})

/** A WebSocket handshake's whole way: check it, look up, ask the server first, then the client (RFC 6455 section 4). */
export class Upgrader extends Context.Tag("@ss-proxy/Upgrader")<
  Upgrader,
  {
    /** Takes a handshake to what its session's server says to it, once: both agree, or the server answers otherwise. */
    readonly upgrade: (request: ProxyRequest) => Effect.Effect<SwitchedUpgrade | Answer, ForwardError>
  }
>() {
  static readonly layer: Layer.Layer<Upgrader, never, ProxyConfig | SessionDirectory | Downstream | Admission | Slots> =
    Layer.scoped(
      Upgrader,
      Effect.gen(function* () {
        const settings = yield* ProxyConfig
        const { webSockets: slots } = yield* Slots
        const directory = yield* SessionDirectory
        const downstream = yield* Downstream
        const admission = yield* Admission
        const { downloadOf } = yield* makePassage
        const beginAnswers = yield* makeBeginAnswers

        const headFor = (request: ProxyRequest, session: LiveSession, route: SessionRoute) => {
          const { rest, segment, webSocketOnly } = route
          if (!webSocketOnly) return admission.plainHeadFor(request, session, route)
          const wsPath = session.policy.wsPath ?? settings.wsPath
          const target = webSocketTarget(session.target, segment, rest, wsPath)
          return admission.headFor(request, session, route, target, webSocketPrefix(segment, wsPath))
        }

        /** Lets a handshake in to its session. It has its head for the session's server then. */
        const letIn = (
          request: ProxyRequest,
          session: LiveSession,
          route: SessionRoute,
          head: RequestHead,
        ): Either.Either<RequestHead, ForwardError> => {
          const refusal = request.join(session)
          if (refusal !== undefined) return Either.left(refusal)
          const extensions = session.policy.wsExtensions ?? settings.wsExtensions
          return Either.right(upgrading(beginAnswers(request, session, route, head), extensions === "hide"))
        }

        /** The same where there is a place for one more WebSocket. */
        const enter = (
          request: ProxyRequest,
          session: LiveSession,
          route: SessionRoute,
        ): Effect.Effect<RequestHead, ForwardError> => {
          const head = headFor(request, session, route)
          if (Either.isLeft(head)) return head
          if (slots === undefined) return letIn(request, session, route, head.right)
          return Step.andThen(slots.take(session), (taken) => {
            if (typeof taken === "string") return Either.left(new SessionLimit({ detail: limitDetail[taken] }))
            request.hold(taken)
            return letIn(request, session, route, head.right)
          })
        }

        const ask = (
          request: ProxyRequest,
          session: LiveSession,
          head: RequestHead,
        ): Effect.Effect<SwitchedUpgrade | Answer, ForwardError> =>
          Step.andThen(downstream.upgrade(session, head, request), (result): Exit.Exit<SwitchedUpgrade | Answer> => {
            if (result._tag === "Switched") return Exit.succeed(switchedFor(request, session, result))
            const download = downloadOf(session)
            return download === undefined ? Exit.succeed(result) : download(session, result)
          })

        return {
          upgrade: (request) =>
            Step.andThen(admission.admit(request), (route) =>
              Step.andThen(checkHandshake(request, settings.wsStrictKey), () =>
                Step.andThen(timedLookup(request, route, directory.lookup(route.id)), (session) =>
                  Step.andThen(enter(request, session, route), (head) =>
                    Step.andThen(admission.decide(request, session, head), (decided) => ask(request, session, decided)),
                  ),
                ),
              ),
            ),
        }
      }),
    )
}
