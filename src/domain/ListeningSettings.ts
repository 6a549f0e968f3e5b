import * as Reading from "./Reading.js"
import { setting } from "./Setting.js"

/** Where the proxy listens, and whom in front of it it trusts. */
export const listeningSettings = {
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
}
