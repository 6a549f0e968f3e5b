import { createServer } from "node:http"
import { createProxyServer } from "httpxy"
import { listen } from "./Peer.mjs"

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "httpxy 0.5, its own keep-alive agent, xfwd",
  webSockets: true,
  serve: (target) => {
    const proxy = createProxyServer({ target, xfwd: true })
    proxy.on("error", (_error, _request, response) => response?.destroy())
    const server = createServer((request, response) => void proxy.web(request, response))
    server.on("upgrade", (request, socket, head) => void proxy.ws(request, socket, undefined, head))
    return listen(server)
  },
}
