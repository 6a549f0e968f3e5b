import { adminSettings } from "./AdminSettings.js"
import { clientSettings } from "./ClientSettings.js"
import { forwardingSettings } from "./ForwardingSettings.js"
import { listeningSettings } from "./ListeningSettings.js"
import { runningSettings } from "./RunningSettings.js"
import { serverSettings } from "./ServerSettings.js"
import { sessionSettings } from "./SessionSettings.js"
import type { Setting } from "./Setting.js"
import { webSocketSettings } from "./WebSocketSettings.js"

/**
 * Every setting of the proxy, once, in the order of the help: each group is a file beside this. Times are milliseconds, sizes
 * bytes. A new one needs a row in its group, the place where it is used, and a test; `node scripts/docs.mjs` brings the documents
 * and the help up to date.
 */
export const settings = {
  ...listeningSettings,
  ...sessionSettings,
  ...forwardingSettings,
  ...clientSettings,
  ...serverSettings,
  ...webSocketSettings,
  ...adminSettings,
  ...runningSettings,
}

/** The values of a row. */
type ValueOf<Row> = Row extends Setting<infer A> ? A : never

/** The value of every setting of the proxy; `settings` has what there is to know of each. Times are milliseconds, sizes bytes. */
export type ProxySettings = { readonly [Name in keyof typeof settings]: ValueOf<(typeof settings)[Name]> }

/** How `/ws/{session_id}/{rest}` becomes a path at the session's server: `/{session_id}/{rest}`, all of it, or `/{rest}`. */
export type WsPath = ProxySettings["wsPath"]

/** Whether servers get the session's id in the path of what is no WebSocket below `/ws`. */
export type PathRule = ProxySettings["path"]

/** How ids of sessions are compared: letter by letter, or without regard to the case of ASCII letters. */
export type IdCase = ProxySettings["idCase"]

/** The same table for those who go through all of it. */
export const settingRows: Readonly<Record<string, Setting<unknown>>> = settings
