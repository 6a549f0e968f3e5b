import * as Reading from "./Reading.js"
import { setting } from "./Setting.js"

/** What becomes of requests and of their answers on their way. */
export const forwardingSettings = {
  sessionHosts: setting({
    reading: Reading.domains,
    fallback: [],
    flag: { name: "session-hosts" },
    group: "Forwarding",
    help: "Domains below which each session has its own host name: with apps.example.com, ID.apps.example.com is the session ID.",
    guide:
      "Domains below which each session has its own host name ([how](ROUTING.md#names-for-sessions)): with `apps.example.com`, all of `http://{session_id}.apps.example.com` belongs to that session.",
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
}
