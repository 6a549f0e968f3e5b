/**
 * A program for `node -e`: a server that agrees to every WebSocket, and says nothing more but the pongs to pings that come
 * in a chunk of their own. It listens on the address that it is given, and prints its port.
 */
export const silentServer = `
const { createHash } = require("node:crypto")
require("node:net").createServer((socket) => {
  socket.on("error", () => {})
  socket.once("data", (data) => {
    const key = /sec-websocket-key: *(\\S+)/i.exec(data.toString("latin1"))[1]
    const accept = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64")
    socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n")
    socket.on("data", (frame) => {
      if (frame[0] === 0x89) socket.write(Buffer.from([0x8a, 8, ...frame.subarray(6).map((byte, index) => byte ^ frame[2 + (index & 3)])]))
    })
  })
}).listen(0, process.argv[1], function () { console.log(this.address().port) })
`
