import * as Options from "@effect/cli/Options"
import type { Option } from "effect"
import { wsPaths } from "../domain/ProxyConfig.js"

/** A flag of the command line, once: what parses it, and what the help says of it. */
export interface Flag {
  /** Long name, without the dashes. */
  readonly name: string
  /** Short name: one letter. */
  readonly alias?: string
  /** What stands for the value in the help. A flag without one is a switch: `--name` means `--name=true`. */
  readonly value?: string
  /** Every value it can have, where they are few. */
  readonly choices?: ReadonlyArray<string>
  /** The variable that is read when the flag is not given. */
  readonly env?: string
  readonly about: string
  /** The default, as the help shows it. */
  readonly fallback?: string
}

/** Whether the flag stands alone and takes no word after it. */
export const isSwitch = (flag: Flag): boolean => flag.value === undefined

/**
 * The flag for @effect/cli: its raw text, if given. What the text means is decided in `Setting.ts`, which also knows of
 * variables and defaults, and can name both in what it says about a bad value.
 */
export const option = (flag: Flag): Options.Options<Option.Option<string>> => {
  const text = Options.text(flag.name).pipe(Options.withDescription(flag.about))
  return Options.optional(flag.alias === undefined ? text : Options.withAlias(text, flag.alias))
}

/** What `--log-level` can be, from all to nothing. */
export const logThresholds = ["trace", "debug", "info", "warn", "error", "off"] as const

export const host: Flag = {
  name: "host",
  alias: "H",
  value: "ADDRESS",
  env: "SS_PROXY_HOST",
  about: "Address to listen on.",
  fallback: "0.0.0.0",
}

export const port: Flag = {
  name: "port",
  alias: "p",
  value: "PORT",
  env: "SS_PROXY_PORT",
  about: "Port to listen on; 0 takes a free one.",
  fallback: "8080",
}

export const dbPath: Flag = {
  name: "db-path",
  alias: "d",
  value: "PATH",
  env: "SS_PROXY_DB_PATH",
  about: "SQLite database of sessions; made on first use.",
  fallback: "./sessions.db",
}

export const db: Flag = {
  name: "db",
  value: "URL",
  env: "SS_PROXY_DB",
  about: "The same as a URL: sqlite:PATH.",
}

export const timeout: Flag = {
  name: "timeout",
  alias: "t",
  value: "SECONDS",
  env: "SS_PROXY_TIMEOUT",
  about: "Longest wait for the head of a response, counted from the end of the request. Never cuts a stream.",
  fallback: "30",
}

export const connectTimeout: Flag = {
  name: "connect-timeout",
  value: "SECONDS",
  env: "SS_PROXY_CONNECT_TIMEOUT",
  about: "Longest wait for a connection to a session's server.",
  fallback: "10",
}

export const idleTimeout: Flag = {
  name: "idle-timeout",
  value: "SECONDS",
  env: "SS_PROXY_IDLE_TIMEOUT",
  about: "Cuts a response that sends nothing for this long; 0 never does.",
  fallback: "0",
}

export const grace: Flag = {
  name: "grace",
  value: "SECONDS",
  env: "SS_PROXY_GRACE",
  about: "On SIGTERM or SIGINT, how long what is in flight may take to finish.",
  fallback: "30",
}

export const keepAliveTimeout: Flag = {
  name: "keep-alive-timeout",
  value: "SECONDS",
  env: "SS_PROXY_KEEP_ALIVE_TIMEOUT",
  about: "How long an idle connection of a client is kept; 0 for as long as the client likes.",
  fallback: "75",
}

export const headTimeout: Flag = {
  name: "head-timeout",
  value: "SECONDS",
  env: "SS_PROXY_HEAD_TIMEOUT",
  about: "Longest wait for the head of a request: 408; 0 for any.",
  fallback: "30",
}

export const bodyTimeout: Flag = {
  name: "body-timeout",
  value: "SECONDS",
  env: "SS_PROXY_BODY_TIMEOUT",
  about: "Longest wait for the next byte of a request's body: 408; 0 for any.",
  fallback: "60",
}

