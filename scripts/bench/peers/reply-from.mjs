import replyFrom from "@fastify/reply-from"
import Fastify from "fastify"

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "@fastify/reply-from 12 (undici), bodies streamed",
  webSockets: false,
  serve: async (base) => {
    const app = Fastify({ keepAliveTimeout: 75_000, requestTimeout: 0 })
    app.removeAllContentTypeParsers()
    app.addContentTypeParser("*", (_request, body, done) => done(null, body))
    await app.register(replyFrom, { base, undici: { connections: 4096, headersTimeout: 0, bodyTimeout: 0 } })
    app.all("/*", (request, reply) => reply.from(request.raw.url ?? "/"))
    await app.listen({ port: 0, host: "127.0.0.1", backlog: 4096 })
    return app.addresses()[0]?.port ?? 0
  },
}
