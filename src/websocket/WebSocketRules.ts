import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { SessionPolicy } from "../domain/SessionPolicy.js"

/** What a WebSocket is held to, from its beginning to its end. As in `ProxySettings`: a time of 0 is no limit, nor is a size of Infinity. */
export type WebSocketRules = Pick<ProxySettings, "wsPing" | "wsIdleTimeout" | "wsMaxLifetime" | "wsMaxMessage">

/**
 * What a WebSocket that begins now is held to: what the policy of its session says, and the settings where that says
 * nothing. Most sessions say nothing: their WebSockets share the settings, and nothing is made for them.
 */
export const rulesFor = (
  settings: WebSocketRules,
  { wsIdleTimeout, wsMaxMessage, wsPing }: Pick<SessionPolicy, "wsPing" | "wsIdleTimeout" | "wsMaxMessage">,
): WebSocketRules => {
  if (wsPing === null && wsIdleTimeout === null && wsMaxMessage === null) return settings
  return {
    wsPing: wsPing ?? settings.wsPing,
    wsIdleTimeout: wsIdleTimeout ?? settings.wsIdleTimeout,
    wsMaxLifetime: settings.wsMaxLifetime,
    wsMaxMessage: wsMaxMessage === 0 ? Infinity : (wsMaxMessage ?? settings.wsMaxMessage),
  }
}
