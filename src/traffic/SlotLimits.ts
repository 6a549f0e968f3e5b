import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { PlaceLimits } from "./PlaceCount.js"

/** Of what there may be only so many in the whole program, however many processes it has. */
export type SlotKind = "connections" | "webSockets" | "requests"

/** How many there may be of each kind. `own`: for each client, or each session. */
export const limitsOf = (settings: ProxySettings): { readonly [Kind in SlotKind]: PlaceLimits } => ({
  connections: { all: settings.maxConnections, own: settings.maxConnectionsPerClient, toldFirst: "all" },
  webSockets: { all: settings.maxWebSockets, own: settings.maxWebSocketsPerSession, toldFirst: "own" },
  requests: { all: Infinity, own: settings.maxRequestsPerSession, toldFirst: "own" },
})

/** Whether there is any limit of a kind. */
export const isLimited = ({ all, own }: PlaceLimits): boolean => Math.min(all, own) < Infinity
