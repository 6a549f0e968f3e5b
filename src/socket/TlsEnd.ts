import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { hasReadEnd } from "./NodeHandle.js"

const brokenOff = new WeakSet<TLSSocket>()

/**
 * Notes, when the TCP connection under `socket` ends, whether TLS had ended before: only a close_notify is the word of the
 * peer, while FIN may be anybody's (RFC 8446 section 6.1). To be called before `socket` listens to its transport.
 */
export const watchEnd = (transport: Socket, socket: () => TLSSocket): void => {
  transport.once("end", () => {
    const over = socket()
    if (!hasReadEnd(over)) brokenOff.add(over)
  })
}

/** Whether a connection that has ended was TLS and was cut off: what came of it may not be all that was sent. */
export const wasBrokenOff = (socket: Socket): boolean => socket instanceof TLSSocket && brokenOff.has(socket)
