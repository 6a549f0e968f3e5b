import { Layer } from "effect"
import type { ProxyConfig } from "../domain/ProxyConfig.js"
import { layerConnections } from "../downstream/ConnectionDownstream.js"
import type { Downstream } from "../downstream/Downstream.js"
import { layerHealthChecks } from "../downstream/HealthChecks.js"
import { OwnListeners } from "../downstream/OwnListeners.js"
import { Forwarder } from "../http/Forwarder.js"
import { Admission } from "../http/Admission.js"
import { Upgrader } from "../http/Upgrader.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import type { SessionRepo } from "../sessions/SessionRepo.js"
import { ErrorRing } from "../telemetry/ErrorRing.js"
import { Activity } from "../traffic/Activity.js"
import { layerActivityKeeper } from "../traffic/ActivityKeeper.js"
import { Taps } from "../telemetry/RecordTaps.js"
import { Telemetry } from "../telemetry/Telemetry.js"
import { Slots } from "../traffic/Slots.js"
import { Traffic } from "../traffic/Traffic.js"
import { WsBridge } from "../websocket/WsBridge.js"
import { layerAccessLog } from "./AccessLog.js"
import { layerProxyNumbers } from "./ProxyNumbers.js"
import type { ListenError } from "./Listening.js"
import { ProxyServer } from "./ProxyServer.js"

/** What a proxy is made of that others may look at: what is under way, what it knows and counts, and where it listens. */
export type ProxyParts =
  | ProxyServer
  | Traffic
  | Slots
  | SessionDirectory
  | Telemetry
  | ErrorRing
  | OwnListeners
  | Activity

/**
 * The proxy on a `Downstream` of the caller's choice. `Traffic`, `Telemetry` and `Activity` are there for whoever wants to look.
 * Where an `ActivityStore` is provided, too, when sessions were last active is kept in it.
 */
export const layerProxyWith = <E>(
  downstream: Layer.Layer<Downstream, E, ProxyConfig>,
): Layer.Layer<ProxyParts, ListenError | E, ProxyConfig | SessionRepo> =>
  Layer.mergeAll(ProxyServer.layer, Activity.layer, layerHealthChecks).pipe(
    Layer.provide([Forwarder.layer, Upgrader.layer, WsBridge.layer]),
    Layer.provide([Admission.layer, downstream, layerAccessLog]),
    Layer.merge(layerProxyNumbers),
    Layer.provideMerge(SessionDirectory.layer),
    Layer.provideMerge(Slots.layer),
    Layer.provideMerge(Layer.provideMerge(layerActivityKeeper, Traffic.layer)),
    Layer.provideMerge(Layer.mergeAll(OwnListeners.layer, Telemetry.layer, Taps.layer, ErrorRing.layer)),
  )

/**
 * The whole proxy: it needs settings and a session store, nothing else. It serves while the Layer is up, and what is open is cut
 * when that is released: run the `drain` of `ProxyServer` before.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { layerMemory, layerProxy, ProxyConfig, ProxyServer } from "ss-proxy"
 *
 * const proxy = layerProxy.pipe(
 *   Layer.provide(layerMemory([{ id: "alice", url: "http://127.0.0.1:9000", status: "active" }])),
 *   Layer.provide(ProxyConfig.layer({ host: "127.0.0.1", port: 0 })),
 * )
 * const program = Effect.gen(function* () {
 *   const { address } = yield* ProxyServer
 *   const health = yield* Effect.promise(() => fetch(`http://127.0.0.1:${address.port}/health`))
 *   console.log(health.status)
 * })
 * await Effect.runPromise(Effect.provide(program, proxy))
 * // prints: 200
 * ```
 */
export const layerProxy: Layer.Layer<ProxyParts, ListenError, ProxyConfig | SessionRepo> =
  layerProxyWith(layerConnections)
