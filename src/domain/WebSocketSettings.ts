import * as Reading from "./Reading.js"
import { largest, most, setting } from "./Setting.js"

/** How `/ws/{session_id}/{rest}` becomes a path at the session's server. */
export const wsPathRule = Reading.oneOf("RULE", ["append", "full", "strip"])

/** What WebSockets are held to. */
export const webSocketSettings = {
  wsPath: setting({
    reading: wsPathRule,
    fallback: "append",
    flag: { name: "ws-path" },
    group: "WebSockets",
    help: "What /ws/ID/REST becomes at the session's server: append /ID/REST, full /ws/ID/REST, strip /REST.",
    guide:
      "What the path of a WebSocket under `/ws/` becomes: `append`, `full` or `strip` ([table](ROUTING.md#--ws-path)).",
  }),
  wsExtensions: setting({
    reading: Reading.oneOf("RULE", ["relay", "hide"]),
    fallback: "relay",
    flag: { name: "ws-extensions" },
    group: "WebSockets",
    help: "hide: servers do not see which extensions a client offers, so that nothing is compressed.",
    guide:
      "`hide`: servers do not see which extensions a client offers, so that nothing is compressed, for [devices that cannot inflate](ROUTING.md#compression). `relay`: the two agree among themselves.",
  }),
  wsStrictKey: setting({
    reading: Reading.onOrOff,
    fallback: false,
    flag: { name: "ws-strict-key" },
    group: "WebSockets",
    help: "Refuses a WebSocket handshake whose key is not 16 bytes in base64. Without it, that is left to the server.",
    guide:
      "Refuses a WebSocket handshake whose key is not 16 bytes in base64: `400`. Without it, that is [left to the server](ROUTING.md#handshakes-of-devices).",
  }),
  wsPing: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "ws-ping" },
    group: "WebSockets",
    help: "Drops a side of a WebSocket that is silent for this long; it gets a ping after half of it. 0: off.",
    guide:
      "Drops a side of a WebSocket that is silent for this long ([how](ROUTING.md#a-side-that-vanished)); it gets a ping after half of it. `0`: off.",
  }),
  wsMaxMessage: largest({
    flag: { name: "ws-max-message" },
    group: "WebSockets",
    help: "Largest WebSocket message, as it is on the wire. 0: no limit.",
    guide:
      "Largest WebSocket message, as it is on the wire; a larger one closes the WebSocket with 1009. `0`: no limit.",
  }),
  wsIdleTimeout: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "ws-idle-timeout" },
    group: "WebSockets",
    help: "Closes a WebSocket if only pings and pongs passed for this long. 0: no limit.",
    guide: "Closes a WebSocket with 1001 if only pings and pongs passed for this long. `0`: no limit.",
  }),
  wsMaxLifetime: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "ws-max-lifetime" },
    group: "WebSockets",
    help: "Closes a WebSocket that is this old. 0: no limit.",
    guide: "Closes a WebSocket with 1001 when it is this old. `0`: no limit.",
  }),
  maxWebSockets: most({
    flag: { name: "max-websockets" },
    group: "WebSockets",
    help: "Most WebSockets at a time; one more gets 429. 0: no limit.",
    guide: "Most WebSockets at a time, handshakes included; one more gets `429`. `0`: no limit.",
  }),
  maxWebSocketsPerSession: most({
    flag: { name: "max-websockets-per-session" },
    group: "WebSockets",
    help: "The same for each session.",
  }),
}
