// The server of the session of `soak:restart`: answers, takes uploads, streams, and echoes on WebSockets.
import { createServer } from "node:http"
import { WebSocketServer } from "ws"

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** A line each 100 ms, for so many seconds. */
async function stream(response, seconds) {
  for (let line = 0; line < seconds * 10; line++) {
    response.write(`line ${line}\n`)
    await pause(100)
  }
  response.end("end\n")
}

const server = createServer((request, response) => {
  if (request.url.startsWith("/stream/")) return void stream(response, Number(request.url.slice("/stream/".length)))
  let bytes = 0
  request.on("data", (data) => (bytes += data.length))
  request.on("end", () => response.end(String(bytes)))
})
server.keepAliveTimeout = 600_000
const webSockets = new WebSocketServer({ server })
webSockets.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data))
  socket.on("error", () => {})
})
server.listen(0, "127.0.0.1", () => process.send([server.address().port]))
process.on("disconnect", () => process.exit())