export const sendTimeout: Flag = {
  name: "send-timeout",
  value: "SECONDS",
  env: "SS_PROXY_SEND_TIMEOUT",
  about: "Cuts a client that takes no byte of what is sent to it for this long; 0 never does.",
  fallback: "60",
}

export const minRate: Flag = {
  name: "min-rate",
  value: "BYTES",
  env: "SS_PROXY_MIN_RATE",
  about: "A request's body must come at this many bytes a second, over 5 seconds: 408; 0 for any pace.",
  fallback: "0",
}

export const maxHeaderSize: Flag = {
  name: "max-header-size",
  value: "BYTES",
  env: "SS_PROXY_MAX_HEADER_SIZE",
  about: "Largest head of a request, target included, such as 32768 or 32k: 431.",
  fallback: "32k",
}

export const maxTargetLength: Flag = {
  name: "max-target-length",
  value: "BYTES",
  env: "SS_PROXY_MAX_TARGET_LENGTH",
  about: "Longest target of a request: 414; 0 for as long as the head may be.",
  fallback: "0",
}

export const maxBody: Flag = {
  name: "max-body",
  value: "BYTES",
  env: "SS_PROXY_MAX_BODY",
  about: "Largest body of a request, such as 10m: 413; 0 for any.",
  fallback: "0",
}

export const maxConnections: Flag = {
  name: "max-connections",
  value: "COUNT",
  env: "SS_PROXY_MAX_CONNECTIONS",
  about: "Connections of clients at a time; one more is answered 503. 0 for any number.",
  fallback: "0",
}

export const maxConnectionsPerClient: Flag = {
  name: "max-connections-per-client",
  value: "COUNT",
  env: "SS_PROXY_MAX_CONNECTIONS_PER_CLIENT",
  about: "The same for each address, but for trusted proxies: 429.",
  fallback: "0",
}

export const maxRequestsPerConnection: Flag = {
  name: "max-requests-per-connection",
  value: "COUNT",
  env: "SS_PROXY_MAX_REQUESTS_PER_CONNECTION",
  about: "Requests on one connection, which closes behind the last; 0 for any number.",
  fallback: "0",
}

export const maxRequestsPerSession: Flag = {
  name: "max-requests-per-session",
  value: "COUNT",
  env: "SS_PROXY_MAX_REQUESTS_PER_SESSION",
  about: "Requests of one session at a time; one more is answered 429. 0 for any number.",
  fallback: "0",
}

export const wsPath: Flag = {
  name: "ws-path",
  value: "RULE",
  choices: wsPaths,
  env: "SS_PROXY_WS_PATH",
  about: "What /ws/ID/REST becomes at the session's server: append /ID/REST, full /ws/ID/REST, strip /REST.",
  fallback: "append",
}

export const wsPing: Flag = {
  name: "ws-ping",
  value: "SECONDS",
  env: "SS_PROXY_WS_PING",
  about: "Drops a side of a WebSocket that is silent for this long; it is pinged after half of it. 0 never does.",
  fallback: "0",
}

export const wsMaxMessage: Flag = {
  name: "ws-max-message",
  value: "BYTES",
  env: "SS_PROXY_WS_MAX_MESSAGE",
  about: "Largest WebSocket message, as it is on the wire, such as 1048576, 512k or 16m; 0 for any.",
  fallback: "0",
}

export const wsIdleTimeout: Flag = {
  name: "ws-idle-timeout",
  value: "SECONDS",
  env: "SS_PROXY_WS_IDLE_TIMEOUT",
  about: "Closes a WebSocket on which nothing but pings passed for this long; 0 never does.",
  fallback: "0",
}

export const wsMaxLifetime: Flag = {
  name: "ws-max-lifetime",
  value: "SECONDS",
  env: "SS_PROXY_WS_MAX_LIFETIME",
  about: "Closes a WebSocket that is this old; 0 never does.",
  fallback: "0",
}

export const maxWebSockets: Flag = {
  name: "max-websockets",
  value: "COUNT",
  env: "SS_PROXY_MAX_WEBSOCKETS",
  about: "WebSockets at a time; one more is answered 429. 0 for any number.",
  fallback: "0",
}

