import * as Reading from "./Reading.js"

/** The titles under which the help and the documents put settings, in this order. */
export const settingGroups = [
  "Listening",
  "Sessions",
  "Forwarding",
  "Limits for clients",
  "Servers of sessions",
  "WebSockets",
  "Admin listener",
  "Running",
] as const

/** What is known of one setting, for everybody who asks: command line, library, help, completions, documents. */
export interface Setting<A> {
  /** How its flag and variable are read, and which values a program may give. */
  readonly reading: Reading.Reading<A>
  readonly fallback: NoInfer<A>
  /** Absent where only programs have it. */
  readonly flag?: {
    /** Long name, without the dashes. The variable follows from it: `SS_PROXY_MAX_BODY` from `max-body`. */
    readonly name: string
    /** Short name: one letter. */
    readonly short?: string
  }
  readonly group: (typeof settingGroups)[number]
  /** What it does, for the help: in plain text, on a line or two. */
  readonly help: string
  /** The same for the documents, as Markdown, where they have more to say. */
  readonly guide?: string
  /** 0 means that there is no limit in number or size. `ProxyConfig` then holds Infinity. */
  readonly zeroIsNoLimit?: boolean
  /** On the command line it names a file that holds the value. */
  readonly inFile?: boolean
  /** Nobody is shown its value. */
  readonly isSecret?: boolean
}

/** A setting of programs and of the command line. */
export interface FlaggedSetting<A> extends Setting<A> {
  readonly flag: NonNullable<Setting<A>["flag"]>
}

/** Of which values a row is follows from its reading. */
const setting = <A>(row: FlaggedSetting<A>): FlaggedSetting<A> => row
const settingOfPrograms = <A>(row: Setting<A>): Setting<A> => row

type Limit = Omit<FlaggedSetting<number>, "reading" | "fallback" | "zeroIsNoLimit">

/** A limit in number, which is not there unless it is set. */
const most = (row: Limit) => setting({ ...row, reading: Reading.count, fallback: 0, zeroIsNoLimit: true })

/** A limit in bytes, which is not there unless it is set. */
const largest = (row: Limit) => setting({ ...row, reading: Reading.byteSize, fallback: 0, zeroIsNoLimit: true })

/** How `/ws/{session_id}/{rest}` becomes a path at the session's server. */
export const wsPathRule = Reading.oneOf("RULE", ["append", "full", "strip"])

/** Whether the case of ASCII letters counts where ids of sessions are compared. */
export const idCaseRule = Reading.oneOf("RULE", ["exact", "fold"])

/**
 * Every setting of the proxy, once, in the order of the help. Times are milliseconds, sizes bytes. A new one needs a row
 * here, the place where it is used, and a test; `node scripts/docs.mjs` brings the documents and the help up to date.
 */
