import { Context, Effect, Either, Layer, type Scope } from "effect"
import { ProxyConfig, type ProxySettings, type SettingsError } from "../../src/domain/ProxyConfig.js"
import type { RequestBroken, ResponseBroken } from "../../src/domain/ProxyError.js"
import { defaultPolicy, type SessionPolicy } from "../../src/domain/SessionPolicy.js"
import {
  type Answer,
  Downstream,
  DownstreamCall,
  emptyBody,
  type RequestBody,
  type RequestError,
  type ResponseHead,
} from "../../src/downstream/Downstream.js"
import { LiveSession, type SessionWatcher } from "../../src/sessions/LiveSession.js"
import { type ChunkProducer, ChunkSource } from "../../src/wire/ChunkSource.js"
import { parseDownstreamUrl } from "../../src/wire/DownstreamUrl.js"
import { Changes, type NotSeen } from "../support/Changes.js"
import { RawOrigin, type Script } from "../support/RawOrigin.js"

/** A `Downstream` as a Layer, with a name for the tests. */
export type DownstreamLayer = Layer.Layer<Downstream, never, ProxyConfig>

/** How a call is brought to its answer. `informational` hears of interim responses where the way tells of them. */
export type Way = (
  call: Effect.Effect<Answer, RequestError>,
  informational?: (head: ResponseHead) => void,
) => Effect.Effect<Answer, RequestError>

/** As everybody does who is in a fiber. */
export const asEffect: Way = (call) => call

/** As the server does, by callback. */
export const asListener: Way = (call, informational = () => {}) =>
  call instanceof DownstreamCall
    ? Effect.async((resume) => {
        call.start({
          informational,
          answer: (answer) => resume(Effect.succeed(answer)),
          fail: (error) => resume(Effect.fail(error)),
        })
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
}

/** An origin, and a session's way to it. */
export interface DownstreamLab {
  readonly origin: RawOrigin
  readonly session: LiveSession
  readonly downstream: typeof Downstream.Service
  /** A request to `session`, not yet sent. */
  readonly call: (ask?: Ask, session?: LiveSession) => Effect.Effect<Answer, RequestError>
}

const layerWith = (layer: DownstreamLayer, settings: Partial<ProxySettings>) =>
  Layer.provide(layer, ProxyConfig.layer(settings))

/** A request at a layer. */
export const callAt =
  (downstream: typeof Downstream.Service) =>
  (ask: Ask, session: LiveSession): Effect.Effect<Answer, RequestError> => {
    const fields = ["Host", session.target.authority, ...(ask.fields ?? [])]
    const head = { method: ask.method ?? "GET", target: ask.target ?? "/x", fields }
    return downstream.request(session, head, ask.body ?? emptyBody)
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
    const downstream = yield* startDownstream(layer, settings)
    const session = sessionAt(origin.url)
    const call = callAt(downstream)
    return { origin, session, downstream, call: (ask = {}, other = session) => call(ask, other) }
  })

/** The body of an answer as latin1, once it is complete. */
export const textOf = ({ body }: Answer): Effect.Effect<string, ResponseBroken> =>
  body._tag === "Whole"
    ? Effect.succeed(Buffer.from(body.bytes ?? []).toString("latin1"))
    : Effect.map(collect(body.source), (chunks) => Buffer.concat(chunks).toString("latin1"))

const collect = (source: ChunkSource<ResponseBroken>): Effect.Effect<Array<Uint8Array>, ResponseBroken> =>
  Effect.async((resume) => {
    const chunks: Array<Uint8Array> = []
    source.consume({
      chunk: (chunk) => {
        chunks.push(chunk)
        return "kept"
      },
      end: () => resume(Effect.succeed(chunks)),
      fail: (error) => resume(Effect.fail(error)),
    })
    return Effect.sync(() => source.cancel())
  })

/** Trailers of an answer whose body has been read. */
export const trailersOf = ({ body }: Answer): ReadonlyArray<string> =>
  body._tag === "Whole" ? body.trailers : body.source.trailers

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
    return { _tag: "Moving", source: this.source, chunked }
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
