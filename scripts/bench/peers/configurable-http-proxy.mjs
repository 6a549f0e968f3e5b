import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const home = dirname(createRequire(import.meta.url).resolve("configurable-http-proxy/package.json"))

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "configurable-http-proxy 5.3, its keep-alive agent",
  webSockets: true,
  command: ({ port, origin }) => [
    process.execPath,
    join(home, "bin", "configurable-http-proxy"),
    "--ip",
    "127.0.0.1",
    "--port",
    String(port),
    "--api-ip",
    "127.0.0.1",
    "--api-port",
    "0",
    "--default-target",
    origin,
    "--log-level",
    "error",
  ],
}