export const settings = {
  host: setting({
    reading: Reading.hostName,
    fallback: "0.0.0.0",
    flag: { name: "host", short: "H" },
    group: "Listening",
    help: "Address to listen on.",
    guide: "Address to listen on; `::` for IPv6 and IPv4.",
  }),
  port: setting({
    reading: Reading.portNumber,
    fallback: 8080,
    flag: { name: "port", short: "p" },
    group: "Listening",
    help: "Port to listen on; 0 chooses a free one.",
    guide: "Port to listen on; `0` chooses a free one and prints it.",
  }),
  trustedProxies: setting({
    reading: Reading.addressBlocks,
    fallback: [],
    flag: { name: "trusted-proxies" },
    group: "Listening",
    help: "Addresses of proxies in front of this one. Their X-Forwarded-* fields are kept.",
    guide:
      "Addresses of proxies in front of this one. Their `X-Forwarded-*` fields are kept ([why](ROUTING.md#proxies-in-front)).",
  }),
  activityInterval: setting({
    reading: Reading.seconds,
    fallback: 30_000,
    flag: { name: "activity-interval" },
    group: "Sessions",
    help: "How often the proxy records when sessions were last active, in a file beside the database. 0: never.",
    guide:
      "How often the proxy records when sessions were last active, in a file beside the database ([how](DATABASE.md#activity)). `0`: never.",
  }),
  activityIgnore: setting({
    reading: Reading.pathGlobs,
    fallback: [],
    flag: { name: "activity-ignore" },
    group: "Sessions",
    help: "Requests for these paths, written without the id, do not count as activity: for clients that poll. * is any part of a segment, ** any number of segments.",
    guide:
      "Requests for these paths, written without the id, do not count as [activity](DATABASE.md#activity): for clients that poll, `/api/status,/kernels/*/ping`. `*` is any part of a segment, `**` any number of segments.",
  }),
  sessionHosts: setting({
    reading: Reading.domains,
    fallback: [],
    flag: { name: "session-hosts" },
    group: "Forwarding",
    help: "Domains below which each session has its own host name: with apps.example.com, ID.apps.example.com is the session ID.",
    guide:
      "Domains below which each session has its own host name ([how](ROUTING.md#names-for-sessions)): with `apps.example.com`, all of `http://{session_id}.apps.example.com` belongs to that session.",
  }),
  idCase: setting({
    reading: idCaseRule,
    fallback: "exact",
    flag: { name: "id-case" },
    group: "Sessions",
    help: "fold: the case of A to Z in ids does not matter, for MAC addresses. exact: it does.",
    guide:
      "`fold`: the case of A to Z in ids does not matter ([how](ROUTING.md#ids-in-any-case)), for MAC addresses. `exact`: it does.",
  }),
  maxStale: setting({
    reading: Reading.secondsFrom(5),
    fallback: 0,
    flag: { name: "max-stale" },
    group: "Sessions",
    help: "How long the proxy serves known sessions, and lets live traffic go on, without its database: at least 5. 0: no limit.",
    guide:
      "How long the proxy serves known sessions, and lets live traffic go on, without its database ([what then](DATABASE.md#when-the-database-is-somewhere-else)): at least 5 s. `0`: no limit.",
  }),
  hostField: setting({
    reading: Reading.oneOf("RULE", ["auto", "server", "client"]),
    fallback: "auto",
    flag: { name: "host-field" },
    group: "Forwarding",
    help: "The Host field that servers get. server: their own. client: the client's. auto: the client's if it names the session, else the server's.",
    guide:
      "The `Host` field that servers get ([when](ROUTING.md#host)). `server`: their own. `client`: the client's. `auto`: the client's if it names the session, else the server's.",
  }),
  path: setting({
    reading: Reading.oneOf("RULE", ["strip", "keep"]),
    fallback: "strip",
    flag: { name: "path" },
    group: "Forwarding",
    help: "The path that servers get for /ID/REST. strip: /REST. keep: /ID/REST. Not for /ws/ID.",
    guide:
      "The path that servers get for `/{session_id}/{rest}` ([when](ROUTING.md#path)). `strip`: `/{rest}`. `keep`: all of it. Not for `/ws/`.",
  }),
  slash: setting({
    reading: Reading.oneOf("RULE", ["auto", "off", "redirect"]),
    fallback: "auto",
    flag: { name: "slash" },
    group: "Forwarding",
    help: "Whether browsers are redirected from /ID to /ID/. auto: if the session's URL has no path, or one that ends in a slash. redirect: always. off: never.",
    guide:
      "Whether browsers are redirected from `/{session_id}` to `/{session_id}/` (`308`), for relative links ([how](ROUTING.md#slash)). `auto`: if the session's URL has no path, or one that ends in a slash. `redirect`: always. `off`: never.",
  }),
  location: setting({
    reading: Reading.oneOf("RULE", ["relay", "rewrite"]),
    fallback: "relay",
    flag: { name: "location" },
    group: "Forwarding",
    help: "rewrite: redirects of servers that know no prefix get /ID before their path. relay: they are passed on unchanged.",
    guide:
      "`rewrite`: redirects of servers that know no prefix get `/{session_id}` before their path ([how](ROUTING.md#location)): `Location`, `Content-Location`, `Refresh`. `relay`: they are passed on unchanged.",
  }),
  cookies: setting({
    reading: Reading.oneOf("RULE", ["relay", "confine"]),
    fallback: "relay",
    flag: { name: "cookies" },
    group: "Forwarding",
    help: "confine: browsers send the cookies of a session to that session only. relay: cookies are passed on unchanged.",
    guide:
      "`confine`: browsers send the cookies of a session to that session only ([how](ROUTING.md#cookies)). `relay`: cookies are passed on unchanged.",
  }),
  cors: setting({
    reading: Reading.origins,
    fallback: "off",
    flag: { name: "cors" },
    group: "Forwarding",
    help: "Origins whose scripts may read the errors of the proxy itself; * for any. Answers of servers are not changed.",
    guide:
      "Origins whose scripts may read the errors of the proxy itself ([how](ROUTING.md#errors-that-scripts-of-other-origins-read)); `*` for any. Answers of servers are not changed.",
  }),
  timeout: setting({
    reading: Reading.positiveSeconds,
    fallback: 30_000,
    flag: { name: "timeout", short: "t" },
    group: "Forwarding",
    help: "Longest wait for the head of a response, counted from the end of the request. Never cuts a stream.",
    guide:
      "Longest wait for the head of a response, counted from the last byte of the request: `504`. Never cuts a stream.",
  }),
  connectTimeout: setting({
    reading: Reading.positiveSeconds,
    fallback: 10_000,
    flag: { name: "connect-timeout" },
    group: "Forwarding",
    help: "Longest wait for a connection to a session's server.",
    guide: "Longest wait for a connection to a session's server, TLS included: `502`.",
  }),
  idleTimeout: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "idle-timeout" },
    group: "Forwarding",
    help: "Cuts a response whose body is silent for this long. 0: no limit.",
    guide: "Cuts a response whose body is silent for this long. `0`: no limit.",
  }),
  traceContext: setting({
    reading: Reading.oneOf("WHETHER", ["on", "off"]),
    fallback: "on",
    flag: { name: "trace-context" },
    group: "Forwarding",
    help: "on: servers get a traceparent of the proxy if the client sent none, or if the proxy records spans.",
    guide:
      "`on`: servers get a `traceparent` of the proxy if the client sent none, or if the proxy [records spans](TRACES.md). `off`: `traceparent` and `tracestate` are passed on as they came.",
  }),
  via: setting({
    reading: Reading.oneOf("WHETHER", ["on", "off"]),
    fallback: "on",
    flag: { name: "via" },
    group: "Forwarding",
    help: "off: servers get no Via field. With one, nginx as a server does not compress.",
    guide:
      "`off`: servers get no `Via` field, neither the proxy's nor a client's ([when](ROUTING.md#via)). With one, nginx as a server does not compress.",
  }),
  forwarded: setting({
    reading: Reading.oneOf("WHETHER", ["on", "off"]),
    fallback: "on",
    flag: { name: "forwarded" },
    group: "Forwarding",
    help: "off: servers get no X-Forwarded-* fields, neither the proxy's nor a client's.",
    guide: "`off`: servers get no `X-Forwarded-*` fields, neither the proxy's nor a client's.",
  }),
  setFields: setting({
    reading: Reading.fieldsToSet,
    fallback: {},
    flag: { name: "set-fields" },
    group: "Forwarding",
    help: "Fields to set in requests to servers; they replace the client's. For secrets, use the variable.",
    guide:
      'Fields to set in requests to all servers; they replace the client\'s ([how](ROUTING.md#fields-of-your-own)): `{"X-Team": "red"}`. For [secrets](SECURITY.md#secrets-in-fields), use the variable.',
    isSecret: true,
  }),
  stripFields: setting({
    reading: Reading.fieldNames,
    fallback: [],
    flag: { name: "strip-fields" },
    group: "Forwarding",
    help: "Fields to remove from requests to servers.",
    guide: 'Fields to remove from requests to servers ([how](ROUTING.md#fields-of-your-own)): `["Cookie"]`.',
  }),
  setResponseFields: setting({
    reading: Reading.fieldsToSet,
    fallback: {},
    flag: { name: "set-response-fields" },
    group: "Forwarding",
    help: "Fields to set in every answer for a session; they replace the server's.",
    guide:
      'Fields to set in every answer for a session; they replace the server\'s ([how](ROUTING.md#fields-of-your-own)): `{"X-Frame-Options": "DENY"}`.',
    isSecret: true,
  }),
  stripResponseFields: setting({
    reading: Reading.fieldNames,
    fallback: [],
    flag: { name: "strip-response-fields" },
    group: "Forwarding",
    help: "Fields to remove from answers of servers.",
    guide: 'Fields to remove from answers of servers ([how](ROUTING.md#fields-of-your-own)): `["Server"]`.',
  }),
  lenient: setting({
    reading: Reading.oneOf<"off" | "on">("WHETHER", ["off", "on"]),
    fallback: "off",
    flag: { name: "lenient" },
    group: "Servers of sessions",
    help: "on: accepts answers of old servers that break the rules of HTTP/1.1, if they can be read in one way only.",
    guide:
      "`on`: accepts answers of old and embedded servers that break the rules of HTTP/1.1, if they can be read in one way only ([which](ROUTING.md#answers-of-old-servers)).",
  }),
  hold: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "hold" },
    group: "Servers of sessions",
    help: "How long a request waits for a server that cannot be reached, which is tried again. Then it gets 502. 0: at once.",
    guide:
      "How long a request waits for a server that cannot be reached, which is tried again ([how](ROUTING.md#a-server-that-is-just-starting)). Then it gets `502`. `0`: at once.",
  }),
  maxHeld: setting({
    reading: Reading.count,
    fallback: 1_000,
    flag: { name: "max-held" },
    group: "Servers of sessions",
    help: "Most requests and handshakes that wait like this at a time, in each worker; one more gets 503. 0: no limit.",
    guide:
      "Most requests and handshakes that wait like this at a time, in each worker; one more gets `503`. `0`: no limit.",
    zeroIsNoLimit: true,
  }),
  maxHeldPerSession: setting({
    reading: Reading.count,
    fallback: 100,
    flag: { name: "max-held-per-session" },
    group: "Servers of sessions",
    help: "The same for each session; one more gets 429.",
    guide: "The same for each session; one more gets `429`.",
    zeroIsNoLimit: true,
  }),
  keepAliveTimeout: setting({
    reading: Reading.seconds,
    fallback: 75_000,
    flag: { name: "keep-alive-timeout" },
    group: "Limits for clients",
    help: "How long an idle connection of a client is kept. 0: until the client closes it.",
    guide:
      "How long an idle connection of a client is kept. The default is longer than that of most load balancers, so that they close first; [Google's](RECIPES.md#load-balancers) needs `620`. `0`: until the client closes it.",
  }),
  headTimeout: setting({
    reading: Reading.seconds,
    fallback: 30_000,
    flag: { name: "head-timeout" },
    group: "Limits for clients",
    help: "Longest wait for the head of a request, then 408. 0: no limit.",
    guide: "Longest wait for the head of a request, then `408`. `0`: no limit.",
  }),
  bodyTimeout: setting({
    reading: Reading.seconds,
    fallback: 60_000,
    flag: { name: "body-timeout" },
    group: "Limits for clients",
    help: "Longest wait for the next byte of a request's body, then 408. 0: no limit.",
    guide: "Longest wait for the next byte of a request's body, then `408`. `0`: no limit.",
  }),
  sendTimeout: setting({
    reading: Reading.seconds,
    fallback: 60_000,
    flag: { name: "send-timeout" },
    group: "Limits for clients",
    help: "Resets a client that accepts no byte for this long. 0: no limit.",
    guide:
      "Resets a client that accepts no byte for this long; the reset may come up to half as long later. On Linux a byte is accepted when the client's system acknowledges it, elsewhere when the proxy's own system takes it. `0`: no limit.",
  }),
  minRate: setting({
    reading: Reading.byteSize,
    fallback: 0,
    flag: { name: "min-rate" },
    group: "Limits for clients",
    help: "Lowest rate of a request's body in bytes a second, averaged over 5 seconds; below it: 408. 0: no limit.",
    guide:
      "Lowest rate of a request's body in bytes a second, averaged over 5 seconds in which the proxy waits for it; below it: `408`. `0`: no limit.",
  }),
  minRateTime: settingOfPrograms({
    reading: Reading.positiveSeconds,
    fallback: 5_000,
    group: "Limits for clients",
    help: "The time over which minRate is averaged.",
    guide: "The time over which `minRate` is averaged.",
  }),
  maxHeaderBytes: setting({
    reading: Reading.positiveByteSize,
    fallback: 32_768,
    flag: { name: "max-header-size" },
    group: "Limits for clients",
    help: "Largest head of a request, target included; else 431.",
    guide: "Largest head of a request, target included; else `431`.",
  }),
  maxTargetBytes: largest({
    flag: { name: "max-target-length" },
    group: "Limits for clients",
    help: "Longest target of a request, else 414. 0: as long as the head may be.",
    guide:
      "Longest target of a request, else `414`. `0`: as long as the head may be; a target that is too long for the head is `431`.",
  }),
  maxBodyBytes: largest({
    flag: { name: "max-body" },
    group: "Limits for clients",
    help: "Largest body of a request, else 413. 0: no limit.",
    guide:
      "Largest body of a request, without its framing; else `413`. If the length is declared, the answer comes before the session's server is asked; if not, as soon as the body is too large. `0`: no limit.",
  }),
  maxConnections: most({
    flag: { name: "max-connections" },
    group: "Limits for clients",
    help: "Most connections of clients at a time; one more gets 503. 0: no limit.",
    guide: "Most connections of clients at a time, WebSockets included; one more gets `503`. `0`: no limit.",
  }),
  maxConnectionsPerClient: most({
    flag: { name: "max-connections-per-client" },
    group: "Limits for clients",
    help: "The same for each IPv4 address and each /64 of IPv6, except trusted proxies; one more gets 429.",
    guide:
      "The same for each IPv4 address and each /64 of IPv6 ([why](SECURITY.md#clients-that-take-too-much)); one more gets `429`. Trusted proxies have no such limit.",
  }),
  maxRequestsPerConnection: most({
    flag: { name: "max-requests-per-connection" },
    group: "Limits for clients",
    help: "Most requests on one connection, which closes after the last. 0: no limit.",
    guide: "Most requests on one connection; the last is answered with `Connection: close`. `0`: no limit.",
  }),
  maxRequestsPerSession: most({
    flag: { name: "max-requests-per-session" },
    group: "Limits for clients",
    help: "Most requests of one session at a time; one more gets 429. 0: no limit.",
    guide: "Most requests of one session at a time; one more gets `429`. `0`: no limit.",
  }),
  denyDownstream: setting({
    reading: Reading.addressBlocks,
    fallback: [],
    flag: { name: "deny-downstream" },
    group: "Servers of sessions",
    help: "Addresses that no session's server may have, in addition to link-local and cloud metadata ones.",
    guide:
      "Addresses that no session's server may have, in addition to link-local, cloud metadata, multicast, broadcast and unspecified ones ([why](SECURITY.md)).",
  }),
  allowDownstream: setting({
    reading: Reading.addressBlocks,
    fallback: [],
    flag: { name: "allow-downstream" },
    group: "Servers of sessions",
    help: "Exceptions from denied blocks: addresses that a session's server may have.",
  }),
  downstreamCa: setting({
    reading: Reading.pem,
    fallback: "",
    flag: { name: "downstream-ca" },
    group: "Servers of sessions",
    help: "Certificates (PEM) of authorities to trust, in addition to those of Node.",
    inFile: true,
  }),
  downstreamCert: setting({
    reading: Reading.pem,
    fallback: "",
    flag: { name: "downstream-cert" },
    group: "Servers of sessions",
    help: "Certificate (PEM) to show to servers that ask for one.",
    guide:
      "Certificate (PEM) to show to servers that ask for one. Intermediate certificates follow it in the same file.",
    inFile: true,
  }),
  downstreamKey: setting({
    reading: Reading.pem,
    fallback: "",
    flag: { name: "downstream-key" },
    group: "Servers of sessions",
    help: "The private key (PEM) of that certificate.",
    inFile: true,
    isSecret: true,
  }),
  poolIdleTimeout: settingOfPrograms({
    reading: Reading.seconds,
    fallback: 4_000,
    group: "Servers of sessions",
    help: "How long an idle connection to a session's server is kept, unless the server asks for less.",
    guide:
      "How long an idle connection to a session's server is kept, unless the server asks for less. Many servers close after 5 s and do not say so.",
  }),
  poolIdleConnections: settingOfPrograms({
    reading: Reading.count,
    fallback: 256,
    group: "Servers of sessions",
    help: "Most idle connections that are kept for each session.",
  }),
  maxDownstreamConnections: most({
    flag: { name: "max-downstream" },
    group: "Servers of sessions",
    help: "Most connections to the servers of sessions at a time; one more has to wait. Each worker has its share. 0: no limit.",
    guide:
      "Most connections to the servers of sessions at a time, those of WebSockets included; one more has to wait. Each worker has [its share](CONFIGURATION.md#limits-with-several-workers). `0`: no limit.",
  }),
  maxDownstreamConnectionsPerSession: most({
    flag: { name: "max-downstream-per-session" },
    group: "Servers of sessions",
    help: "The same for each session, shared in the same way.",
    guide: "The same for each session, for servers that accept only a few connections; each worker has its share.",
  }),
  queueTimeout: setting({
    reading: Reading.seconds,
    fallback: 10_000,
    flag: { name: "queue-timeout" },
    group: "Servers of sessions",
    help: "Longest wait for such a connection; then 503, or 429 if the session's own limit is reached. 0: no limit.",
    guide:
      "Longest wait for such a connection; then `503`, or `429` if the session's own limit is reached. `0`: as long as the client waits.",
  }),
  healthCheck: setting({
    reading: Reading.targetPath,
    fallback: "off",
    flag: { name: "health-check" },
    group: "Servers of sessions",
    help: "Requests this path from the server of each session in use, at intervals. 2xx and 3xx are ok. The result is only shown.",
    guide:
      "Requests this path from the server of each session in use, at intervals. `2xx` and `3xx` are ok. The result is only shown; no request is refused for it ([how](ADMIN.md#checks)). The path of the session's URL comes before it.",
  }),
  healthCheckInterval: setting({
    reading: Reading.positiveSeconds,
    fallback: 30_000,
    flag: { name: "health-check-interval" },
    group: "Servers of sessions",
    help: "Time between two checks of a server; the checks of all sessions are spread over it.",
    guide: "Time between two checks of a server; the checks of all sessions are spread over it.",
  }),
  healthCheckTimeout: setting({
    reading: Reading.positiveSeconds,
    fallback: 5_000,
    flag: { name: "health-check-timeout" },
    group: "Servers of sessions",
    help: "Longest wait for the answer to a check, from the start of its connection to the head.",
  }),
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
      "`hide`: servers do not see which extensions a client offers, so that nothing is compressed, for [devices that cannot inflate](ROUTING.md#compression). `relay`: client and server agree on them.",
  }),
  wsStrictKey: setting({
    reading: Reading.onOrOff,
    fallback: false,
    flag: { name: "ws-strict-key" },
    group: "WebSockets",
    help: "Refuses a WebSocket handshake whose key is not 16 bytes in base64. Without this flag, the server decides.",
    guide:
      "Refuses a WebSocket handshake whose key is not 16 bytes in base64: `400`. Without this flag, [the server decides](ROUTING.md#handshakes-of-devices).",
  }),
  wsPing: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "ws-ping" },
    group: "WebSockets",
    help: "Closes a WebSocket when one side is silent for this long; that side gets a ping after half of it. 0: off.",
    guide:
      "Closes a WebSocket when one side is silent for this long ([how](ROUTING.md#a-side-that-vanished)); that side gets a ping after half of it. `0`: off.",
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
    help: "Closes a WebSocket on which nothing but pings and pongs has passed for this long. 0: no limit.",
    guide: "Closes a WebSocket with 1001 on which nothing but pings and pongs has passed for this long. `0`: no limit.",
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
  adminSocket: setting({
    reading: Reading.socketPath,
    fallback: "auto",
    flag: { name: "admin-socket" },
    group: "Admin listener",
    help: "Unix socket of the admin listener. auto: beside the database, DB.HEX.sock. off: none.",
    guide:
      "Unix socket of the admin listener ([ADMIN.md](ADMIN.md)). `auto` is beside the database, `sessions.db.1a2b3c.sock`; a program that embeds the proxy has none then. `off`: none.",
  }),
  adminSocketMode: setting({
    reading: Reading.ownersMode,
    fallback: 0o600,
    flag: { name: "admin-socket-mode" },
    group: "Admin listener",
    help: "Who may use that socket. 0600: the user of the proxy. 0660: also its group.",
    guide: "Who may use that socket. `0600`: the user of the proxy. `0660`: also its group.",
  }),
  adminPort: setting({
    reading: Reading.portOrOff,
    fallback: "off",
    flag: { name: "admin-port" },
    group: "Admin listener",
    help: "Port for the admin API, /metrics, /livez and /readyz. 0 chooses a free one. off: no port.",
    guide:
      "Port for the admin API ([ADMIN.md](ADMIN.md)), `/metrics`, `/livez` and `/readyz` ([METRICS.md](METRICS.md)); `0` chooses a free one and prints it. `off`: no port.",
  }),
  adminHost: setting({
    reading: Reading.hostName,
    fallback: "127.0.0.1",
    flag: { name: "admin-host" },
    group: "Admin listener",
    help: "Address for --admin-port.",
    guide: "Address for `--admin-port`.",
  }),
  adminHosts: setting({
    reading: Reading.hostNames,
    fallback: [],
    flag: { name: "admin-hosts" },
    group: "Admin listener",
    help: "Host names under which the admin port answers, besides addresses and localhost.",
    guide:
      "Host names under which the admin port answers, besides addresses and `localhost`. A request with any other `Host` gets `421`.",
  }),
  metricsSessions: setting({
    reading: Reading.countUpTo(1_000),
    fallback: 0,
    flag: { name: "metrics-sessions" },
    group: "Admin listener",
    help: "How many sessions have series of their own in /metrics, which then needs a token on the port.",
    guide:
      "How many sessions have [series of their own](METRICS.md#one-session) in `/metrics`, which then needs a token on the port.",
  }),
  traces: settingOfPrograms({
    reading: Reading.onOrOff,
    fallback: false,
    group: "Running",
    help: "Records spans of requests and WebSockets with the Tracer that the proxy's Layer is given.",
    guide:
      "Records spans of requests and WebSockets with the `Tracer` that the proxy's Layer is given ([how](TRACES.md)).",
  }),
  adminTokenFile: setting({
    reading: Reading.filePath,
    fallback: "",
    flag: { name: "admin-token-file" },
    group: "Admin listener",
    help: "File of tokens for the admin port, one on each line. A token behind the word read may only read.",
    guide:
      "File of tokens for the admin port, one on each line. A token after `read` and a space may only read ([ADMIN.md](ADMIN.md#tokens)). The file is read again when it changes.",
  }),
  adminToken: settingOfPrograms({
    reading: Reading.token,
    fallback: "",
    group: "Admin listener",
    help: "A token for that port.",
    guide:
      "A token for the port of the admin listener ([ADMIN.md](ADMIN.md#tokens)); the same as the variable `SS_PROXY_ADMIN_TOKEN`.",
    isSecret: true,
  }),
  adminReadToken: settingOfPrograms({
    reading: Reading.token,
    fallback: "",
    group: "Admin listener",
    help: "A token for that port that changes nothing.",
    guide: "A token for that port that changes nothing; the same as the variable `SS_PROXY_ADMIN_READ_TOKEN`.",
    isSecret: true,
  }),
  accessLog: settingOfPrograms({
    reading: Reading.onOrOff,
    fallback: false,
    group: "Running",
    help: "Logs a line for every request and WebSocket.",
    guide:
      "Logs a line for every request and WebSocket when it is over, to Effect's log, with [these fields](CONFIGURATION.md#access-log).",
  }),
  logQuery: setting({
    reading: Reading.oneOf<"redact" | "keep" | "drop">("RULE", ["redact", "keep", "drop"]),
    fallback: "redact",
    flag: { name: "log-query" },
    group: "Running",
    help: "What logs show of a request's query: redact hides likely secrets, keep shows all, drop nothing.",
    guide:
      "What logs show of a request's query: `redact` hides [likely secrets](CONFIGURATION.md#secrets), `keep` shows all of it, `drop` nothing.",
  }),
  drainDelay: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "drain-delay" },
    group: "Running",
    help: "Behind a load balancer: how long the proxy serves on after SIGTERM or SIGINT, while /health says 503.",
    guide:
      "Behind a load balancer: how long the proxy accepts and serves as before after a signal, while `/health` says `503` ([why](OPERATIONS.md#restart-without-a-failed-request)). Then `--grace` begins.",
  }),
  grace: setting({
    reading: Reading.seconds,
    fallback: 30_000,
    flag: { name: "grace" },
    group: "Running",
    help: "Time for requests in flight to finish after SIGTERM or SIGINT.",
    guide: "Time for requests and WebSockets in flight to finish when the proxy stops.",
  }),
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