export const maxWebSocketsPerSession: Flag = {
  name: "max-websockets-per-session",
  value: "COUNT",
  env: "SS_PROXY_MAX_WEBSOCKETS_PER_SESSION",
  about: "The same for each session.",
  fallback: "0",
}

export const trustedProxies: Flag = {
  name: "trusted-proxies",
  value: "CIDR,…",
  env: "SS_PROXY_TRUSTED_PROXIES",
  about: "Addresses of proxies in front of this one, whose X-Forwarded-* fields are kept.",
}

export const denyDownstream: Flag = {
  name: "deny-downstream",
  value: "CIDR,…",
  env: "SS_PROXY_DENY_DOWNSTREAM",
  about: "Addresses that no session's server may have, beside link-local and cloud metadata ones.",
}

export const allowDownstream: Flag = {
  name: "allow-downstream",
  value: "CIDR,…",
  env: "SS_PROXY_ALLOW_DOWNSTREAM",
  about: "Addresses that it may have although a larger block is denied.",
}

export const downstreamCa: Flag = {
  name: "downstream-ca",
  value: "FILE",
  env: "SS_PROXY_DOWNSTREAM_CA",
  about: "Certificates (PEM) of authorities to trust, beside those that Node brings.",
}

export const downstreamCert: Flag = {
  name: "downstream-cert",
  value: "FILE",
  env: "SS_PROXY_DOWNSTREAM_CERT",
  about: "Certificate (PEM) to show to servers that ask for one.",
}

export const downstreamKey: Flag = {
  name: "downstream-key",
  value: "FILE",
  env: "SS_PROXY_DOWNSTREAM_KEY",
  about: "The private key (PEM) of that certificate.",
}

export const maxDownstreamConnections: Flag = {
  name: "max-downstream",
  value: "COUNT",
  env: "SS_PROXY_MAX_DOWNSTREAM",
  about: "Connections to the servers of sessions at a time; one more has to wait. 0 for any number.",
  fallback: "0",
}

export const maxDownstreamConnectionsPerSession: Flag = {
  name: "max-downstream-per-session",
  value: "COUNT",
  env: "SS_PROXY_MAX_DOWNSTREAM_PER_SESSION",
  about: "The same for each session.",
  fallback: "0",
}

export const queueTimeout: Flag = {
  name: "queue-timeout",
  value: "SECONDS",
  env: "SS_PROXY_QUEUE_TIMEOUT",
  about: "Longest such wait, then 503, or 429 where the session has its number. 0 waits for ever.",
  fallback: "10",
}

export const logLevel: Flag = {
  name: "log-level",
  alias: "l",
  value: "LEVEL",
  choices: logThresholds,
  env: "SS_PROXY_LOG_LEVEL",
  about: "What is logged to standard error: trace, debug, info, warn, error or off.",
  fallback: "info",
}

export const accessLog: Flag = {
  name: "access-log",
  env: "SS_PROXY_ACCESS_LOG",
  about: "Logs a line for every request.",
}

export const demo: Flag = {
  name: "demo",
  about: 'Brings a small server along, as the session "demo", to try the proxy with.',
}

export const status: Flag = {
  name: "status",
  value: "STATUS",
  about: "Any text; active, online and ready forward, any other answers 503.",
}

export const url: Flag = {
  name: "url",
  value: "URL",
  about: "Where the session's requests go.",
}

export const insecure: Flag = {
  name: "insecure",
  about: "Does not verify the certificate of the session's server. Anybody on the way there can pass for it.",
}

export const noInsecure: Flag = {
  name: "no-insecure",
  about: "Verifies the certificate of the session's server again.",
}

/** The session's own rule. It has no variable: that of the proxy's flag says nothing of one session. */
export const sessionWsPath: Flag = {
  name: "ws-path",
  value: "RULE",
  choices: wsPaths,
  about: "In place of the proxy's --ws-path, for this session alone: append, full or strip.",
}

export const replace: Flag = {
  name: "replace",
  about: "Replaces a session that exists already.",
}

export const json: Flag = {
  name: "json",
  about: "Prints one JSON value on standard output, and nothing else.",
}
