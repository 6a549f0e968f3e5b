// A proxy inside a program of your own, in plain JavaScript.
//
//     node embed.mjs
//     curl -H 'Authorization: Bearer token-of-alice' http://127.0.0.1:8080/alice/
//     kill -TERM …                      # or Ctrl-C: what is in flight may finish
import { once } from "node:events"
import { createServer } from "node:http"
import { createProxy } from "ss-proxy"

const userOf = new Map([
  ["Bearer token-of-alice", "alice"],
  ["Bearer token-of-bob", "bob"],
])
const servers = new Map()

/** Starts the server of a user, in place of a container of yours. Returns its URL. */
const startServer = async (user) => {
  const server = createServer((request, response) => response.end(`Hello ${user}, you asked for ${request.url}\n`))
  servers.set(user, server)
  await once(server.listen(0, "127.0.0.1"), "listening")
  return `http://127.0.0.1:${server.address().port}`
}

const proxy = await createProxy({
  host: "127.0.0.1",
  port: Number(process.env.PORT ?? 8080),
  grace: 10_000,
  log: ({ level, message }) => console.error(`${level}: ${message}`),
  // Everybody reaches their own session only, and no server sees a token.
  onRequest: ({ header, sessionId }) =>
    userOf.get(header("authorization") ?? "") === sessionId
      ? { set: { "X-User": sessionId }, drop: ["Authorization"] }
      : { status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: "Who are you?\n" },
})

proxy.on("request", ({ method, sessionId, status }) => console.log(`${method} for ${sessionId}: ${status}`))
proxy.on("error", ({ error }) => console.error(error?.message))

// Nothing has to end the process: nothing keeps it alive when the proxy and the servers are closed.
const stop = async () => {
  await proxy.close()
  for (const server of servers.values()) server.close()
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop)

for (const user of userOf.values()) await proxy.sessions.set(user, await startServer(user))
console.log(`ready at ${proxy.url}`)
