import { Context, Effect, Exit, Layer, type Scope } from "effect"
import { ProxyConfig, type ProxySettings, type SettingsError } from "../../src/domain/ProxyConfig.js"
import type { ProxyError } from "../../src/domain/ProxyError.js"
import type { SessionPolicy } from "../../src/domain/SessionPolicy.js"
import {
  type Answer,
  Downstream,
  type RequestBody,
  type RequestHead,
  type UpgradeAnswer,
} from "../../src/downstream/Downstream.js"
import { Admission } from "../../src/http/Admission.js"
import { Forwarder } from "../../src/http/Forwarder.js"
import type { AnswerChange, ProxyRequest } from "../../src/http/ProxyRequest.js"
import { Upgrader } from "../../src/http/Upgrader.js"
import type { LiveSession } from "../../src/sessions/LiveSession.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionDirectory } from "../../src/sessions/SessionDirectory.js"
import { type Counters, Telemetry } from "../../src/telemetry/Telemetry.js"
import { Slots } from "../../src/traffic/Slots.js"
import { Traffic } from "../../src/traffic/Traffic.js"
import { bytes, empty, streamOf } from "../../src/wire/Body.js"
import { firstValue } from "../../src/wire/HeaderFields.js"
import { usualRules } from "../../src/wire/RequestRules.js"
import { requestFraming } from "../../src/wire/RequestFraming.js"
import { Stream } from "effect"

/** A request as a test makes it, without a connection. */
export class TestRequest implements ProxyRequest {
  readonly httpVersion = "1.1"
  readonly requestId = "request-1"
  readonly client = { address: "192.0.2.1", trusted: false, proto: "http" } as const
  readonly joined: Array<string> = []
  readonly interims: Array<number> = []
  sessionId: string | undefined
  rules = usualRules
  byHost = false
  isLate = false
  answerChange: AnswerChange | undefined
  held = 0
  released = 0
  retries = 0
  /** What `join` refuses with. */
  refusal: ProxyError | undefined

  constructor(
    readonly target: string,
    readonly fields: ReadonlyArray<string> = [],
    readonly method = "GET",
    private readonly text = "",
  ) {}

  get framing() {
    return requestFraming(["Host", "proxy.example", ...this.fields], this.httpVersion)
  }

  get content(): Effect.Effect<RequestBody> {
    return Exit.succeed(this.text === "" ? empty : bytes(Buffer.from(this.text)))
  }

  readonly join = ({ id }: LiveSession): ProxyError | undefined => {
    this.joined.push(id)
    return this.refusal
  }

  /** Nobody records anything. */
  readonly traceOf = (): undefined => undefined

  readonly hold = (release: () => void): void => {
    this.held++
    this.release = () => {
      this.released++
      release()
    }
  }

  /** Gives back what it holds. */
  release: () => void = () => {}

  readonly informational = ({ status }: { readonly status: number }): void => void this.interims.push(status)
  readonly repaired = (): void => {}
  readonly retried = (): void => void this.retries++
  readonly asked = (): void => {}
}

/** A WebSocket handshake. */
export const handshake = (target: string, fields: ReadonlyArray<string> = []): TestRequest =>
  new TestRequest(target, [
    "Connection",
    "Upgrade",
    "Upgrade",
    "websocket",
    "Sec-WebSocket-Version",
    "13",
    "Sec-WebSocket-Key",
    "dGhlIHNhbXBsZSBub25jZQ==",
    ...fields,
  ])

/** An answer of a session's server. */
export const answered = (text: string, fields: ReadonlyArray<string> = []): Answer => ({
  _tag: "Answer",
  status: 200,
  reason: "OK",
  fields: ["Content-Length", String(text.length), ...fields],
  body: bytes(Buffer.from(text)),
})

/** The text of an answer, behind its stages. */
export const textOf = ({ body }: Answer): Effect.Effect<string, unknown> =>
  Effect.map(Stream.runCollect(streamOf(body)), (chunks) => Buffer.concat([...chunks]).toString())

/** What a server was asked. */
export interface Asked {
  readonly session: string
  readonly head: RequestHead
  readonly text: string
}

/** The value of a field that a server was sent. */
export const sent = (asked: Asked | undefined, name: string): string | undefined =>
  firstValue(asked?.head.fields ?? [], name)

/** What the way of a request is made of, with a server that a test writes. */
export interface RequestLab {
  readonly forwarder: typeof Forwarder.Service
  readonly upgrader: typeof Upgrader.Service
  readonly traffic: typeof Traffic.Service
  readonly counters: Counters
  /** What servers were asked, in order. */
  readonly asked: ReadonlyArray<Asked>
}

export interface RequestLabOptions {
  readonly answer?: Effect.Effect<Answer, never>
  readonly upgrade?: Effect.Effect<UpgradeAnswer, never>
  readonly settings?: Partial<ProxySettings>
  /** The policy of the session `alice`. */
  readonly policy?: Partial<SessionPolicy>
  /** What is added to the proxy. */
  readonly hooks?: Layer.Layer<never>
}

const sessionsWith = (policy: Partial<SessionPolicy>) => [
  { id: "alice", url: "http://user:secret@server.example:8000/base", status: "active", policy },
  { id: "bob", url: "http://server.example:8000", status: "paused" },
]

/** Builds the way of a request, without a listener and without a socket. */
export const startRequestLab = (
  options: RequestLabOptions = {},
): Effect.Effect<RequestLab, SettingsError, Scope.Scope> =>
  Effect.gen(function* () {
    const asked: Array<Asked> = []
    const note = (session: LiveSession, head: RequestHead, body: RequestBody) =>
      Effect.map(Effect.orDie(Stream.runCollect(streamOf(body))), (chunks) => {
        asked.push({ session: session.id, head, text: Buffer.concat([...chunks]).toString() })
      })
    const layerServer = Layer.succeed(Downstream, {
      request: (session, head, body) =>
        Effect.zipRight(note(session, head, body), options.answer ?? Effect.succeed(answered("hello"))),
      upgrade: (session, head) =>
        Effect.zipRight(note(session, head, empty), options.upgrade ?? Effect.succeed(answered("no WebSocket here"))),
    })
    const services = yield* Layer.build(
      Layer.mergeAll(Forwarder.layer, Upgrader.layer).pipe(
        Layer.provide([Admission.layer, SessionDirectory.layer, layerServer]),
        Layer.provide(Slots.layer),
        Layer.provideMerge(Traffic.layer),
        Layer.provideMerge(Telemetry.layer),
        Layer.provide(options.hooks ?? Layer.empty),
        Layer.provide([ProxyConfig.layer(options.settings), layerMemory(sessionsWith(options.policy ?? {}))]),
      ),
    )
    return {
      forwarder: Context.get(services, Forwarder),
      upgrader: Context.get(services, Upgrader),
      traffic: Context.get(services, Traffic),
      counters: Context.get(services, Telemetry),
      asked,
    }
  })
