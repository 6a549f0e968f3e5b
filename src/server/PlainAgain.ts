import type { IncomingMessage, Server } from "node:http"
import type { Socket } from "node:net"
import { listMembers } from "../wire/HeaderFields.js"

/** The head of a request without its wish to upgrade. */
const headWithoutUpgrade = ({ method, url, httpVersion, rawHeaders }: IncomingMessage): string => {
  let lines = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ""
    const value = rawHeaders[index + 1] ?? ""
    switch (name.toLowerCase()) {
      case "upgrade":
      case "http2-settings":
        break
      case "connection": {
        const kept = listMembers(value).filter((member) => member !== "upgrade" && member !== "http2-settings")
        if (kept.length > 0) lines += `${name}: ${kept.join(", ")}\r\n`
        break
      }
      default:
        lines += `${name}: ${value}\r\n`
    }
  }
  return `${lines}\r\n`
}

/**
 * A server may ignore an Upgrade (RFC 9110 section 7.8), and ignores those to other protocols than WebSocket, h2c above
 * all. Node has let go of the socket by then, so the request is put back in front of what follows it, as a plain one.
 */
export const plainAgain = (server: Server, message: IncomingMessage, socket: Socket, rest: Buffer): void => {
  if (rest.byteLength > 0) socket.unshift(rest)
  socket.unshift(Buffer.from(headWithoutUpgrade(message), "latin1"))
  server.emit("connection", socket)
  socket.resume()
}
