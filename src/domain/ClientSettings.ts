import * as Reading from "./Reading.js"
import { largest, most, setting, settingOfPrograms } from "./Setting.js"

/** Limits for clients: of time, of size, and of number. */
export const clientSettings = {
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
    help: "Resets a client that takes no byte of what is sent to it for this long. 0: no limit.",
    guide:
      "Resets a client that takes no byte of what is sent to it for this long; the reset may come up to half as long later. On Linux a byte is taken when the client's system acknowledges it, elsewhere when the proxy's own system accepts it. `0`: no limit.",
  }),
  minRate: setting({
    reading: Reading.byteSize,
    fallback: 0,
    flag: { name: "min-rate" },
    group: "Limits for clients",
    help: "Least rate of a request's body in bytes a second, over 5 seconds, else 408. 0: no limit.",
    guide:
      "Least rate of a request's body in bytes a second, on average over 5 seconds while the proxy waits for it; else `408`. `0`: no limit.",
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
}
