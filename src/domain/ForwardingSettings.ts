import * as Reading from "./Reading.js"
import { setting } from "./Setting.js"

/** What becomes of requests and of their answers on their way. */
export const forwardingSettings = {
  sessionHosts: setting({
    reading: Reading.domains,
    fallback: [],
    flag: { name: "session-hosts" },
    group: "Forwarding",
    help: "Names below which each session has a name of its own: with apps.example.com, ID.apps.example.com is the session ID.",
    guide:
      "Names below which each session has a name of its own ([how](ROUTING.md#names-for-sessions)): with `apps.example.com`, all of `http://{session_id}.apps.example.com` belongs to that session.",
  }),
  hostField: setting({
    reading: Reading.oneOf("RULE", ["auto", "server", "client"]),
    fallback: "auto",
    flag: { name: "host-field" },
    group: "Forwarding",
    help: "Host that servers get: server is their own, client the one the client asked for; auto: client where the host names the session.",
    guide:
      "The `Host` that servers get: `server` is their own, `client` the one that the client asked for ([when](ROUTING.md#host)). `auto`: `client` where the host names the session, else `server`.",
  }),
  path: setting({
    reading: Reading.oneOf("RULE", ["strip", "keep"]),
    fallback: "strip",
    flag: { name: "path" },
    group: "Forwarding",
    help: "Whether servers get the session's id in the path: strip /REST, keep /ID/REST. Not for /ws/ID.",
    guide:
      "Whether servers get the session's id in the path: `strip` makes `/{rest}` of `/{session_id}/{rest}`, `keep` leaves it ([when](ROUTING.md#path)). Not for `/ws/`.",
  }),
  slash: setting({
    reading: Reading.oneOf("RULE", ["auto", "off", "redirect"]),
    fallback: "auto",
    flag: { name: "slash" },
    group: "Forwarding",
    help: "Redirects browsers from /ID to /ID/: auto where the session's URL has no path or one that ends in a slash, redirect always, off never.",
    guide:
      "Redirects browsers from `/{session_id}` to `/{session_id}/` (`308`), for relative links ([how](ROUTING.md#slash)): `auto` where the session's URL has no path or one that ends in a slash, `redirect` always, `off` never.",
  }),
  location: setting({
    reading: Reading.oneOf("RULE", ["relay", "rewrite"]),
    fallback: "relay",
    flag: { name: "location" },
    group: "Forwarding",
    help: "rewrite: Location, Content-Location and Refresh of servers that know no prefix come back under /ID.",
    guide:
      "`rewrite`: `Location`, `Content-Location` and `Refresh` of servers that know no prefix come back under `/{session_id}` ([how](ROUTING.md#location)). `relay`: as they are.",
  }),
  cookies: setting({
    reading: Reading.oneOf("RULE", ["relay", "confine"]),
    fallback: "relay",
    flag: { name: "cookies" },
    group: "Forwarding",
    help: "confine: cookies of a session's server are only sent back to that session.",
    guide:
      "`confine`: cookies of a session's server are only sent back to that session ([how](ROUTING.md#cookies)). `relay`: as they are.",
  }),
  cors: setting({
    reading: Reading.origins,
    fallback: "off",
    flag: { name: "cors" },
    group: "Forwarding",
    help: "Origins whose scripts may read the errors of the proxy itself; * for any. Answers of servers are left alone.",
    guide:
      "Origins whose scripts may read the errors of the proxy itself ([how](ROUTING.md#errors-that-scripts-of-other-origins-read)); `*` for any. Answers of servers are left alone.",
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
    help: "Cuts a response that sends nothing for this long. 0: no limit.",
    guide: "Cuts a response whose body sends nothing for this long. `0`: no limit.",
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
    help: "off: servers get no Via. nginx as a server does not compress for requests that have one.",
    guide:
      "`off`: servers get no `Via`, neither of the proxy nor of clients ([when](ROUTING.md#via)). nginx as a server does not compress for requests that have one.",
  }),
  forwarded: setting({
    reading: Reading.oneOf("WHETHER", ["on", "off"]),
    fallback: "on",
    flag: { name: "forwarded" },
    group: "Forwarding",
    help: "off: servers get no X-Forwarded-* fields, neither of the proxy nor of clients.",
    guide: "`off`: servers get no `X-Forwarded-*` fields, neither of the proxy nor of clients.",
  }),
  setFields: setting({
    reading: Reading.fieldsToSet,
    fallback: {},
    flag: { name: "set-fields" },
    group: "Forwarding",
    help: "Fields that servers get in place of the client's. Secrets are better set by the variable.",
    guide:
      'Fields that every server gets in place of the client\'s ([how](ROUTING.md#fields-of-your-own)): `{"X-Team": "red"}`. For [secrets](SECURITY.md#secrets-in-fields), use the variable.',
    isSecret: true,
  }),
  stripFields: setting({
    reading: Reading.fieldNames,
    fallback: [],
    flag: { name: "strip-fields" },
    group: "Forwarding",
    help: "Fields of clients that servers do not get.",
    guide: 'Fields of clients that servers do not get ([how](ROUTING.md#fields-of-your-own)): `["Cookie"]`.',
  }),
  setResponseFields: setting({
    reading: Reading.fieldsToSet,
    fallback: {},
    flag: { name: "set-response-fields" },
    group: "Forwarding",
    help: "Fields that every answer for a session has in place of its server's.",
    guide:
      'Fields that every answer for a session has in place of its server\'s ([how](ROUTING.md#fields-of-your-own)): `{"X-Frame-Options": "DENY"}`.',
    isSecret: true,
  }),
  stripResponseFields: setting({
    reading: Reading.fieldNames,
    fallback: [],
    flag: { name: "strip-response-fields" },
    group: "Forwarding",
    help: "Fields of servers that clients do not get.",
    guide: 'Fields of servers that clients do not get ([how](ROUTING.md#fields-of-your-own)): `["Server"]`.',
  }),
}
