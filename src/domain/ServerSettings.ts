import * as Reading from "./Reading.js"
import { most, setting, settingOfPrograms } from "./Setting.js"

/** How servers of sessions are reached, and how many connections to them there may be. */
export const serverSettings = {
  lenient: setting({
    reading: Reading.oneOf<"off" | "on">("WHETHER", ["off", "on"]),
    fallback: "off",
    flag: { name: "lenient" },
    group: "Servers of sessions",
    help: "on: takes answers of old servers that break the rules of HTTP/1.1 but can be read in one way only.",
    guide:
      "`on`: takes answers of old and embedded servers that break the rules of HTTP/1.1 but can be read ([which](ROUTING.md#answers-of-old-servers)).",
  }),
  hold: setting({
    reading: Reading.seconds,
    fallback: 0,
    flag: { name: "hold" },
    group: "Servers of sessions",
    help: "Tries a server that cannot be reached again for this long, for requests that can wait. 0: answers 502 at once.",
    guide:
      "Tries a server that cannot be reached again for this long before the request gets `502` ([how](ROUTING.md#a-server-that-is-just-starting)). `0`: at once.",
  }),
  maxHeld: setting({
    reading: Reading.count,
    fallback: 1_000,
    flag: { name: "max-held" },
    group: "Servers of sessions",
    help: "Most requests and handshakes that wait so at a time in each worker; one more gets 503. 0: no limit.",
    guide: "Most requests and handshakes that wait so at a time in each worker; one more gets `503`. `0`: no limit.",
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
    help: "Addresses that a session's server may have although a larger block is denied.",
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
    help: "Longest such wait, then 503, or 429 if the session's own limit is reached. 0: no limit.",
    guide:
      "Longest wait of a request for such a connection, then `503`, or `429` if the session's own limit is reached. `0`: as long as the client waits.",
  }),
  healthCheck: setting({
    reading: Reading.targetPath,
    fallback: "off",
    flag: { name: "health-check" },
    group: "Servers of sessions",
    help: "Asks the server of each session in use for this path every so often: 2xx and 3xx are ok. Shown, nothing else.",
    guide:
      "Asks the server of each session in use for this path every so often; `2xx` and `3xx` are ok. It is shown, and no request is refused for it ([how](ADMIN.md#checks)). The path of the session's URL comes before it.",
  }),
  healthCheckInterval: setting({
    reading: Reading.positiveSeconds,
    fallback: 30_000,
    flag: { name: "health-check-interval" },
    group: "Servers of sessions",
    help: "How often; the checks of all sessions are spread over this time.",
    guide: "How often each server is asked; the checks of all sessions are spread over this time.",
  }),
  healthCheckTimeout: setting({
    reading: Reading.positiveSeconds,
    fallback: 5_000,
    flag: { name: "health-check-timeout" },
    group: "Servers of sessions",
    help: "Longest wait for the head of such an answer, the connection included.",
  }),
}
