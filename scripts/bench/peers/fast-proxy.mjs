import { createServer } from "node:http"
import fastProxy from "fast-proxy"
import { listen } from "./Peer.mjs"

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "fast-proxy 2.2, its keep-alive agent",
  webSockets: false,
  serve: (base) => {
    const { proxy } = fastProxy({ base, keepAlive: true, maxSockets: Infinity, rejectUnauthorized: true })
    return listen(createServer((request, response) => proxy(request, response, request.url ?? "/", {})))
  },
}
