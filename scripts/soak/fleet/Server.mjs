// The servers of all sessions of `soak:fleet`: so many ports. The URL of each session has a path of its own, `/{port}-{number}`,
// which is its target. Each answer says to which target the request came, or that it came to a port that is not the target's.
import { createServer } from "node:http"
import { WebSocketServer } from "ws"

const webSockets = new WebSocketServer({ noServer: true })

const targetOf = ({ socket, url }) => {
  const [, target, port] = /^\/((\d+)-\d+)\//.exec(url) ?? []
  return Number(port) === socket.localPort ? target : `${url} at ${socket.localPort}`
}

webSockets.on("headers", (fields, request) => fields.push(`X-Target: ${targetOf(request)}`))

async function listen() {
  const server = createServer((request, response) => response.end(targetOf(request)))
  server.keepAliveTimeout = 600_000
  server.on("upgrade", (request, socket, head) =>
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const target = targetOf(request)
      webSocket.on("message", (data) => webSocket.send(`${target} ${data}`))
      webSocket.on("error", () => {})
    }),
  )
  server.listen(0, "127.0.0.1", 4_096)
  await new Promise((resolve) => server.once("listening", resolve))
  return server.address().port
}

process.send(await Promise.all(Array.from({ length: Number(process.argv[2]) }, listen)))
process.on("disconnect", () => process.exit())
