import { Layer } from "effect"
import type { ProxyConfig } from "../domain/ProxyConfig.js"
import { layerConnections } from "../downstream/ConnectionDownstream.js"
import type { Downstream } from "../downstream/Downstream.js"
import { OwnListeners } from "../downstream/OwnListeners.js"
import { Forwarder } from "../http/Forwarder.js"
import { Admission } from "../http/Admission.js"
import { Upgrader } from "../http/Upgrader.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import type { SessionRepo } from "../sessions/SessionRepo.js"
import { ErrorRing } from "../telemetry/ErrorRing.js"
import { Traffic } from "../traffic/Traffic.js"
import { WsBridge } from "../websocket/WsBridge.js"
import { type ListenError, ProxyServer } from "./ProxyServer.js"

/** The proxy on a `Downstream` of the caller's choice. `Traffic` and `ErrorRing` are there for whoever wants to look. */
export const layerProxyWith = <E>(
  downstream: Layer.Layer<Downstream, E, ProxyConfig>,
): Layer.Layer<ProxyServer | Traffic | ErrorRing, ListenError | E, ProxyConfig | SessionRepo> =>
  ProxyServer.layer.pipe(
    Layer.provide([Forwarder.layer, Upgrader.layer, WsBridge.layer]),
    Layer.provide([Admission.layer, SessionDirectory.layer, downstream]),
    Layer.provide(OwnListeners.layer),
    Layer.provideMerge(Layer.merge(Traffic.layer, ErrorRing.layer)),
  )

/** The whole proxy: it needs settings and a session store, nothing else. */
export const layerProxy: Layer.Layer<ProxyServer | Traffic | ErrorRing, ListenError, ProxyConfig | SessionRepo> =
  layerProxyWith(layerConnections)
