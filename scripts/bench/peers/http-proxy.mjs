import { Agent, createServer } from "node:http"
import httpProxy from "http-proxy"
import { listen } from "./Peer.mjs"

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "http-proxy 1.18, keep-alive agent, xfwd",
  webSockets: true,
  serve: (target) => {
    const proxy = httpProxy.createProxyServer({ target, agent: new Agent({ keepAlive: true }), xfwd: true })
    proxy.on("error", (_error, _request, response) => response.destroy())
    const server = createServer((request, response) => proxy.web(request, response))
    server.on("upgrade", (request, socket, head) => proxy.ws(request, socket, head))
    return listen(server)
  },
}
