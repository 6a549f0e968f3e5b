import { Context, Layer } from "effect"

/** How `/ws/{session_id}/{rest}` becomes a path at the session's server. */
export type WsPath =
  /** `{downstream}/{session_id}/{rest}` */
  | "append"
  /** `{downstream}/ws/{session_id}/{rest}` */
  | "full"
  /** `{downstream}/{rest}` */
  | "strip"

/** Every one of them. */
export const wsPaths = ["append", "full", "strip"] as const satisfies ReadonlyArray<WsPath>

/** Every setting of the data plane, once. Times are milliseconds, sizes bytes; 0 switches a limit of time off. */
export interface ProxySettings {
  /** Address to listen on. */
  readonly host: string
  /** Port to listen on; 0 lets the kernel choose. */
  readonly port: number
  /** For a TCP and TLS connection to a session's server. */
  readonly connectTimeout: number
  /** For the head of the response, counted from the last byte of the request. */
  readonly timeout: number
  /** Without a byte of the response's body. */
  readonly idleTimeout: number
  /** For what is in flight when the proxy is told to stop. */
  readonly grace: number
  readonly wsPath: WsPath
  /** CIDR blocks (or single addresses) whose `X-Forwarded-*` fields are believed. */
  readonly trustedProxies: ReadonlyArray<string>
  /**
   * CIDR blocks (or single addresses) that the servers of sessions may not have for an address, and those that they may
   * although a larger block is denied; the smaller block decides. Link-local, multicast, unspecified and cloud metadata
   * addresses are denied unless they are allowed.
   */
  readonly denyDownstream: ReadonlyArray<string>
  readonly allowDownstream: ReadonlyArray<string>
  /** Certificates (PEM) of authorities that servers of sessions are trusted by, beside those that Node brings; or "". */
  readonly downstreamCa: string
  /** The certificate (PEM), with those that lead to its authority behind it, that such servers are shown; or "". */
  readonly downstreamCert: string
  /** The private key (PEM) of that certificate; or "". */
  readonly downstreamKey: string
  /** How long an idle connection of a client is kept; 0 for as long as the client likes. */
  readonly keepAliveTimeout: number
  /** For the head of a request (slowloris). */
  readonly headTimeout: number
  /** Without a byte of a request's body, while the proxy waits for one. */
  readonly bodyTimeout: number
  /** In which a client must take a byte of what is sent to it; 0 for as long as it likes. */
  readonly sendTimeout: number
  /** The header block of a request, target included. At least 1. */
  readonly maxHeaderBytes: number
  /** The target of a request; 0 for as much as fits into the header block. */
  readonly maxTargetBytes: number
  /** The content of a request, without its framing; 0 for any. */
  readonly maxBodyBytes: number
  /** The content of a request must come at this many bytes a second, while the proxy waits for it; 0 for any pace. */
  readonly minRate: number
  /** Over how long `minRate` is averaged. */
  readonly minRateTime: number
  /** Connections of clients at a time, WebSockets included; 0 for any number. */
  readonly maxConnections: number
  /** The same for each address that is not among `trustedProxies`. */
  readonly maxConnectionsPerClient: number
  /** Requests on one connection of a client, which is closed behind the last; 0 for any number. */
  readonly maxRequestsPerConnection: number
  /** Requests of one session at a time; 0 for any number. */
  readonly maxRequestsPerSession: number
  /**
   * How long an idle connection to a session's server is kept, unless the server asks for less. Many servers close theirs
   * after 5 s without saying so.
   */
  readonly poolIdleTimeout: number
  /** Idle connections kept for one session. */
  readonly poolIdleConnections: number
  /**
   * Connections to the servers of sessions at a time, those of WebSockets included, idle ones too as long as nobody waits
   * for one; 0 for any number.
   */
  readonly maxDownstreamConnections: number
  /** The same for each session. */
  readonly maxDownstreamConnectionsPerSession: number
  /** For one of these, where there are as many as there may be; 0 for as long as the client likes. */
  readonly queueTimeout: number
  /** A line in the log for every request. */
  readonly accessLog: boolean
  /**
   * A side of a WebSocket that is silent for this long is gone; it is pinged after half of it. Noticed at the next round:
   * there are eight or more in this time, and one a second at least.
   */
  readonly wsPing: number
  /** Payload bytes of one WebSocket message, as they are on the wire; 0 for any number. */
  readonly wsMaxMessage: number
  /** A WebSocket on which nothing but pings and pongs passed for this long is closed. */
  readonly wsIdleTimeout: number
  /** A WebSocket is closed when it is this old. */
  readonly wsMaxLifetime: number
  /** WebSockets at a time, handshakes included; 0 for any number. */
  readonly maxWebSockets: number
  /** The same for each session. */
  readonly maxWebSocketsPerSession: number
}

export const defaultSettings: ProxySettings = {
  host: "0.0.0.0",
  port: 8080,
  connectTimeout: 10_000,
  timeout: 30_000,
  idleTimeout: 0,
  grace: 30_000,
  wsPath: "append",
  trustedProxies: [],
  denyDownstream: [],
  allowDownstream: [],
  downstreamCa: "",
  downstreamCert: "",
  downstreamKey: "",
  keepAliveTimeout: 75_000,
  headTimeout: 30_000,
  bodyTimeout: 60_000,
  sendTimeout: 60_000,
  maxHeaderBytes: 32_768,
  maxTargetBytes: 0,
  maxBodyBytes: 0,
  minRate: 0,
  minRateTime: 5_000,
  maxConnections: 0,
  maxConnectionsPerClient: 0,
  maxRequestsPerConnection: 0,
  maxRequestsPerSession: 0,
  poolIdleTimeout: 4_000,
  poolIdleConnections: 256,
  maxDownstreamConnections: 0,
  maxDownstreamConnectionsPerSession: 0,
  queueTimeout: 10_000,
  accessLog: false,
  wsPing: 0,
  wsMaxMessage: 0,
  wsIdleTimeout: 0,
  wsMaxLifetime: 0,
  maxWebSockets: 0,
  maxWebSocketsPerSession: 0,
}

/** The settings in force. */
export class ProxyConfig extends Context.Tag("@ss-proxy/ProxyConfig")<ProxyConfig, ProxySettings>() {
  /** The defaults, with what is given in their place. */
  static readonly layer = (settings: Partial<ProxySettings> = {}): Layer.Layer<ProxyConfig> =>
    Layer.succeed(ProxyConfig, { ...defaultSettings, ...settings })
}
