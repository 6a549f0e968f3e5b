// Servers of sessions: accept every handshake, answer every other request, and close after a close frame.
import { createHash } from "node:crypto"
import { createServer } from "node:net"

const accept = (key) => createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
const closing = Buffer.from([0x88, 0x02, 0x03, 0xe9])

const serve = (socket) => {
  let isTunnel = false
  socket.on("error", () => {})
  socket.on("data", (data) => {
    if (isTunnel) return data[0] === 0x88 ? void socket.end(closing) : undefined
    const key = /sec-websocket-key: *(\S+)/i.exec(data.toString("latin1"))?.[1]
    if (key === undefined) return void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ncalm")
    isTunnel = true
    const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}`)
  })
}

const server = createServer(serve).listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  process.send?.(server.address().port)
})
process.on("disconnect", () => process.exit())
