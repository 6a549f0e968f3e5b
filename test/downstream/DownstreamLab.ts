import { Context, Effect, Either, Layer, type Scope, Stream } from "effect"
import { ProxyConfig, type ProxySettings, type SettingsError } from "../../src/domain/ProxyConfig.js"
import type { RequestBroken, ResponseBroken } from "../../src/domain/ProxyError.js"
import { defaultPolicy, type SessionPolicy } from "../../src/domain/SessionPolicy.js"
import {
  type Answer,
  Downstream,
  type RequestBody,
  type RequestError,
  type ResponseHead,
} from "../../src/downstream/Downstream.js"
import { LiveSession, type SessionWatcher } from "../../src/sessions/LiveSession.js"
import { Call, type Fork } from "../../src/step/Call.js"
import { empty, moving, streamOf } from "../../src/wire/Body.js"
import { type ChunkProducer, ChunkSource } from "../../src/wire/ChunkSource.js"
import { parseDownstreamUrl } from "../../src/wire/DownstreamUrl.js"
import { Changes, type NotSeen } from "../support/Changes.js"
import { RawOrigin, type Script } from "../support/RawOrigin.js"
import { type Counters, Telemetry } from "../../src/telemetry/Telemetry.js"

/** A `Downstream` as a Layer, with a name for the tests. */
export type DownstreamLayer = Layer.Layer<Downstream, never, ProxyConfig>

/** How a call is brought to its answer. */
export type Way = (call: Effect.Effect<Answer, RequestError>) => Effect.Effect<Answer, RequestError>

/** As everybody does who is in a fiber. */
export const asEffect: Way = (call) => call

const unused: Fork = () => {
  throw new Error("a request without stages needs no fiber")
}

/** As the server does, by callback. */
export const asListener: Way = (call) =>
  call instanceof Call
    ? Effect.async((resume) => {
        call.start({ settled: resume }, unused)
        return Effect.sync(() => call.cancel())
      })
    : Effect.dieMessage("a request of this layer cannot be driven by callback")

/** A session of its own lifetime, at this URL. */
export const sessionAt = (url: string, id = "app", watcher?: SessionWatcher, policy?: SessionPolicy): LiveSession =>
  new LiveSession(id, Either.getOrThrow(parseDownstreamUrl(url)), watcher, policy)

/** The same, of which the server's certificate is not verified. */
export const insecureSessionAt = (url: string): LiveSession =>
  sessionAt(url, "app", undefined, { ...defaultPolicy, insecure: true })

/** What a request is made of, beside its session. */
export interface Ask {
  readonly method?: string
  readonly target?: string
  readonly fields?: ReadonlyArray<string>
  readonly body?: RequestBody
  /** Hears of interim responses. */
  readonly informational?: (head: ResponseHead) => void
  /** Hears of repairs. */
  readonly repaired?: (repair: string) => void
}

/** An origin, and a session's way to it. */
export interface DownstreamLab {
  readonly origin: RawOrigin
  readonly session: LiveSession
  readonly downstream: typeof Downstream.Service
  readonly counters: Counters
  /** A request to `session`, not yet sent. */
  readonly call: (ask?: Ask, session?: LiveSession) => Effect.Effect<Answer, RequestError>
}

const layerWith = (layer: DownstreamLayer, settings: Partial<ProxySettings>) =>
  layer.pipe(Layer.provide(ProxyConfig.layer(settings)), Layer.provideMerge(Telemetry.layer))

/** A request at a layer. */
export const callAt =
  (downstream: typeof Downstream.Service) =>
  (ask: Ask, session: LiveSession): Effect.Effect<Answer, RequestError> => {
    const fields = ["Host", session.target.authority, ...(ask.fields ?? [])]
    const head = { method: ask.method ?? "GET", target: ask.target ?? "/x", fields }
    const { informational = () => {}, repaired = () => {} } = ask
    const observer = { informational, repaired, retried: () => {}, asked: () => {} }
    return downstream.request(session, head, ask.body ?? empty, observer)
  }

/** A layer with these settings, until the scope closes. */
export const startDownstream = (
  layer: DownstreamLayer,
  settings: Partial<ProxySettings> = {},
): Effect.Effect<typeof Downstream.Service, SettingsError, Scope.Scope> =>
  Effect.map(Layer.build(layerWith(layer, settings)), (services) => Context.get(services, Downstream))

/** Starts an origin, and a layer that is gone before the origin checks that nothing was left open. */
export const startDownstreamLab = (
  layer: DownstreamLayer,
  script: Script,
  settings: Partial<ProxySettings> = {},
): Effect.Effect<DownstreamLab, SettingsError, Scope.Scope> =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(script)
    const services = yield* Layer.build(layerWith(layer, settings))
    const downstream = Context.get(services, Downstream)
    const session = sessionAt(origin.url)
    const call = callAt(downstream)
    return {
      origin,
      session,
      downstream,
      counters: Context.get(services, Telemetry),
      call: (ask = {}, other = session) => call(ask, other),
    }
  })

/** The body of an answer as latin1, once it is complete. */
export const textOf = ({ body }: Answer): Effect.Effect<string, ResponseBroken> =>
  Effect.map(Stream.runCollect(streamOf(body)), (chunks) => Buffer.concat([...chunks]).toString("latin1"))

/** Trailers of an answer whose body has been read. */
export const trailersOf = ({ body }: Answer): ReadonlyArray<string> => {
  if (body._tag === "Empty") return []
  return body._tag === "Bytes" ? body.trailers : body.source.trailers
}

/** A body that a test sends, and can see asked for or refused. */
export class TestUpload implements ChunkProducer {
  readonly source = new ChunkSource<RequestBroken>(this)
  private readonly changes = new Changes()
  paused = false
  cancelled = false

  readonly pause = (): void => {
    this.paused = true
    this.changes.announce()
  }

  readonly resume = (): void => {
    this.paused = false
    this.changes.announce()
  }

  readonly cancel = (): void => {
    this.cancelled = true
    this.changes.announce()
  }

  /** As the body of a request. */
  body(chunked = true): RequestBody {
    return moving(this.source, chunked)
  }

  /** Sends a piece. */
  push(text: string): void {
    this.source.push(Buffer.from(text, "latin1"))
  }

  /** Waits until nobody wants the rest. */
  get refused(): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      "the body to be refused",
      () => this.cancelled,
      () => (this.paused ? "paused" : "wanted"),
    )
  }
}
