import httpProxy from "@fastify/http-proxy"
import Fastify from "fastify"

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "@fastify/http-proxy 11 (undici, ws)",
  webSockets: true,
  serve: async (upstream) => {
    const app = Fastify({ keepAliveTimeout: 75_000, requestTimeout: 0 })
    await app.register(httpProxy, {
      upstream,
      websocket: true,
      undici: { connections: 4096, headersTimeout: 0, bodyTimeout: 0 },
    })
    await app.listen({ port: 0, host: "127.0.0.1", backlog: 4096 })
    return app.addresses()[0]?.port ?? 0
  },
}
