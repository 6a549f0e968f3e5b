import { Context, Effect, Layer, Stream } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { LoopDetected, ResponseBroken, SessionLimit, UpgradeRequired } from "../domain/ProxyError.js"
import { Downstream } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { Traffic } from "../traffic/Traffic.js"
import { downstreamTarget } from "../wire/Target.js"
import type { BodyStage } from "./AnswerWriter.js"
import type { Exchange } from "./Exchange.js"
import { Gate, type SessionRoute } from "./Gate.js"

/** Ends a body in which nothing comes for `milliseconds`. */
const idleLimit =
  (milliseconds: number): BodyStage =>
  (body) =>
    Stream.timeoutFail(
      body,
      () => new ResponseBroken({ address: "", problem: `idle for ${milliseconds} ms` }),
      milliseconds,
    )

/** What a plain request on the WebSocket route is told. */
const notPlain = "This path is for WebSocket connections. Plain requests go to /{session_id}/ without /ws before it."

/** A plain request's whole way: parse the target, look up, guard, dispatch, answer. */
export class Forwarder extends Context.Tag("@ss-proxy/Forwarder")<
  Forwarder,
  {
    /** Takes an exchange from here to its answer. */
    readonly forward: (exchange: Exchange) => void
  }
>() {
  static readonly layer: Layer.Layer<Forwarder, never, ProxyConfig | SessionDirectory | Downstream | Gate | Traffic> =
    Layer.effect(
      Forwarder,
      Effect.gen(function* () {
        const settings = yield* ProxyConfig
        const directory = yield* SessionDirectory
        const downstream = yield* Downstream
        const gate = yield* Gate
        const traffic = yield* Traffic
        const mostRequests = settings.maxRequestsPerSession
        const stage = settings.idleTimeout === 0 ? undefined : idleLimit(settings.idleTimeout)

        const dispatch = (exchange: Exchange, session: LiveSession, route: SessionRoute): void => {
          const fields = gate.fieldsFor(exchange, session, route, route.segment)
          if (fields === undefined) return exchange.fail(new LoopDetected({ sessionId: session.id }))
          if (mostRequests < Infinity && traffic.requestsOf(session) >= mostRequests)
            return exchange.fail(new SessionLimit({ detail: "The session has as many requests as it may have." }))
          const head = { method: exchange.method, target: downstreamTarget(session.target, route.rest), fields }
          if (!exchange.enter(session)) return
          exchange.withBody((body) => exchange.dispatch(downstream.request(session, head, body), stage))
        }

        const forward = (exchange: Exchange): void =>
          gate.enter(exchange, (route) => {
            if (route.webSocketOnly) return exchange.fail(new UpgradeRequired({ detail: notPlain }))
            exchange.proceed(directory.lookup(route.id), (session) => dispatch(exchange, session, route))
          })

        return { forward }
      }),
    )
}
