import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import type { WebSocket } from "ws"
import { demoRequest } from "./DemoRequest.js"

/** High-water mark: with more bytes waiting to be sent to a client, no more are read from it. */
const highWater = 1024 * 1024

/** Whether an endpoint may close with this code (RFC 6455 section 7.4). */
const mayClose = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999)

const echo = (peer: WebSocket): void => {
  peer.on("message", (data, binary) => {
    peer.send(data, { binary }, () => {
      if (peer.isPaused && peer.bufferedAmount < highWater) peer.resume()
    })
    if (peer.bufferedAmount >= highWater) peer.pause()
  })
}

const refuse = (socket: Duplex, detail: string): void => {
  const body = `${JSON.stringify({ status: 400, error: detail })}\n`
  const head = ["HTTP/1.1 400 Bad Request", "Content-Type: application/json", `Content-Length: ${body.length}`]
  socket.on("error", () => {})
  socket.end(`${head.join("\r\n")}\r\nConnection: close\r\n\r\n${body}`)
}

/**
 * Accepts WebSocket handshakes on every path, and echoes messages: text as text, binary as binary. Selects the first
 * offered subprotocol. `?close=CODE` closes the WebSocket at once, with `reason` if that is given.
 */
export const webSocketEcho = (): ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) => {
  const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: true })
  return (incoming, socket, head) => {
    const { query } = demoRequest(incoming)
    const close = query.get("close")
    const reason = query.get("reason") ?? ""
    if (close !== null && !(/^\d{4}$/.test(close) && mayClose(Number(close))))
      return refuse(socket, "This is no code that a WebSocket may be closed with.")
    if (Buffer.byteLength(reason) > 123) return refuse(socket, "The reason has more than 123 bytes.")
    server.handleUpgrade(incoming, socket, head, (peer) => {
      // An error also closes the connection, and nothing else has to be done about it.
      peer.on("error", () => {})
      if (close === null) echo(peer)
      else peer.close(Number(close), reason)
    })
  }
}
