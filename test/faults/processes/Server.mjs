// A session's server in a process of its own. The path says how far it goes with each request; it tells its parent
// `{ reached: PATH }` when it is there, and stays there.
import { createHash } from "node:crypto"
import { createServer } from "node:net"

const accept = (key) => createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")

const ok = "HTTP/1.1 200 OK\r\n"
/** A text frame of 100 bytes, of which half is said. */
const halfFrame = Buffer.concat([Buffer.from([0x81, 100]), Buffer.alloc(50, 0x78)])

const ways = {
  "/whole": `${ok}Content-Length: 5\r\n\r\nhello`,
  "/before-head": "",
  "/mid-head": `${ok}Content-Le`,
  "/mid-body": `${ok}Content-Length: 1000\r\n\r\n${"x".repeat(500)}`,
  "/mid-chunk": `${ok}Transfer-Encoding: chunked\r\n\r\n64\r\n${"x".repeat(50)}`,
  "/mid-stream": `${ok}Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n`,
}

const tell = (reached) => process.send?.({ reached })

/** Goes on for ever with a body that has no end. */
const flood = (socket) => {
  socket.write(`${ok}Content-Length: 1000000000000\r\n\r\n`)
  const block = Buffer.alloc(65_536, 0x78)
  const more = () => {
    while (socket.writable && socket.write(block));
  }
  socket.on("drain", more)
  more()
}

/** Reads a WebSocket, and gives every byte back that comes, without its mask. Frames are small and come whole. */
const echo = (socket) =>
  socket.on("data", (data) => {
    const length = data[1] & 0x7f
    const mask = data.subarray(2, 6)
    const content = data.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4])
    socket.write(Buffer.concat([Buffer.from([data[0], length]), content]))
    if (data[0] === 0x88) socket.end()
  })

const upgrade = (socket, head, path) => {
  const key = /sec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? ""
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`,
  )
  if (path === "/mid-frame") socket.write(halfFrame)
  else echo(socket)
  tell(path)
}

const serve = (socket) => {
  let text = ""
  socket.on("error", () => {})
  const begin = (data) => {
    text += data.toString("latin1")
    const end = text.indexOf("\r\n\r\n")
    if (end < 0) return
    const head = text.slice(0, end)
    const path = head.split(" ")[1]
    if (/^upgrade:/im.test(head)) {
      socket.off("data", begin)
      return upgrade(socket, head, path)
    }
    if (path === "/upload") return text.length > 10_000 ? tell(path) : undefined
    text = ""
    if (path === "/flood") flood(socket)
    else socket.write(ways[path])
    tell(path)
  }
  socket.on("data", begin)
}

const server = createServer(serve).listen(
  { port: Number(process.argv[2] ?? 0), host: "127.0.0.1", backlog: 4_096 },
  () => {
    process.send?.({ port: server.address().port })
  },
)
process.on("disconnect", () => process.exit())
